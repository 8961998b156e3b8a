"""The audits of input and tables, broken on purpose; a finding is reported once and stops nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.audit import findings as findings_module
from pipeline.audit import table
from pipeline.audit.applied import AppliedAudit
from pipeline.audit.auditor import once
from pipeline.audit.findings import Finding, Findings
from pipeline.audit.table import TableAudit
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.cluster_log import LogReadError
from pipeline.runtime.kafka.dead_letters import TOPIC as DEAD_LETTERS
from pipeline.runtime.kafka.dead_letters import Reason, letter_of
from pipeline.runtime.store.database import StoreClosed
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.task import Counted
from tests.audit.log import MemoryLog, Reported
from tests.runtime.fixed_registry import FixedRegistry

# --- every record is taken once


class Worker:
    """One task whose counts change when the audit waits for it."""

    def __init__(self, taken: int, refused: int = 0, buries: tuple[int, ...] = ()) -> None:
        self.log = MemoryLog()
        self.said = Reported()
        for _ in range(10):
            self.log.add("payments", 0, b"k", b"v")
        self.task: Any = SimpleNamespace(counted=Counted(2, 100, 4), committed=2)
        self._buries = buries
        self._later = Counted(8, 100 + taken, 4 + refused)
        self.commits = True
        running = {TP("payments", 0): self.task}
        self.audit = AppliedAudit(self.log, self.said, lambda: running, self._wait)

    def _wait(self, _: float) -> None:
        if self.task.counted != self._later:
            self.task.counted = self._later
            for offset in self._buries:
                self.bury(offset)
        if self.commits:
            self.task.committed = self._later.end

    def bury(self, offset: int) -> None:
        """Write the dead letter of a record."""
        record: Any = SimpleNamespace(offset=offset, key=b"k", value=b"v", timestamp=0, headers=())
        reason = Reason("Rejected", "code", "")
        _, _, headers, _ = letter_of(record, ("payments", 0), reason, "fraud", "group")
        self.log.add(DEAD_LETTERS, 0, b"k", b"v", headers=dict(headers))


def test_each_record_taken_and_each_refused_one_a_dead_letter_is_sound() -> None:
    worker = Worker(taken=6, refused=1, buries=(5,))
    worker.bury(1)  # of before
    assert worker.audit.step()
    assert worker.said == []


@pytest.mark.parametrize("taken", [5, 7], ids=["lost", "twice"])
def test_a_record_that_is_lost_or_taken_twice_is_found(taken: int) -> None:
    worker = Worker(taken)
    assert worker.audit.step()
    (finding,) = worker.said
    assert (finding.invariant, finding.topic, finding.partition, finding.offset) == (
        "applied",
        "payments",
        0,
        2,
    )
    assert finding.expected == "6 records, 0 of them dead letters"
    assert finding.found == f"{taken} taken, 0 dead letters of them, 0 in all"


@pytest.mark.parametrize(
    ("buries", "found"),
    [((), "0 dead letters of them, 0 in all"), ((5, 5), "1 dead letters of them, 2 in all")],
)
def test_a_dead_letter_that_is_missing_or_there_twice_is_found(buries: tuple[int, ...], found: str) -> None:
    worker = Worker(taken=6, refused=1, buries=buries)
    assert worker.audit.step()
    assert worker.said[0].found == f"6 taken, {found}"


def test_dead_letters_that_are_committed_and_not_shown_yet_are_waited_for() -> None:
    worker = Worker(taken=6, refused=1, buries=(5,))
    worker.log.hidden[DEAD_LETTERS, 0] = 0
    with pytest.raises(LogReadError):
        worker.audit.step()
    assert worker.said == []


def test_what_is_not_committed_or_does_not_move_is_not_judged() -> None:
    worker = Worker(taken=1)
    worker.commits = False
    assert not worker.audit.step()
    still = Worker(taken=0)
    still._later = still.task.counted
    assert not still.audit.step()
    still.task.counted = None
    assert not still.audit.step()
    assert worker.said == still.said == []


# --- a table is its changelog


class Table:
    """A table and its changelog."""

    def __init__(self, folder: Path) -> None:
        self.log = MemoryLog()
        self.said = Reported()
        self.store = PartitionStore(folder / "table.rocks")
        self.audit = TableAudit(self.log, self.said, lambda: {("changelog", 0): self.store})

    def commit(self, **rows: str | None) -> None:
        """Write rows to the changelog and to the table, as a transaction does; it takes one offset more."""
        written = {key.encode(): None if row is None else row.encode() for key, row in rows.items()}
        log = self.log.records["changelog", 0]
        first = log[-1].offset + 2 if log else 0
        for offset, (key, row) in enumerate(written.items(), first):
            self.log.add("changelog", 0, key, row, offset=offset)
        self.store.write(written, first + len(written))

    def damage(self, key: str, row: str | None) -> None:
        """Change a row behind the changelog's back."""
        self.store.write({key.encode(): None if row is None else row.encode()}, None)

    def steps(self, count: int) -> int:
        return sum(self.audit.step() for _ in range(count))


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Table]:
    made = Table(tmp_path)
    yield made
    made.store.close()


def test_a_table_that_is_its_changelog_is_sound(rows: Table) -> None:
    rows.commit(a="1", b="2", c="3")
    rows.commit(a="4", b=None)
    assert rows.steps(4) >= 9
    assert rows.said == []


@pytest.mark.parametrize(("key", "row"), [("a", "5"), ("a", None), ("b", "2")])
def test_a_row_that_its_changelog_does_not_say_is_found(rows: Table, key: str, row: str | None) -> None:
    rows.commit(a="1", b="2")
    rows.commit(a="4", b=None)
    rows.damage(key, row)
    rows.audit.step()
    (finding,) = rows.said
    assert (finding.invariant, finding.topic, finding.partition) == ("table", "changelog", 0)
    assert finding.found.startswith("no row" if row is None else "1 bytes, blake2b ")
    assert finding.found != finding.expected


def test_a_row_that_nobody_has_written_lately_is_found_by_a_sample(
    rows: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "NEWEST", 2)
    monkeypatch.setattr(table, "PART", 10)
    monkeypatch.setattr(table, "SAMPLE_ROWS", 7)
    for number in range(30):
        rows.commit(**{f"a{number:02}": str(number)})
    rows.damage("a17", "other")
    rows.steps(8 * 7)
    assert {finding.expected[:7] for finding in rows.said} == {"2 bytes"}
    assert len({finding.alert(0).event_id for finding in rows.said}) == 1


def test_a_row_that_compaction_has_moved_on_is_no_fault(rows: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "NEWEST", 0)
    rows.commit(a="1", b="2")
    rows.audit.step()  # takes the sample
    rows.commit(a="1")
    del rows.log.records["changelog", 0][0]
    assert rows.audit.step() == 1
    assert rows.said == []


def test_a_commit_between_the_looks_is_read_on(rows: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    rows.commit(a="1", b="2")
    read = rows.log.read

    def and_then(*place: Any) -> Any:
        found = read(*place)
        if rows.log.reads == 1:
            rows.commit(a="9")
        return found

    monkeypatch.setattr(rows.log, "read", and_then)
    assert rows.audit.step() == 2
    assert rows.said == []


def test_a_table_that_moves_away_is_left_alone(rows: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: bytes) -> None:
        raise StoreClosed

    rows.commit(a="1")
    monkeypatch.setattr(rows.store, "committed_get", closed)
    assert rows.audit.step() == 0
    assert rows.said == []


# --- what is found is reported


class Written:
    """Keeps what is written, and puts it into the log."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        self.log.add("invariant-alerts", partition, key, value)


FINDING = Finding("table", "changelog", 0, 7, "1 bytes", "no row", about="k")


def findings_of(log: MemoryLog) -> Findings:
    return Findings(log, Codec(FixedRegistry()), Written(log))  # type: ignore[arg-type]


def test_a_finding_is_reported_once_also_after_a_restart() -> None:
    log = MemoryLog()
    findings = findings_of(log)
    for _ in range(3):
        findings.report(FINDING)
    findings_of(log).report(FINDING)
    assert [record.key for record in log.records["invariant-alerts", 0]] == [b"/changelog"]
    findings_of(log).report(FINDING._replace(found="2 bytes"))
    assert len(log.records["invariant-alerts", 0]) == 2


def test_a_process_does_not_flood_the_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings_module, "FINDINGS_MAX", 3)
    log = MemoryLog()
    findings = findings_of(log)
    for number in range(9):
        findings.report(FINDING._replace(about=str(number)))
    assert findings.reported == len(log.records["invariant-alerts", 0]) == 3


def test_an_audit_that_fails_stops_neither_the_others_nor_the_worker() -> None:
    done = []

    def audit(error: Exception | None) -> Any:
        def step() -> bool:
            done.append(error)
            if error is not None:
                raise error
            return True

        return SimpleNamespace(step=step)

    compared: dict[str, int] = {}
    for _ in range(2):
        once({"a": audit(ValueError("x")), "b": audit(LogReadError("no answer")), "c": audit(None)}, compared)
    assert len(done) == 6
    assert compared == {"c": 2}
