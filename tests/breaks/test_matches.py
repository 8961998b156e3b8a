"""What people say about matches, what is shown of a break, and what the ledger is asked."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.reconciliation.breaks import facts
from pipeline.domain.reconciliation.breaks.bounds import ITEMS_MAX
from pipeline.domain.reconciliation.breaks.matches import CODES, check_match, refuse_match
from pipeline.domain.reconciliation.breaks.outputs import say_suggested
from pipeline.domain.reconciliation.breaks.views import show_break
from tests.breaks.shown import break_id
from tests.breaks.teller import Bank, actor

LINE = ev.LineRef("S1", 1)


def decision(bank: Bank, lines: tuple[ev.LineRef, ...], postings: tuple[str, ...]) -> ev.MatchConfirmed:
    return ev.MatchConfirmed(**bank.common(), lines=lines, posting_ids=postings, actor=actor("anna"))


@pytest.mark.parametrize(
    ("lines", "postings", "code"),
    [
        ((LINE,), ("p1",), None),
        ((LINE, ev.LineRef("S1", 2)), (), None),
        ((), ("p1", "p2"), None),
        ((LINE, ev.LineRef("S1", 1, "another")), ("p1",), None),
        ((), (), "invalid_match"),
        ((LINE,), (), "invalid_match"),
        ((LINE, LINE), ("p1",), "invalid_match"),
        ((LINE,), ("p1", "p1"), "invalid_match"),
        ((LINE,), tuple(f"p{number}" for number in range(ITEMS_MAX + 1)), "invalid_match"),
        ((LINE,), ("",), "invalid_id"),
        ((LINE,), ("a\0b",), "invalid_id"),
        ((ev.LineRef("", 1),), ("p1",), "invalid_id"),
        ((ev.LineRef("S1", -1),), ("p1",), "line_no_must_not_be_negative"),
    ],
)
def test_a_match_of_people_names_two_items_or_more_each_once(
    lines: tuple[ev.LineRef, ...], postings: tuple[str, ...], code: str | None
) -> None:
    event = decision(Bank(), lines, postings)
    if code is None:
        check_match(event)
    else:
        with pytest.raises(Reject) as rejected:
            check_match(event)
        assert rejected.value.code == code


@pytest.mark.parametrize("code", CODES)
def test_a_decision_about_a_match_is_refused_with_a_code(code: str) -> None:
    bank = Bank()
    refuse_match(bank.scope(decision(bank, (LINE,), ("p1",))), code)
    ((topic, key, said),) = bank.out.items
    assert (topic, key) == ("reconciliation-results", "acme/nostro")
    assert (said.action, said.code, said.break_id) == ("match_confirmed", code, None)
    assert code in ev.BreakActionCode.__args__  # type: ignore[attr-defined]


def test_suggestions_of_one_cause_have_ids_of_their_own() -> None:
    bank = Bank()
    scope = bank.scope(decision(bank, (LINE,), ("p1",)))
    best = ev.MatchCandidate((), ("p1",), 4200, (ev.ScorePart("amount", 3000),))
    for item in (LINE, ev.LineRef("S1", 1, "x"), ev.LineRef("S1", 2), "p1"):
        say_suggested(scope, item, [best], "ab" * 32)
    said = [event for _, _, event in bank.out.items]
    assert len({event.event_id for event in said}) == 4
    assert [(event.line_no, event.posting_id) for event in said] == [
        (1, None),
        (1, None),
        (2, None),
        (None, "p1"),
    ]


def test_a_journal_goes_to_the_ledger_by_the_account_with_maker_approver_and_break() -> None:
    bank = Bank()
    for line in (
        "open b1 MISSING_INTERNAL -650 line:S1/2",
        "anna suggest b1 as k1 nostro-650 fees+650",
        "bob approve b1 k1",
    ):
        bank.tell(line)
    topic, key, journal = bank.out.items[-1]
    assert (topic, key) == ("ledger-commands", "acme/nostro")
    assert isinstance(journal, ev.JournalSubmitted)
    assert journal.account_id == "nostro" and journal.actor == actor("anna")
    assert journal.metadata == {"break_id": break_id("b1"), "approved_by": "idp bob"}
    assert journal.causation_id == "e3" and journal.hold_expires_at is None and journal.needs_approval is None


def test_an_approver_of_a_long_name_fits_into_the_labels_of_postings() -> None:
    bank = Bank()
    bank.tell("open b1 MISSING_INTERNAL -650 line:S1/2")
    bank.tell("anna suggest b1 as k1 nostro-650 fees+650")
    bank.tell(f"{'b' * 256} approve b1 k1")
    journal = bank.out.items[-1][2]
    assert all(len(value) <= 256 for value in journal.metadata.values())


def test_a_break_is_shown_with_its_age_its_priority_and_the_correction_that_waits() -> None:
    bank = Bank()
    bank.tell("open b1 FEE 9000 diff:-650 line:S1/2 since:4")
    bank.tell("anna suggest b1 as k1 nostro-650 fees+650")
    key = ("acme", "nostro", break_id("b1"))
    life = bank.life("b1")
    assert life is not None
    row = show_break(key, life, bank.now)
    assert (row["age_days"], row["age"], row["priority"], row["type"]) == (6, "6-30", 2, "AMOUNT")
    waiting = row["correction"]
    assert waiting["maker"] == {"issuer": "idp", "subject": "anna"} and len(waiting["legs"]) == 2
    assert msgspec.json.decode(msgspec.json.encode(row)) == row
    bank.tell("bob approve b1 k1")
    bank.tell("ledger posts b1/1 -650")
    ended = bank.life("b1")
    assert ended is not None
    row = show_break(key, ended, bank.now)
    assert (row["age"], row["priority"], row["correction"], row["resolution"]) == (
        None,
        None,
        None,
        "corrected",
    )
    assert row["journal_id"] == f"correction-{break_id('b1')}-1" == facts.journal_of(break_id("b1"), ended)


def test_only_a_break_whose_correction_is_with_the_ledger_keeps_its_items() -> None:
    bank = Bank()
    reserved = []
    for line in (
        "open b1 MISSING_INTERNAL -650 line:S1/2",
        "anna suggest b1 as k1 nostro-650 fees+650",
        "bob approve b1 k1",
        "ledger refuses b1/1 creditor_closed",
    ):
        bank.tell(line)
        life = bank.life("b1")
        assert life is not None
        reserved.append(facts.is_reserved(life))
    assert reserved == [False, False, True, False]


def test_items_that_a_break_was_held_against_are_bounded() -> None:
    bank = Bank()
    scope = bank.scope(decision(bank, (LINE,), ("p1",)))
    many = facts.Opening(
        kind="AMOUNT",
        amount_minor=5,
        currency="EUR",
        since=0,
        detail="",
        counterpart_postings=[f"p{number}" for number in range(1000)],
    )
    assert len(facts.opened(scope, break_id("b9"), many).counterpart_postings) == 20
