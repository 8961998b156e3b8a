"""Each invariant of the journal, broken on purpose: what is said of it, once, and that nothing else is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.domain.invariants import stream as invariants
from pipeline.domain.invariants.rows import ENTRIES, read_branch
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from tests.invariants.honest_journal import HOUR, TENANT, HonestJournal

CLEARING = "$clearing:EUR:0"


def journal() -> HonestJournal:
    """Three entries and a hold: alice pays bob twice, and then with money that was held."""
    made = HonestJournal()
    made.enter("$opening:EUR:0", "alice", 100)
    made.enter("alice", "bob", 10)
    made.hold("alice", 30)
    made.enter("alice", CLEARING, 30, uses_hold=True)
    made.enter("alice", "bob", 5)
    return made


def said(log: list[Any], topic: str = invariants.ALERTS) -> list[Any]:
    rows, out = MemoryRows(), Outbox()
    for offset, event in enumerate(log):
        invariants.apply(event, Arrival(0, 0, 1, offset), rows, out)
    return [event for name, _, event in out.items if name == topic]


def broken(log: list[Any]) -> list[tuple[str, str | None, str, str, int]]:
    return [(one.invariant, one.account_id, one.expected, one.found, one.offset) for one in said(log)]


def change(log: list[Any], place: int, **fields: Any) -> list[Any]:
    return [*log[:place], msgspec.structs.replace(log[place], **fields), *log[place + 1 :]]


def test_an_honest_journal_breaks_nothing() -> None:
    assert broken(journal().log) == []


def test_an_entry_whose_postings_differ_does_not_sum_to_zero() -> None:
    log = change(journal().log, 3, amount_minor=9, balance_minor_after=9)
    log = change(log, 8, balance_minor_after=14)
    assert broken(log) == [("zero_sum", "bob", "CREDIT 10 EUR", "CREDIT 9 EUR", 3)]


@pytest.mark.parametrize(
    ("fields", "found"),
    [({"side": "DEBIT"}, "DEBIT 10 EUR"), ({"currency": "USD"}, "CREDIT 10 USD")],
)
def test_an_entry_needs_both_sides_and_one_currency(fields: dict[str, Any], found: str) -> None:
    alerts = broken(change(journal().log, 3, **fields))
    assert ("zero_sum", "bob", "CREDIT 10 EUR", found, 3) in alerts


def test_an_entry_of_nothing_is_none() -> None:
    log = change(journal().log, 2, amount_minor=0, balance_minor_after=100)
    log = change(log, 3, amount_minor=0, balance_minor_after=0)
    assert broken(log)[0] == ("zero_sum", "alice", "an amount above 0", "0", 2)


def test_a_posting_without_its_other_half_is_found_at_the_next_one() -> None:
    log = journal().log
    (first, second) = said([*log[:3], *log[4:]])
    assert (first.invariant, first.account_id, first.entry_id) == ("zero_sum", "alice", log[2].entry_id)
    assert (first.expected, first.found, first.offset) == ("CREDIT 10 EUR", "nothing", 4)
    assert (second.invariant, second.account_id, second.expected, second.found) == (
        "sequence",
        "bob",
        "1",
        "2",
    )


def test_an_entry_that_is_missing_leaves_a_gap_in_both_accounts_and_is_said_once_of_each() -> None:
    made = journal()
    for _ in range(5):
        made.enter("alice", "bob", 1)
    log = made.log
    assert broken([*log[:2], *log[4:]])[:2] == [
        ("balance", "alice", "100", "90", 2),  # the hold comes first, and says the balance
        ("sequence", "alice", "2", "3", 3),
    ]
    assert [one[:2] for one in broken([*log[:2], *log[4:]])[2:]] == [("sequence", "bob")]


def test_an_entry_that_is_posted_again_is_known_by_its_id() -> None:
    log = journal().log
    again = [
        msgspec.structs.replace(log[7], account_sequence=5, balance_minor_after=50),
        msgspec.structs.replace(log[8], account_sequence=3, balance_minor_after=20),
    ]
    assert [one[:2] + one[4:] for one in broken([*log, *again])] == [
        ("entry_once", "alice", 9),
        ("entry_once", "bob", 10),
    ]


def test_an_entry_is_known_again_among_the_last_few_of_an_account() -> None:
    for between, known in ((ENTRIES - 1, True), (ENTRIES, False)):
        made = journal()
        for _ in range(between):
            made.enter("alice", "carol", 1)
        made.enter("alice", "bob", 5)
        log = made.log
        entry_id = log[7].entry_id
        log = change(change(log, len(log) - 2, entry_id=entry_id), len(log) - 1, entry_id=entry_id)
        found = [one[:2] for one in broken(log)]
        assert (("entry_once", "alice") in found) == known
        assert ("entry_once", "bob") in found


def test_a_record_that_is_there_twice_repeats_its_number_and_its_entry() -> None:
    log = journal().log
    assert [one[:2] for one in broken([*log, log[-1]])] == [("entry_once", "bob"), ("sequence", "bob")]


def test_a_balance_that_its_postings_do_not_make_is_said_once() -> None:
    log = journal().log
    log = change(log, 7, balance_minor_after=56)
    assert broken(log) == [("balance", "alice", "55", "56", 7)]


def test_what_is_held_follows_from_the_holds() -> None:
    log = journal().log
    assert broken(change(log, 4, held_minor_after=31)) == [
        ("held", "alice", "30", "31", 4),
        ("held", "alice", "31 or 1", "0", 5),
    ]
    assert broken(change(log, 6, held_minor_after=1)) == [("held", CLEARING, "0", "1", 6)]
    assert broken(change(log, 7, held_minor_after=-5)) == [("held", "alice", "0 or more", "-5", 7)]
    assert broken(change(log, 4, amount_minor=0)) == [("held", "alice", "an amount above 0", "0", 4)]


def test_a_hold_beside_another_balance_is_said() -> None:
    assert broken(change(journal().log, 4, balance_minor=91))[0] == ("balance", "alice", "90", "91", 4)


def test_a_hold_that_is_released_twice_is_said() -> None:
    made = HonestJournal()
    made.hold("alice", 5)
    made.hold("alice", 5, "RELEASED")
    again = msgspec.structs.replace(made.log[1], held_minor_after=0)
    assert broken([*made.log, again]) == [("held", "alice", "-5", "0", 2)]


def test_a_hold_that_ends_in_a_way_of_a_later_version_is_taken_as_it_is() -> None:
    log = change(journal().log, 4, change="UNSPECIFIED", held_minor_after=44)
    log = change(change(log, 5, held_minor_after=14), 7, held_minor_after=14)
    assert broken(log) == []


def test_postings_of_version_1_leave_open_what_is_held() -> None:
    made = HonestJournal()
    made.hold("alice", 7)
    made.enter("alice", "bob", 5, version=1)
    made.hold("alice", 3)
    assert broken(made.log) == []


def test_an_account_changes_its_currency_never() -> None:
    log = change(change(journal().log, 7, currency="USD"), 8, currency="USD")
    assert [one[:4] for one in broken(log)] == [
        ("balance", "alice", "EUR", "USD"),
        ("balance", "bob", "EUR", "USD"),
    ]


def test_another_event_and_what_is_no_money_are_left_alone() -> None:
    other = ev.TradeSettled("e", TENANT, 0, "c", None, "t", "alice", 0)
    assert broken([other, *journal().log]) == []
    assert list(invariants.keys(other)) == []


def test_an_alert_says_what_showed_it_and_has_the_same_id_on_every_replay() -> None:
    log = change(journal().log, 7, balance_minor_after=56)
    (alert,), (again,) = said(log), said(log)
    assert alert == again
    assert (alert.tenant_id, alert.causation_id) == (TENANT, log[7].event_id)
    assert (alert.topic, alert.partition, alert.offset) == ("postings", 0, 7)
    assert (alert.entry_id, alert.currency) == (log[7].entry_id, "EUR")


def test_a_broken_account_does_not_flood_the_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "WINDOW", 100)
    made = HonestJournal()
    for _ in range(100):
        made.enter("alice", "bob", 1)
    log = [msgspec.structs.replace(one, balance_minor_after=one.account_sequence * 7) for one in made.log]
    rows, out = MemoryRows(), Outbox()
    for offset, event in enumerate(log):
        invariants.apply(event, Arrival(0, 0, 1, offset), rows, out)
    assert len(out.items) == 2 * 2 * invariants.ACCOUNT_ALERTS_MAX  # two windows, two accounts
    assert read_branch(rows).unsaid == 200 - len(out.items)


def test_a_broken_branch_does_not_flood_the_topic() -> None:
    log: list[Any] = []
    made = HonestJournal()
    for number in range(invariants.BRANCH_ALERTS_MAX):
        made.enter(f"debtor-{number}", f"creditor-{number}", 1)
    log = [msgspec.structs.replace(one, account_sequence=9) for one in made.log]
    assert len(said(log)) == invariants.BRANCH_ALERTS_MAX


def test_what_goes_through_clearing_is_counted_by_hour_of_the_day() -> None:
    made = HonestJournal()
    made.enter(CLEARING, "alice", 10, at=HOUR)
    made.enter("alice", CLEARING, 3, at=25 * HOUR)
    made.enter("alice", CLEARING, 2, at=-1)
    totals = said(made.log, invariants.TOTALS)
    assert [(one.account_id, one.hour, one.debits, one.debits_minor) for one in totals] == [
        (CLEARING, 1, 1, 10),
        (CLEARING, 1, 1, 10),
        (CLEARING, 23, 0, 0),
    ]
    assert [(one.credits, one.credits_minor) for one in totals] == [(0, 0), (1, 3), (1, 2)]


def test_every_row_that_is_read_was_asked_for_beforehand() -> None:
    class Asked(MemoryRows):
        def get(self, key: bytes) -> bytes | None:
            assert key in self.wanted, key
            return super().get(key)

    rows = Asked()
    for event in journal().log:
        rows.wanted = set(invariants.keys(event))  # type: ignore[attr-defined]
        invariants.apply(event, Arrival(0, 0, 1), rows, Outbox())
