"""Records that somebody deleted from a log: no stream and no reader goes past them without a word."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from aiokafka.errors import OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.domain.kernel import events as ev
from pipeline.loadgen import history
from pipeline.runtime.app import create_app
from pipeline.runtime.assignments import Tasks
from pipeline.runtime.faults import Fault
from pipeline.runtime.kafka.operator_actions import decisions
from pipeline.runtime.lost import LogLost
from pipeline.runtime.settings import load_settings
from pipeline.runtime.streams import StreamSpec
from pipeline.verify.planted import Planted, read_manifests
from pipeline.verify.report import Report
from pipeline.verify.verifier import verify_log
from tests.runtime.test_transport import thread_with
from tests.simulated_cluster import SimulatedCluster, decoder, encode, simulate

PLACE = TP("payments", 3)
COMMAND = "ledgerflow accept-loss payments/3 --from 120 --up-to 130 --reason"


def accepted(first: int, end: int, topic: str = "payments", partition: int = 3) -> ev.OperatorActed:
    return ev.OperatorActed(
        "a", "", 0, "a", None, "LOSS_ACCEPTED", "op", "disk lost", topic, partition, first, end, None
    )


def tasks_with(*actions: ev.OperatorActed) -> Tasks:
    """Return tasks with one stream of payments, after what people have decided."""

    def fail(error: BaseException) -> NoReturn:
        raise error

    tasks = Tasks(SimpleNamespace(fail=fail))  # type: ignore[arg-type]
    tasks.add(StreamSpec("fraud", PLACE.topic, None, None))  # type: ignore[arg-type]
    tasks.decisions = decisions(actions)
    return tasks


# --- the worker


@pytest.mark.parametrize("committed", [120, None], ids=["read_before", "never_read"])
async def test_a_log_that_begins_behind_the_position_stops_the_worker(committed: int | None) -> None:
    thread = thread_with({PLACE: committed}, {PLACE: 130})
    thread.transport.positions = tasks_with()
    with pytest.raises(LogLost) as stopped:
        await thread._seek_to_committed()
    start = committed or 0
    text = str(stopped.value)
    assert f"offsets {start} to 129 are lost" in text and "\n" not in text
    assert f"accept-loss payments/3 --from {start} --up-to 130 --reason" in text
    assert stopped.value.fault[:2] == ("log_lost", "payments[3]")
    assert stopped.value.fault[3:] == ("payments", 3, start)


async def test_an_accepted_loss_goes_on_at_the_first_record_that_is_left() -> None:
    thread = thread_with({PLACE: 120}, {PLACE: 130})
    thread.transport.positions = tasks_with(accepted(120, 130))
    assert await thread._seek_to_committed() == {PLACE: 130}
    assert thread.sought == [(PLACE, 130)]  # type: ignore[attr-defined]
    assert thread.stale == {PLACE}  # the new place is committed at once
    assert thread._handed_over(PLACE, [SimpleNamespace(offset=130)], at(131)).batch.start == 130


async def test_what_is_lost_after_a_loss_was_accepted_is_another_loss() -> None:
    thread = thread_with({PLACE: 130}, {PLACE: 140})
    thread.transport.positions = tasks_with(accepted(120, 130))
    with pytest.raises(LogLost, match="offsets 130 to 139 are lost"):
        await thread._seek_to_committed()


async def test_a_changelog_and_a_log_that_has_all_records_are_let_alone() -> None:
    changelog = TP("ledgerflow-fraud-changelog", 3)
    thread = thread_with({PLACE: 130, changelog: None}, {PLACE: 130, changelog: 9})
    thread.transport.positions = tasks_with()
    await thread._seek_to_committed()
    assert thread.sought == [(changelog, 9)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("first", "position", "said"),
    [(130, 120, "offsets 120 to 129 are lost"), (0, 120, "offsets 20 to 119 are lost, or the topic")],
    ids=["deleted", "made_anew"],
)
async def test_records_that_are_lost_while_the_worker_runs_stop_it(
    monkeypatch: pytest.MonkeyPatch, first: int, position: int, said: str
) -> None:
    async def out_of_range(*_: Any) -> Any:
        raise OffsetOutOfRangeError({PLACE: position})

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", out_of_range)
    thread = thread_with({PLACE: position}, {PLACE: first})
    thread._lingering = {}
    thread.transport.positions = tasks_with(accepted(120, 130))  # its next start looks at what is accepted
    with pytest.raises(LogLost, match=said):
        await thread._fetch_records(thread._ensure_consumer(), {PLACE}, 0.1)


def test_a_worker_ends_with_one_line_an_alert_and_exit_code_70(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def leave(code: int) -> NoReturn:
        raise SystemExit(code)

    told: list[Fault] = []
    app = create_app(load_settings(data_dir=tmp_path), SimpleNamespace())  # type: ignore[arg-type]
    app.faults = SimpleNamespace(report_last=told.append)  # type: ignore[assignment]
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(SystemExit, match="70"):
        app.fail(LogLost("payments", 3, 120, 130))
    written = capsys.readouterr().err.splitlines()
    assert len(written) == 1 and COMMAND in written[0]
    assert [fault.code for fault in told] == ["log_lost"]
    assert app.conf.consumer_auto_offset_reset == "none"


def at(position: int) -> Any:
    return SimpleNamespace(has_valid_position=True, position=position)


# --- verify


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[SimulatedCluster, list[Planted]]:
    path = tmp_path_factory.mktemp("load") / "manifest.jsonl"
    plan = history(12, 300, 1_763_000_000_000_000, accounts=60, malformed_pct=5.0)
    return simulate(plan, path), read_manifests([path])


def cut(cluster: SimulatedCluster, topic: str, accept: bool) -> tuple[SimulatedCluster, int]:
    """Return the cluster without the first half of partition 1 of a topic, which all was read."""
    left = copy.copy(cluster)
    left.records, left.begins = cluster.records.copy(), {}
    log = left.records[topic, 1]
    first = log[len(log) // 2].offset
    left.delete_before(topic, 1, first)
    if accept:
        left.append("operator-actions", 1, b"/payments", encode(accepted(first, first, topic, 1)))
    return left, first


def failed(report: Report) -> dict[str, list[str]]:
    return {check.name: check.problems for check in report.checks if not check.ok}


LOGS = (
    "accounts",
    "payments",
    "fraud-commands",
    "prices",
    "ledger-commands",
    "reconciliation-items",
    "postings",
)


@pytest.mark.parametrize("topic", ("payments", "ledger-commands"))
def test_verify_names_a_log_that_has_lost_its_beginning_and_nothing_else(
    sound: tuple[SimulatedCluster, list[Planted]], topic: str
) -> None:
    cluster, first = cut(sound[0], topic, accept=False)
    wrong = failed(verify_log(cluster, decoder(), sound[1]))
    assert list(wrong) == ["logs"], wrong
    (problem,) = wrong["logs"]
    assert problem.startswith(f"{topic}[1]: offsets 0 to {first - 1} are gone, and nobody has accepted it")
    assert f"ledgerflow accept-loss {topic}/1 --up-to {first} --reason" in problem


@pytest.mark.parametrize("topic", LOGS)
def test_verify_names_an_accepted_loss_and_does_not_fail(
    sound: tuple[SimulatedCluster, list[Planted]], topic: str
) -> None:
    cluster, _ = cut(sound[0], topic, accept=True)
    report = verify_log(cluster, decoder(), sound[1])
    assert report.ok, failed(report)
    notes = report.check("logs").notes
    assert f"{topic}[1]" in notes[0] and notes[0].endswith("accepted by op: disk lost")
    assert len(notes) == 2 and notes[1].startswith("not comparable with its model: ")


def test_what_is_left_of_a_log_with_a_loss_is_still_judged(
    sound: tuple[SimulatedCluster, list[Planted]],
) -> None:
    cluster, _ = cut(sound[0], "payments", accept=True)
    postings = cluster.records["postings", 1]
    cluster.records["postings", 1] = [*postings[:10], *postings[11:]]
    assert {"zero_sum", "fold", "balances"} & failed(verify_log(cluster, decoder(), sound[1])).keys()
