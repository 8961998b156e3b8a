"""Clearing, broken on purpose: a leg that is lost, or settled twice, is found; one on its way is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.audit.clearing import CLEARING_TOTALS, ClearingAudit, Totals
from pipeline.domain.invariants import stream as invariants
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.loadgen import history
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.cluster_log import LogReadError, is_past
from pipeline.verify.log import Record
from tests.audit.log import ClusterLog, MemoryLog, Reported
from tests.invariants.honest_journal import HOUR, HonestJournal
from tests.runtime.fixed_registry import FixedRegistry
from tests.simulated_cluster import SimulatedCluster, decoder, simulate

DECODE = decoder().decode


def codec() -> Codec:
    return Codec(FixedRegistry())  # type: ignore[arg-type]


class Branches:
    """Journals of two branches, counted by the stream's rules, and the ledger's log between them."""

    def __init__(self) -> None:
        self.log = MemoryLog(2)
        self.said = Reported()
        self.audit = ClearingAudit(self.log, codec(), self.said)
        self.journals = [HonestJournal(branch) for branch in (0, 1)]
        self.counted = [0, 0]
        self._rows = [SimulatedRows() for _ in self.journals]

    def book(self, amount: int, at: int = 0) -> None:
        """Book a leg on branch 1, and put its answer into the ledger's log of branch 0."""
        self.journals[1].enter("$clearing:EUR:1", "bob", amount, at)
        self.log.add("ledger-commands", 0, b"", b"")
        self.count()

    def settle(self, amount: int, at: int = 0) -> None:
        """Settle a leg on branch 0."""
        self.journals[0].enter("alice", "$clearing:EUR:0", amount, at)
        self.count()

    def count(self) -> None:
        for number, journal in enumerate(self.journals):
            for event in journal.log[self.counted[number] :]:
                self.log.add("postings", number, b"", b"")
                for key, total in self._rows[number].apply(event, number):
                    self.log.add(CLEARING_TOTALS, number, key.encode(), codec().encode([total])[0])
            self.counted[number] = len(journal.log)

    def catch_up(self) -> None:
        """Let the streams have committed everything."""
        for topic in ("ledger-commands", "postings"):
            self.log.reached[topic] = self.log.ends(topic, committed=False)

    def rounds(self, steps: int = 5) -> int:
        """Let the audit go on; return how often it has compared."""
        self.catch_up()
        return sum(self.audit.step() for _ in range(steps))


class SimulatedRows:
    """The rows of the invariants stream on one branch."""

    def __init__(self) -> None:
        self.rows = MemoryRows()

    def apply(self, event: Any, branch: int) -> list[tuple[str, Any]]:
        """Return the totals that a posting leads to."""
        out = Outbox()
        invariants.apply(event, Arrival(0, branch, 2, 0), self.rows, out)
        return [(key, said) for topic, key, said in out.items if topic == CLEARING_TOTALS]


def test_legs_that_were_settled_leave_nothing() -> None:
    bank = Branches()
    for hour in range(3):
        bank.book(5, hour * HOUR)
        bank.settle(5, hour * HOUR)
    assert bank.rounds() >= 1
    assert bank.said == []


def test_a_leg_that_is_lost_is_found_once_its_hour_is_at_rest() -> None:
    bank = Branches()
    bank.book(5)
    bank.book(7)
    bank.settle(7)
    assert bank.rounds() >= 1
    assert set(bank.said.brief) == {("clearing", "0 minor units on the way", "5 minor units")}
    assert len({finding.alert(0).event_id for finding in bank.said}) == 1  # said once, found each time


def test_a_leg_that_is_settled_twice_is_found() -> None:
    bank = Branches()
    bank.book(5)
    bank.settle(5)
    bank.settle(5)
    bank.rounds()
    assert bank.said.brief[0][2] == "-5 minor units"


def test_a_leg_that_is_settled_with_another_amount_is_found() -> None:
    bank = Branches()
    bank.book(5)
    bank.settle(6)
    bank.rounds()
    assert bank.said.brief[0][2] == "-1 minor units"


def test_a_lost_leg_shows_although_other_hours_are_busy() -> None:
    bank = Branches()
    bank.book(5, at=HOUR)
    bank.book(3, at=9 * HOUR)
    compared = 0
    for _ in range(6):  # one leg is always on its way
        bank.book(3, at=9 * HOUR)
        bank.settle(3, at=9 * HOUR)
        bank.catch_up()
        bank.log.reached["ledger-commands"] = {0: bank.log.ends("ledger-commands", committed=False)[0] - 1}
        compared += bank.audit.step()
    assert compared > 1
    assert {finding.about for finding in bank.said} == {"EUR\x001"}


def test_a_leg_on_its_way_is_no_fault_however_long_it_takes() -> None:
    bank = Branches()
    bank.rounds()
    bank.book(5)
    bank.log.reached["postings"] = bank.log.ends("postings", committed=False)
    bank.log.reached["ledger-commands"] = {0: 0, 1: 0}  # the ledger has not got to the answer
    assert not any(bank.audit.step() for _ in range(10)) or bank.said == []
    bank.settle(5)
    bank.rounds()
    assert bank.said == []


def test_totals_that_are_behind_the_journal_are_waited_for() -> None:
    bank = Branches()
    bank.book(5)
    bank.rounds(1)
    bank.log.reached["ledger-commands"] = bank.log.ends("ledger-commands", committed=False)
    bank.settle(5)
    bank.log.reached["postings"] = {0: 0, 1: 2}
    assert not any(bank.audit.step() for _ in range(5))
    bank.rounds()
    assert bank.said == []


def test_totals_that_are_committed_and_not_shown_yet_are_waited_for() -> None:
    bank = Branches()
    bank.book(5)
    bank.rounds(1)
    bank.settle(5)
    bank.log.hidden[CLEARING_TOTALS, 0] = 0
    with pytest.raises(LogReadError):
        bank.rounds()
    bank.log.hidden.clear()
    assert bank.rounds() >= 1
    assert bank.said == []


def test_a_log_is_past_a_mark_behind_which_only_marks_of_transactions_are() -> None:
    log = MemoryLog()
    log.add("postings", 0, b"", b"")
    log.add("postings", 0, b"", b"", offset=4)
    log.reached["postings"] = {0: 2}
    assert is_past(log, "postings", {0: 3})
    assert is_past(log, "postings", {0: 4})
    assert not is_past(log, "postings", {0: 5})
    log.hidden["postings", 0] = 3  # a transaction is open there: what it hides may be committed before it
    assert not is_past(log, "postings", {0: 4})
    assert not is_past(log, "ledger-commands", {0: 10**6})


def test_totals_are_read_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.audit.clearing.READ_MAX", 2)
    bank = Branches()
    for _ in range(3):
        bank.book(5)
    totals = Totals(bank.log, codec())
    assert [totals.read_on(), totals.read_on()] == [False, True]
    assert totals.sums() == {("north", "EUR", 0): (3, 15, 0, 0)}


# --- the real ledger


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> SimulatedCluster:
    path: Path = tmp_path_factory.mktemp("load") / "manifest.jsonl"
    return simulate(history(5, 200, 1_763_000_000_000_000, accounts=40), path)


def compared(cluster: SimulatedCluster) -> Reported:
    said = Reported()
    audit = ClearingAudit(ClusterLog(cluster), codec(), said)
    assert [audit.step() for _ in range(2)] == [False, True]
    assert len(audit._totals.sums()) > 3
    return said


def test_honest_traffic_leaves_nothing_in_clearing(sound: SimulatedCluster) -> None:
    assert compared(sound) == []
    assert not any(log for (topic, _), log in sound.records.items() if topic == "invariant-alerts")


def _lose_an_answer(record: Record) -> bool:
    event = DECODE(record.value)
    return event is not None and event.name == "LegPosted"


@pytest.mark.parametrize("lost", [_lose_an_answer], ids=["leg_posted"])
def test_an_answer_that_is_lost_on_its_way_leaves_money_in_clearing(
    lost: Callable[[Record], bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[Record] = []
    append = SimulatedCluster.append

    def losing(self: SimulatedCluster, topic: str, partition: int, key: Any, value: Any, *more: Any) -> Any:
        record = append(self, topic, partition, key, value, *more)
        if topic == "ledger-commands" and not dropped and lost(record):
            dropped.append(self.records[topic, partition].pop())
        return record

    monkeypatch.setattr(SimulatedCluster, "append", losing)
    cluster = simulate(history(5, 200, 1_763_000_000_000_000, accounts=40), tmp_path / "manifest.jsonl")
    fields = DECODE(dropped[0].value).fields  # type: ignore[union-attr]
    ((invariant, _, found),) = compared(cluster).brief
    assert (invariant, found) == ("clearing", f"{fields['amount_minor']} minor units")
