"""Balances from the postings alone: equal where the ledger is right, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from pipeline.domain.kernel import events as ev
from pipeline.rebuild.logs import LogCut
from pipeline.rebuild.scratch import Scratch, ScratchBusy
from tests.rebuild.bench import PARTITIONS, Interrupted, Logs, bank, from_postings, journal_of


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Logs:
    built = Logs(monkeypatch)
    journal_of(bank(), built)
    return built


def last_of(logs: Logs, topic: str, kind: type) -> tuple[int, Any]:
    """Return the last event of a kind in a topic, and its partition."""
    for number in range(PARTITIONS):
        values = [record.value for record in logs.records[TopicPartition(topic, number)]]
        found = [event for event in logs.codec.decode(values).events if type(event) is kind]
        if found:
            return number, found[-1]
    raise AssertionError(f"no {kind.__name__}")


def test_the_balances_of_a_ledger_are_what_its_postings_make(logs: Logs, tmp_path: Path) -> None:
    found = from_postings(logs, tmp_path)
    assert (found.differences.found, found.differences.shown, found.undecided) == (0, [], 0)
    assert (found.faults.count, found.faults.others) == (0, 0)
    assert found.differences.compared["account"] >= 9  # the branches' own accounts, and one without postings
    assert found.records == sum(map(len, logs.records.values()))


@pytest.mark.parametrize("cut", [0, 1, 4, 7])
def test_an_interrupted_run_goes_on_where_it_stood(logs: Logs, tmp_path: Path, cut: int) -> None:
    logs.cut = cut
    with pytest.raises(Interrupted):
        from_postings(logs, tmp_path)
    logs.cut = None
    found = from_postings(logs, tmp_path)
    assert (found.differences.found, found.faults.count) == (0, 0)
    assert found.records <= sum(map(len, logs.records.values())) - cut  # nothing is read twice
    assert from_postings(logs, tmp_path).records == 0


def test_a_later_run_reads_what_came_since(logs: Logs, tmp_path: Path) -> None:
    from_postings(logs, tmp_path)
    branch, posting = last_of(logs, "postings", ev.PostingRecorded)
    logs.add("postings", branch, posting)
    found = from_postings(logs, tmp_path)
    assert found.records == 1
    assert found.faults.count == 1 and f"expected {posting.account_sequence + 1}" in found.faults.shown[0]


@pytest.mark.parametrize("field", ["debits_posted", "credits_posted", "debits_pending", "account_sequence"])
def test_a_balance_that_is_wrong_is_shown_with_both_versions(logs: Logs, tmp_path: Path, field: str) -> None:
    branch, stated = last_of(logs, "balances", ev.BalanceUpdated)
    right: int = getattr(stated, field)
    logs.add("balances", branch, msgspec.structs.replace(stated, **{field: right + 1}))
    found = from_postings(logs, tmp_path)
    assert found.differences.found == 1
    (difference,) = found.differences.shown
    name = "held_minor" if field == "debits_pending" else field
    assert (difference.branch, difference.field) == (branch, name)
    assert difference.name == f"{stated.tenant_id}/{stated.account_id}"
    assert (difference.live, difference.rebuilt) == (right + 1, right)


def test_a_balance_without_its_postings_and_postings_without_a_balance_differ(
    logs: Logs, tmp_path: Path
) -> None:
    branch, stated = last_of(logs, "balances", ev.BalanceUpdated)
    logs.add("balances", branch, msgspec.structs.replace(stated, account_id="forged"))
    branch, posting = last_of(logs, "postings", ev.PostingRecorded)
    logs.add("postings", branch, msgspec.structs.replace(posting, account_id="alone", account_sequence=1))
    found = from_postings(logs, tmp_path)
    assert found.differences.found == 2
    assert {shown.name.rpartition("/")[2] for shown in found.differences.shown} == {"forged", "alone"}


def test_the_fold_of_an_older_posting_says_nothing_of_holds(logs: Logs, tmp_path: Path) -> None:
    branch, posting = last_of(logs, "postings", ev.PostingRecorded)
    _, stated = last_of(logs, "balances", ev.BalanceUpdated)
    own = {"account_id": "old", "account_type": "checking", "currency": "EUR"}
    older = {"side": "CREDIT", "amount_minor": 7, "account_sequence": 1, "balance_minor_after": 7}
    logs.add("postings", branch, msgspec.structs.replace(posting, **own, **older, held_minor_after=None))
    counters = {"debits_posted": 0, "credits_posted": 7, "debits_pending": 5, "account_sequence": 1}
    amounts = {"balance_minor": 7, "available_minor": 2}
    logs.add("balances", branch, msgspec.structs.replace(stated, **own, **counters, **amounts))
    found = from_postings(logs, tmp_path)
    assert (found.differences.found, found.faults.count) == (0, 0)


def test_an_account_that_moves_while_it_is_read_is_looked_at_again(
    logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch, _ = last_of(logs, "balances", ev.BalanceUpdated)
    place = TopicPartition("balances", branch)
    missing = [logs.records[place].pop() for _ in range(2)]
    rounds: list[int] = []

    async def ends(_: Any, places: Any) -> dict[TopicPartition, int]:
        rounds.append(1)
        if len(rounds) == 2:
            logs.records[place] += reversed(missing)
        return {one: logs.end(*one) for one in places}

    monkeypatch.setattr("pipeline.rebuild.postings.log_ends", ends)
    found = from_postings(logs, tmp_path)
    assert (found.differences.found, found.undecided) == (0, 0)
    assert len(rounds) == 2


def test_an_account_that_never_stands_still_is_said_to_be_undecided(
    logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch, stated = last_of(logs, "balances", ev.BalanceUpdated)
    times = iter(range(1, 100))

    async def ends(_: Any, places: Any) -> dict[TopicPartition, int]:
        moved = msgspec.structs.replace(stated, debits_posted=stated.debits_posted + next(times))
        logs.add("balances", branch, moved)
        return {one: logs.end(*one) for one in places}

    monkeypatch.setattr("pipeline.rebuild.postings.log_ends", ends)
    found = from_postings(logs, tmp_path)
    assert (found.differences.found, found.undecided) == (0, 1)


def test_no_more_differences_are_kept_than_asked_for(logs: Logs, tmp_path: Path) -> None:
    _, stated = last_of(logs, "balances", ev.BalanceUpdated)
    for number in range(30):
        logs.add("balances", 0, msgspec.structs.replace(stated, account_id=f"forged-{number}"))
    found = from_postings(logs, tmp_path, limit=5)
    assert (found.differences.found, len(found.differences.shown)) == (30, 5)


def test_what_is_no_event_is_a_fault_of_the_journal_and_another_kind_of_event_is_none(
    logs: Logs, tmp_path: Path
) -> None:
    branch, stated = last_of(logs, "balances", ev.BalanceUpdated)
    logs.add("postings", branch, stated)
    found = from_postings(logs, tmp_path)
    assert (found.faults.count, found.faults.others, found.differences.found) == (0, 1, 0)
    logs.add("postings", branch, stated)
    logs.records[TopicPartition("postings", branch)][-1].value = b"no event"
    found = from_postings(logs, tmp_path)
    assert (found.faults.count, found.faults.others) == (1, 1)
    assert found.faults.shown == ["a record that is no event"]


def test_a_journal_whose_beginning_is_gone_is_refused(logs: Logs, tmp_path: Path) -> None:
    logs.first = 4
    with pytest.raises(LogCut, match="begins at offset 4"):
        from_postings(logs, tmp_path)


def test_what_was_read_of_another_log_is_forgotten(logs: Logs, tmp_path: Path) -> None:
    everything = from_postings(logs, tmp_path).records
    assert from_postings(logs, tmp_path).records == 0
    assert from_postings(logs, tmp_path, about="topics made again").records == everything


def test_two_rebuilds_in_one_folder_are_refused(tmp_path: Path) -> None:
    with Scratch(tmp_path, {}), pytest.raises(ScratchBusy, match="wait for its end"):
        Scratch(tmp_path, {})
    with Scratch(tmp_path, {}):
        pass
