"""What people say about matches: claimed, undone, refused, remembered."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.breaks import facts, states, summary
from pipeline.domain.reconciliation.breaks.rows import Life, unpack_day
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.desk import figures
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.claims import claim, undo
from pipeline.domain.reconciliation.desk.people import decide_by_person
from pipeline.domain.reconciliation.desk.rejections import is_rejected
from pipeline.domain.reconciliation.desk.rows import (
    CLAIMED,
    MISSING,
    OPEN,
    REJECTED_MAX,
    Entry,
    Line,
    Posting,
)
from pipeline.domain.tenants.break_rules import BreakRules
from tests.reconciliation_desk.rows_before import before

DAY = 86_400_000_000
NOW = 50 * DAY
KEEP = 100 * DAY
ANNA = ev.Actor("idp", "anna", "s1")
BREAK = "00000000-0000-5000-8000-000000000001"


class Bank:
    """One account: `L1` is a line, `P1` a posting; all of 5.00."""

    owner = ("t", "a")

    def __init__(self, *names: str) -> None:
        self.rows, self.said, self.number = MemoryRows(), list[Any](), 0
        account = self.account()
        for name in names:
            scope = self.scope(account, ev.MatchRejected("e", "t", NOW, "c", None, "a", (), ()))
            account.write(figures.comes(account, scope, self.item(name)))
        account.close()

    def item(self, name: str) -> Entry:
        if name[0] == "P":
            return Posting("t", "a", name, "EUR", 500, 3, 1, 9 * DAY, (), (f"R{name[1:]}",))
        line = Line("t", "a", "S", int(name[1:]), "EUR", 500, 3, 9 * DAY, "", b"", False)
        return msgspec.structs.replace(line, line_id=name, references=(f"R{name[1:]}",), booked_day=3)

    def account(self) -> AccountDesk:
        return AccountDesk(self.rows, *self.owner, KEEP)

    def scope(self, account: AccountDesk, cause: Any) -> Scope:
        self.out = Outbox()
        return Scope(cause, NOW, self.rows, self.out, BreakRules(), KEEP, account.end)

    def decide(self, kind: str, names: str, **more: Any) -> list[str]:
        """Let anna confirm or reject the items of some names; return what is said."""
        self.number += 1
        words = names.split()
        lines = tuple(ev.LineRef("S", int(one[1:]), one) for one in words if one[0] == "L")
        postings = tuple(one for one in words if one[0] == "P")
        class_ = ev.MatchConfirmed if kind == "confirm" else ev.MatchRejected
        fields: dict[str, Any] = {"lines": lines, "posting_ids": postings, "actor": ANNA, **more}
        tenant, account = self.owner
        about = (f"e{self.number}", tenant, fields.pop("occurred_at", NOW), "c", None, account)
        return self.apply(class_(*about, **fields))

    def apply(self, event: Any) -> list[str]:
        account = self.account()
        scope, before = self.scope(account, event), dict(self.rows.data)
        try:
            bound = partial(claim, account, scope), partial(undo, account, scope)
            decide_by_person(account, scope, event, Arrival(10**6 * DAY, 0, 1), *bound)
        except Reject as reject:
            assert self.rows.data == before
            return [f"dead {reject.code}"]
        account.close()
        return [_shown(event) for _, _, event in self.out.items]

    def entry(self, name: str) -> Entry:
        found = self.account().item((b"o\0" if name[0] == "P" else b"l\0") + name.encode())
        assert found is not None
        return found

    def change(self, name: str, **change: Any) -> None:
        account = self.account()
        account.write(msgspec.structs.replace(self.entry(name), **change))
        account.close()

    def opens(self, name: str, status: str = states.OPEN) -> None:
        """Open a break of an item."""
        account = self.account()
        scope = self.scope(account, ev.MatchRejected("open", "t", NOW, "c", None, "a", (), ()))
        opening = facts.Opening(kind="MISSING_INTERNAL", amount_minor=500, currency="EUR", since=3, detail="")
        life = facts.opened(scope, BREAK, opening)
        scope.write(BREAK, msgspec.structs.replace(life, status=status))
        self.change(name, status=MISSING, break_id=BREAK)

    def life(self) -> Life:
        account = self.account()
        cause = ev.MatchRejected("e", "t", NOW, "c", None, "a", (), ())
        found = self.scope(account, cause).life(BREAK)
        assert found is not None
        return found


def _shown(event: Any) -> str:
    if isinstance(event, ev.ItemMatched):
        lines = [event.line_id or f"{event.statement_id}/{event.line_no}"]
        lines += [str(one.line_id) for one in event.other_lines or ()]
        return " ".join((event.tier, *lines, *event.posting_ids))
    if isinstance(event, ev.PostingsNetted):
        return " ".join((event.tier, *event.posting_ids))
    if isinstance(event, ev.BreakActionRefused):
        return f"refused {event.code}"
    return f"{event.change} {event.status}" if isinstance(event, ev.BreakChanged) else type(event).__name__


CONFIRMED: dict[str, tuple[str, str, dict[str, Any], list[str]]] = {
    "a pair": ("L1 P1", "L1 P1", {}, ["PERSON L1 P1"]),
    "a group": ("L1 L2 P1", "L1 L2 P1", {}, ["PERSON L1 L2 P1"]),
    "postings alone": ("P1 P2", "P1 P2", {}, ["PERSON P1 P2"]),
    "one is not known": ("L1", "L1 P9", {}, ["refused item_not_found"]),
    "nobody is named": ("L1 P1", "L1 P1", {"actor": None}, ["refused actor_required"]),
    "too old": ("L1 P1", "L1 P1", {"occurred_at": -51 * DAY}, ["refused too_old"]),
    "one item": ("L1", "L1", {}, ["dead invalid_match"]),
    "twice the same": ("L1", "L1 L1", {}, ["dead invalid_match"]),
    "a line without its id": ("L1 P1", "P1", {"lines": (ev.LineRef("S", 1),)}, ["refused item_not_found"]),
}


@pytest.mark.parametrize(("items", "named", "more", "said"), CONFIRMED.values(), ids=CONFIRMED.keys())
def test_confirmed(items: str, named: str, more: dict[str, Any], said: list[str]) -> None:
    assert Bank(*items.split()).decide("confirm", named, **more) == said


def test_what_is_matched_is_matched_once() -> None:
    bank = Bank("L1", "P1", "P2")
    bank.decide("confirm", "L1 P1")
    assert bank.decide("confirm", "L1 P2") == bank.decide("confirm", "L1 P1") == ["refused already_matched"]
    assert bank.entry("P2").status == OPEN


def test_a_match_that_is_over_is_not_found() -> None:
    bank = Bank("L1", "P1")
    bank.decide("confirm", "L1 P1")
    bank.change("L1", ended_at=NOW - KEEP - 1)
    assert bank.decide("confirm", "L1 P1") == ["refused item_not_found"]
    assert bank.decide("reject", "L1 P1") == ["refused match_not_found"]


def test_what_moves_no_money_is_no_part_of_a_match() -> None:
    bank = Bank("L1", "P1")
    bank.change("L1", status="INFORMATION")
    assert bank.decide("confirm", "L1 P1") == ["refused item_not_found"]


def test_what_waits_for_its_correction_is_left_alone() -> None:
    bank = Bank("L1", "P1")
    bank.opens("L1", states.APPROVED)
    assert bank.decide("confirm", "L1 P1") == ["refused correction_pending"]
    assert bank.decide("reject", "L1 P1") == ["refused correction_pending"]


def test_a_confirmed_match_resolves_breaks_and_its_rejection_reopens_them() -> None:
    bank = Bank("L1", "P1")
    bank.opens("L1")
    assert bank.decide("confirm", "L1 P1") == ["MATCHED RESOLVED", "BreakResolved", "PERSON L1 P1"]
    assert bank.decide("reject", "L1 P1") == ["UNMATCHED REOPENED"]
    line, posting = bank.entry("L1"), bank.entry("P1")
    assert (line.status, line.break_id, bank.life().status) == (MISSING, BREAK, states.REOPENED)
    assert (posting.status, posting.break_id, posting.due_at) == (OPEN, "", NOW + DAY)
    for one in (line, posting):
        assert (one.leader, one.partners, one.tier, one.ended_at) == (b"", (), "", None)
        assert is_rejected(one, [line.key, posting.key])


def test_a_match_is_undone_as_a_whole_whichever_of_its_items_are_named() -> None:
    bank = Bank("L1", "L2", "P1", "P2")
    bank.decide("confirm", "L1 L2 P1")
    assert bank.decide("reject", "L2 P1") == []
    everything = [bank.entry(name) for name in ("L1", "L2", "P1")]
    keys = [one.key for one in everything]
    assert all(one.status == OPEN and is_rejected(one, keys) for one in everything)
    assert is_rejected(everything[1], keys[1:])
    assert bank.decide("confirm", "L1 P2") == ["PERSON L1 P2"], "they are open again"


def test_a_pair_that_is_not_matched_is_remembered_and_its_items_stay_as_they_are() -> None:
    bank = Bank("L1", "P1", "P2")
    bank.decide("confirm", "L1 P2")
    assert bank.decide("reject", "L1 P1") == []
    line, posting = bank.entry("L1"), bank.entry("P1")
    assert (line.status, posting.status, posting.due_at) == (CLAIMED, OPEN, 9 * DAY)
    assert is_rejected(line, [posting.key, line.key]) and is_rejected(posting, [line.key, posting.key])
    assert not is_rejected(line, [line.key, bank.entry("P2").key])


def test_a_rejection_twice_is_one() -> None:
    bank = Bank("L1", "P1")
    for _ in range(2):
        assert bank.decide("reject", "L1 P1") == []
    assert len(bank.entry("L1").rejected) == 1


def test_rejections_are_bounded_and_the_last_ones_count() -> None:
    names = [f"P{number}" for number in range(1, REJECTED_MAX + 3)]
    bank = Bank("L1", *names)
    for name in names:
        bank.decide("reject", f"L1 {name}")
    line = bank.entry("L1")
    known = [name for name in names if is_rejected(line, [line.key, b"o\0" + name.encode()])]
    assert known == names[2:]
    assert is_rejected(bank.entry("P1"), [line.key, b"o\0P1"]), "the other side still knows it"


def test_what_a_correction_explains_is_not_undone_by_a_word() -> None:
    bank = Bank("L1", "P1")
    bank.decide("confirm", "L1 P1")
    for name in ("L1", "P1"):
        bank.change(name, tier="CORRECTION")
    assert bank.decide("reject", "L1 P1") == ["refused match_not_found"]
    assert bank.entry("L1").status == CLAIMED


def test_items_count_under_their_standing() -> None:
    bank = Bank("L1", "P1")
    for kind, standing in (("confirm", "PERSON"), ("reject", "WAITING"), ("confirm", "PERSON")):
        bank.decide(kind, "L1 P1")
        (day,) = (value for key, value in bank.rows.data.items() if key[:1] == b"y")
        shown = summary.figures(unpack_day(day))
        assert (shown["match_rate_ppm"] == summary.MILLION) == (standing == "PERSON")
        assert {bank.entry(name).standing for name in ("L1", "P1")} == {standing}


def test_actions_on_breaks_and_answers_of_the_ledger_are_passed_on() -> None:
    bank = Bank("L1")
    bank.opens("L1")
    about = ("e", "t", NOW, "c", None, "a")
    assigned = ev.BreakAssigned(*about, break_id=BREAK, assignee="bob", actor=ANNA)
    assert bank.apply(assigned) == ["ASSIGNED ASSIGNED"]
    answer = ev.JournalAnswered(*about, f"correction-{BREAK}-1", "REFUSED", "insufficient_funds")
    assert bank.apply(answer) == [], "nothing was asked for"


def test_an_item_of_an_earlier_row_is_found_by_its_statement_and_number() -> None:
    bank = Bank()
    bank.owner, bank.rows = ("acme", "nostro"), before("1 posting P1 5 A1\n1 line S1/2 5 B2")
    assert bank.decide("confirm", "P1", lines=(ev.LineRef("S1", 2),)) == ["PERSON S1/2 P1"]
    assert not [key for key in bank.rows.data if key[:1] in b"reau"]
