"""A worker that dies at one record again and again says which, also where it died without a word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli.supervisor import CRASHES_MAX, STUCK_FROM
from pipeline.runtime.app import say_where_stuck
from pipeline.runtime.at_work import APPLIES, READS, AtWork, Work, left_in, parse
from pipeline.runtime.faults import Fault
from tests.cli.test_cli import Workers
from tests.ledger.branches import opened
from tests.runtime.task_bench import Bench, own_accounts

DIES = """
import os, signal, sys
from pathlib import Path
from pipeline.runtime.at_work import APPLIES, READS, AtWork
marks = AtWork(Path(sys.argv[1]))
marks.on(READS, "payments", 3, 0, 9)
marks.off(READS)
marks.on(APPLIES, "a-topic-with-a-long-name", 11, 1234567, 2234567)
marks.on(APPLIES, "payments", 3, 120, 168)
os.kill(os.getpid(), signal.SIGKILL)
"""
A, B, C = own_accounts(3)


def die_in(folder: Path) -> None:
    run = subprocess.run([sys.executable, "-c", DIES, str(folder)], timeout=120, check=False)
    assert run.returncode == -signal.SIGKILL


def test_the_mark_outlives_sigkill_and_is_counted_in_a_row(tmp_path: Path) -> None:
    for _ in range(STUCK_FROM):
        die_in(tmp_path)
    assert left_in(tmp_path) == [Work("payments", 3, 120, 168)]
    marks = AtWork(tmp_path)
    assert [(str(work), times) for work, times in marks.stuck] == [("payments/3/120-168", STUCK_FROM)]
    assert marks.singly_below("payments", 3) == 169 and marks.singly_below("payments", 2) == 0
    assert left_in(tmp_path) == [], "a process that ends well leaves nothing"
    assert AtWork(tmp_path).deaths == []


def test_another_place_begins_a_new_row(tmp_path: Path) -> None:
    for first in (5, 5, 6, 5):
        AtWork(tmp_path).on(APPLIES, "payments", 0, first, 9)
    assert [times for _, times in AtWork(tmp_path).deaths] == [1]


def test_a_file_that_says_nothing_is_no_death(tmp_path: Path) -> None:
    for content in (b"", b"\xff" * 2_000, b"payments/x/1\n", b"payments/1/9-3\n"):
        (tmp_path / "at-work").write_bytes(content)
        assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["payments/3", "payments/3/x", "a/b/c/d", "/1/2", "p/1/2-", "p/-1/2", "p/1/5-4"]
)
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_a_stuck_partition_is_an_alert_that_names_the_command(tmp_path: Path) -> None:
    class Alerted:
        def report(self, fault: Fault) -> None:
            faults.append(fault)

    faults: list[Fault] = []
    for _ in range(STUCK_FROM):
        AtWork(tmp_path).on(READS, "payments", 3, 120, 168)
    say_where_stuck(AtWork(tmp_path), Alerted())  # type: ignore[arg-type]
    (fault,) = faults
    assert (fault.code, fault.subject, fault.offset) == ("partition_stuck", "payments[3]", 120)
    assert "ledgerflow quarantine payments/3/120-168 --reason" in fault.found


# --- the task


class Dead(BaseException):
    """Stands for an end of the process."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    built = Bench(tmp_path)
    yield built
    assert built.store is not None
    built.store.close()


async def test_after_a_second_death_records_go_singly_so_that_the_mark_names_one(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = bench.rules.apply

    def kills(event: object, at: object, rows: object, out: object) -> None:
        if at.offset == 1:  # type: ignore[attr-defined]
            raise Dead
        good(event, at, rows, out)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.rules, "apply", kills)
    records = [bench.of(opened(f"e{number}", one)) for number, one in enumerate((A, B, C))]
    seen = []
    for _ in range(3):
        marks = AtWork(tmp_path / "folder")
        bench.task = bench.task_of(*bench.task.machines)
        bench.task._at_work = marks
        bench.task._singly_below = marks.singly_below("accounts", 0)
        with pytest.raises(Dead):
            await bench.task.accept(bench.batch(*records))
        seen.append(str(left_in(tmp_path / "folder")[0]))
    assert seen == ["accounts/0/0-2", "accounts/0/0-2", "accounts/0/1"]


# --- the supervisor


def test_the_supervisor_names_the_place_and_keeps_kafka_up_for_who_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workers = Workers()
    for _ in range(2 * CRASHES_MAX):
        AtWork(Path("worker-0")).on(APPLIES, "payments", 3, 120, 120)
        workers.spawned[-1].code = 70
        workers.check_after(0.0)
        before = len(workers.spawned)
        while len(workers.spawned) == before:
            workers.check_after(0.5)
    named = [line for line in workers.said if "ledgerflow quarantine payments/3/120 --reason" in line]
    assert len(named) == 2 * CRASHES_MAX - STUCK_FROM + 1
    assert "worker 0 died again at payments/3/120, 3 times in a row" in named[0]
    assert os.listdir("worker-0")
