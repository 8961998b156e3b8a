"""Postings of corrections: with their break, whatever comes in which order; and what is over goes."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.corrections import correction_name
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.reconciliation.breaks import states
from pipeline.domain.reconciliation.breaks.rows import LIFE_ROW, life_key
from pipeline.domain.reconciliation.desk.rows import CLAIMED, MISSING, OPEN
from tests.reconciliation_desk.branch import ANNA, BOB, Branch, entries, pending, with_
from tests.reconciliation_desk.test_router import accepted, item, tell
from tests.reconciliation_desk.test_stream import event_of, matches

LATE = "11 posting P1 -350 FEE10001"
"""A posting that is the line's, and comes after all."""


def test_a_posting_that_comes_late_resolves_the_break_where_no_correction_is_under_way() -> None:
    branch = Branch()
    missing_fee(branch)
    assert matches(tell(branch, LATE)) == ["S1/1 P1 REFERENCE"]


def missing_fee(branch: Branch) -> str:
    """Let a fee be missing in the books; return its break."""
    tell(branch, "10 line S1/1 -350 FEE10001", "50 tick", "60 tick")
    break_id: str = item(branch, "S1/1").break_id
    assert branch.lives()[0].status == states.OPEN
    return break_id


def ask(branch: Branch, break_id: str, day: float, amount: int, reverses: str | None = None) -> list[Any]:
    """Let anna suggest a correction and bob approve it; return the commands to the ledger."""
    legs = (
        ev.JournalLeg(1, 1, "nostro", "CREDIT" if amount > 0 else "DEBIT", abs(amount), "EUR"),
        ev.JournalLeg(2, 1, "fees", "DEBIT" if amount > 0 else "CREDIT", abs(amount), "EUR"),
    )
    asked = ev.CorrectionSuggested(
        **branch.common(day),
        break_id=break_id,
        legs=legs if reverses is None else (),
        reference="fee",
        reason="the bank takes it",
        reverses=reverses,
        actor=ANNA,
    )
    approved = ev.CorrectionApproved(
        **branch.common(day), break_id=break_id, correction_id=asked.event_id, actor=BOB
    )
    said = branch.apply(asked) + branch.apply(approved)
    return [one for one in said if isinstance(one, ev.JournalSubmitted | ev.JournalReversed)]


def posts(branch: Branch, day: int, name: str, amount: int, **more: Any) -> list[Any]:
    """Let a posting of a journal come."""
    branch.number += 1
    return branch.apply(with_(event_of(f"{day} posting {name} {amount}", branch.number), **more))


def test_a_correction_that_is_posted_and_its_item_are_one_match() -> None:
    branch = Branch()
    break_id = missing_fee(branch)
    (command,) = ask(branch, break_id, 61, -350)
    said = posts(branch, 61, "C1", -350, journal_id=command.journal_id)
    assert matches(said) == ["S1/1 C1 CORRECTION"]
    assert [one.resolution for one in said if isinstance(one, ev.BreakResolved)] == ["corrected"]
    assert branch.figures(10)["match_rate_ppm"] == branch.figures(61)["match_rate_ppm"] == 1_000_000
    assert sum(branch.account().desk.lags) == 0, "it says nothing of how long the bank takes"


def test_while_the_ledger_is_asked_nothing_else_takes_the_item() -> None:
    branch = Branch()
    break_id = missing_fee(branch)
    (command,) = ask(branch, break_id, 61, -350)
    assert matches(tell(branch, LATE)) == []
    said = posts(branch, 62, "C1", -350, journal_id=command.journal_id)
    assert matches(said) == ["S1/1 C1 CORRECTION"]
    assert item(branch, "P1").status == OPEN


def test_a_leg_that_comes_in_parts_waits_until_all_of_it_has_come() -> None:
    branch = Branch()
    break_id = missing_fee(branch)
    (command,) = ask(branch, break_id, 61, -350)
    assert posts(branch, 61, "C1", -200, journal_id=command.journal_id) == []
    part = item(branch, "C1")
    assert (part.status, part.break_id, part.standing) == (MISSING, break_id, "UNEXPLAINED")
    said = posts(branch, 61, "C2", -150, journal_id=command.journal_id)
    assert matches(said) == ["S1/1 C1 C2 CORRECTION"]


def test_a_correction_that_is_taken_back_opens_all_again_and_its_postings_cancel_each_other() -> None:
    branch = Branch()
    break_id = missing_fee(branch)
    (command,) = ask(branch, break_id, 61, -350)
    posts(branch, 61, "C1", -350, journal_id=command.journal_id)
    (back,) = ask(branch, break_id, 62, -350, reverses=command.journal_id)
    assert isinstance(back, ev.JournalReversed)
    said = posts(branch, 62, "C2", 350, journal_id=back.reversal_id, reverses=command.journal_id)
    (netted,) = [one for one in said if isinstance(one, ev.PostingsNetted)]
    assert (set(netted.posting_ids), netted.tier) == ({"C1", "C2"}, "CORRECTION")
    line = item(branch, "S1/1")
    assert (line.status, line.break_id, line.standing) == (MISSING, break_id, "UNEXPLAINED")
    assert branch.lives()[0].status == states.REOPENED
    (again,) = ask(branch, break_id, 63, -350)
    assert again.journal_id == correction_name(break_id, 3)
    assert matches(posts(branch, 63, "C3", -350, journal_id=again.journal_id)) == ["S1/1 C3 CORRECTION"]


def test_a_correction_that_is_taken_back_in_part_keeps_its_postings_with_the_break() -> None:
    branch = Branch()
    break_id = missing_fee(branch)
    (command,) = ask(branch, break_id, 61, -350)
    posts(branch, 61, "C1", -350, journal_id=command.journal_id)
    said = posts(branch, 62, "C2", 100, reverses=command.journal_id)
    assert not [one for one in said if isinstance(one, ev.PostingsNetted)]
    assert {item(branch, name).break_id for name in ("S1/1", "C1", "C2")} == {break_id}
    assert matches(tell(branch, LATE)) == [], "it is explained in part"
    (rest,) = ask(branch, break_id, 64, -100)
    said = posts(branch, 64, "C3", -100, journal_id=rest.journal_id)
    assert matches(said) == ["S1/1 C1 C2 C3 CORRECTION"]


def test_the_difference_of_a_pair_is_corrected_with_both() -> None:
    branch = Branch()
    tell(
        branch,
        "10 posting P1 -12345 INV10017",
        "10 line S1/1 -5011 INV10017",
        "60 tick",
        "70 tick",
        "110 tick",
    )
    line = item(branch, "S1/1")
    (life,) = [one for one in branch.lives() if one.is_line]
    assert (life.kind, life.difference_minor) == ("PARTIAL", 7_334)
    (command,) = ask(branch, line.break_id, 111, 7_334)
    said = posts(branch, 111, "C1", 7_334, journal_id=command.journal_id)
    (match,) = [one for one in said if isinstance(one, ev.ItemMatched)]
    assert (set(match.posting_ids), match.difference_minor) == ({"P1", "C1"}, None)
    assert all(one.status == states.RESOLVED for one in branch.lives())
    assert {one.status for one in entries(branch.rows)} == {CLAIMED}


def test_a_write_off_counts_as_one() -> None:
    branch = Branch()
    break_id = missing_fee(branch)
    asked = ev.BreakWrittenOff(**branch.common(61), break_id=break_id, reason="small", actor=ANNA)
    branch.apply(asked)
    said = branch.apply(
        ev.CorrectionApproved(**branch.common(61), break_id=break_id, correction_id=asked.event_id, actor=BOB)
    )
    (command,) = [one for one in said if isinstance(one, ev.JournalSubmitted)]
    posts(branch, 61, "C1", -350, journal_id=command.journal_id)
    assert {one.standing for one in entries(branch.rows)} == {"WRITTEN_OFF"}
    assert branch.figures(10)["clearing_ppm"] == 1_000_000


def test_a_posting_that_only_uses_the_name_of_a_correction_is_one_as_any_other() -> None:
    branch = Branch()
    break_id = missing_fee(branch)
    said = posts(branch, 61, "P1", -350, journal_id=correction_name(break_id, 1))
    assert matches(said) in ([], ["S1/1 P1 SCORED"])
    assert item(branch, "P1").break_id == ""


# --- what is over


def pairs(day: int) -> list[str]:
    """Return twenty pairs of a day, by reference."""
    return [
        text
        for number in range(20)
        for text in (
            f"{day} posting P{day}-{number} -{100 + number} A{day}{1000 + number}",
            f"{day} line S{day}/{number} -{100 + number} A{day}{1000 + number}",
        )
    ]


def test_what_is_over_is_deleted() -> None:
    branch = Branch(Windows(1, 3))
    for day in range(10, 60, 10):
        tell(branch, *pairs(day))
    days = {one.day for one in entries(branch.rows)}
    assert 50 in days and days.isdisjoint({10, 20})
    assert pending(branch.rows, "y") <= 3 and pending(branch.rows, "j") <= 60
    assert pending(branch.rows, "n") <= 60


def test_an_accepted_break_goes_with_its_item() -> None:
    branch = Branch(Windows(1, 3))
    tell(branch, "10 line S1/1 -350 FEE10001", "50 tick", "60 tick")
    break_id = item(branch, "S1/1").break_id
    (life,) = branch.lives()
    # Nothing is at stake that could be posted: so it can be accepted as it is.
    key = life_key("acme", "nostro", break_id)
    branch.rows.put(key, LIFE_ROW.pack(with_(life, difference_minor=0, amount_minor=0)))
    accepted(branch, break_id, 61)
    assert item(branch, "S1/1").standing == "WRITTEN_OFF"
    for day in range(70, 200, 10):
        tell(branch, *pairs(day))
    assert not [one for one in entries(branch.rows) if one.day == 10]
    assert branch.lives() == []
