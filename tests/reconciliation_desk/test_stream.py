"""The desk's stream: the public cases of reconciliation, replays, runs that are cut, claims."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.desk.stream import apply, apply_to, open_account
from pipeline.domain.reconciliation.desk.time import BranchClock

DAY = 86_400_000_000
LATER = 10**6 * DAY


def event_of(text: str, number: int) -> Any:
    """Return an event, at noon of a day (days since 1970):

    5 posting P1 -100 [INV 1]          a posting with a reference
    5 line S1/2 -100 [INV 1] [day:3]   a line, booked then; its value date, if another; _ is a blank
    5 close S1 0 100 2                 opening and closing balance, number of lines
    5 tick                             time passes
    """
    day, kind, *words = text.split()
    at = int(day) * DAY + DAY // 2
    common: dict[str, Any] = {
        "event_id": f"event-{number}",
        "tenant_id": "acme",
        "occurred_at": at,
        "correlation_id": "c",
        "causation_id": None,
        "account_id": "nostro",
    }
    if kind == "tick":
        return ev.StatementClosed(
            **common, statement_id=f"tick-{day}", currency="XXX", opening_balance_minor=0,
            closing_balance_minor=0, line_count=0, closed_at=at,
        )  # fmt: skip
    if kind == "close":
        opening, closing, count = map(int, words[1:])
        return ev.StatementClosed(
            **common, statement_id=words[0], currency="EUR", opening_balance_minor=opening,
            closing_balance_minor=closing, line_count=count, closed_at=at,
        )  # fmt: skip
    texts = [one.replace("_", " ") for one in words[2:] if not one.startswith("day:")]
    reference = texts[0] if texts else None
    amount = int(words[1])
    if kind == "posting":
        return ev.PostingRecorded(
            **common, posting_id=words[0], entry_id=f"entry-{words[0]}", payment_id=None,
            account_type="NOSTRO", side="CREDIT" if amount > 0 else "DEBIT", amount_minor=abs(amount),
            currency="EUR", account_sequence=number, balance_minor_after=0, branch=1, reference=reference,
        )  # fmt: skip
    statement, _, line_no = words[0].partition("/")
    value = next((int(one[4:]) for one in words[2:] if one.startswith("day:")), int(day))
    return ev.StatementLine(
        **common, statement_id=statement, line_no=int(line_no), external_reference=reference,
        amount_minor=amount, currency="EUR", booked_at=at, value_date=value, description="",
    )  # fmt: skip


def run(texts: list[str]) -> tuple[list[Any], MemoryRows]:
    """Apply events one by one; return all that is said, and the rows."""
    rows, out = MemoryRows(), Outbox()
    for number, text in enumerate(texts):
        apply(event_of(text, number), Arrival(LATER, 0, 4), rows, out)
    return [event for _, _, event in out.items], rows


def run_at_once(texts: list[str], cuts: tuple[int, ...] = ()) -> tuple[list[Any], MemoryRows]:
    """Apply events with one account's rows for each run; `cuts`: before which events a run ends."""
    rows, out = MemoryRows(), Outbox()
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(texts)}), len(texts)]
    for start, end in pairwise(places):
        account = open_account(rows, "acme", "nostro", events=end - start)
        clock = BranchClock(rows)
        for number in range(start, end):
            event = event_of(texts[number], number)
            apply_to(account, clock, event, Arrival(LATER, 0, 4), out)
            clock.wake(event, out)
        account.close()
        clock.close()
    return [event for _, _, event in out.items], rows


def matches(events: list[Any]) -> list[str]:
    return sorted(
        f"{one.statement_id}/{one.line_no} {' '.join(one.posting_ids)} {one.tier}"
        for one in events
        if isinstance(one, ev.ItemMatched)
    )


def breaks(events: list[Any]) -> list[str]:
    return [
        f"{one.kind} {one.posting_id or one.statement_id}"
        for one in events
        if isinstance(one, ev.BreakOpened)
    ]


CASES: dict[str, tuple[list[str], set[str], set[str]]] = {
    "two weeks of equal amounts": (
        ["10 posting P1 -500", "12 line S1/1 -500", "13 posting P2 -500", "16 line S1/2 -500", "90 tick"],
        {"S1/1 P1", "S1/2 P2"},
        set(),
    ),
    "a statement id comes again a year later": (
        [
            *("1 posting P1 -100 A1", "1 line 001/1 -100 A1", "1 close 001 1000 900 1"),
            *("366 posting P2 -250 B2", "366 line 001/1 -250 B2"),
        ],
        {"001/1 P1", "001/1 P2"},
        set(),
    ),
    "a placeholder is no reference": (
        [
            *("1 posting P1 -7000 NOTPROVIDED", "1 line S1/1 -12500 NOTPROVIDED"),
            *("1 posting P3 -12500", "2 line S1/2 -7000", "90 tick"),
        ],
        {"S1/1 P3", "S1/2 P1"},
        set(),
    ),
    "a fee that has its payment's reference": (
        ["1 posting P1 -10000 R1", "1 line S1/1 -350 R1", "2 line S1/2 -10000", "90 tick", "190 tick"],
        {"S1/2 P1"},
        {"FEE S1"},
    ),
    "a value date before the posting": (
        ["5 posting P1 -12345 R1", "5 line S1/1 -12345 R1 day:1", "90 tick"],
        {"S1/1 P1"},
        set(),
    ),
    "a creditor reference with and without blanks": (
        ["1 posting P1 9999 RF18_5390_0754_7034", "6 line S1/1 9999 RF18539007547034"],
        {"S1/1 P1"},
        set(),
    ),
    "statements in the order of their balances": (
        [
            *("1 line S9/1 100", "1 line S10/1 50", "1 close S9 0 100 1", "1 close S10 100 150 1"),
            *("2 line S11/1 1", "2 close S11 150 151 1"),
        ],
        set(),
        set(),
    ),
    "a line of no amount": (["1 line S1/1 0", "90 tick", "190 tick"], set(), set()),
}


@pytest.mark.parametrize(("texts", "matched", "opened"), CASES.values(), ids=CASES.keys())
def test_public_case(texts: list[str], matched: set[str], opened: set[str]) -> None:
    events, rows = run(texts)
    assert {one.rpartition(" ")[0] for one in matches(events)} == matched
    assert {*breaks(events)} == opened
    again, rows_again = run(texts)
    assert (again, rows_again.data) == (events, rows.data)


@pytest.mark.parametrize("texts", [case[0] for case in CASES.values()], ids=CASES.keys())
def test_a_run_says_and_stores_what_single_events_do(texts: list[str]) -> None:
    events, rows = run(texts)
    at_once, stored = run_at_once(texts)
    assert at_once == events and stored.data == rows.data


def test_a_clean_reference_is_claimed_on_arrival_without_a_score() -> None:
    events, _ = run(["1 posting P1 -100 A1", "3 line S1/1 -100 A1"])
    (match,) = [one for one in events if isinstance(one, ev.ItemMatched)]
    assert (match.tier, match.score, match.parts, match.weights_sha256) == ("REFERENCE", None, None, None)


def test_the_parts_of_a_scored_match_add_up() -> None:
    events, _ = run(CASES["two weeks of equal amounts"][0])
    scored = [one for one in events if isinstance(one, ev.ItemMatched)]
    assert scored and all(one.tier == "SCORED" for one in scored)
    assert all(sum(part.score for part in one.parts) == one.score for one in scored)


def test_a_break_is_opened_once_and_resolved_by_a_later_match() -> None:
    texts = ["1 posting P1 -12345 A1", "60 tick", "70 tick"]
    events, _ = run(texts)
    assert breaks(events) == ["MISSING_EXTERNAL P1"]
    events, _ = run([*texts, "71 line S1/1 -12345 A1"])
    resolved = [one for one in events if isinstance(one, ev.BreakResolved)]
    opened = [one for one in events if isinstance(one, ev.BreakOpened)]
    assert matches(events) == ["S1/1 P1 REFERENCE"]
    assert [one.break_id for one in resolved] == [one.break_id for one in opened]


def test_equal_twins_are_suggested_once_and_claimed_by_nobody() -> None:
    twins = ["1 posting P1 -5000", "1 posting P2 -5000", "1 line S1/1 -5000", "1 line S1/2 -5000"]
    events, _ = run([*twins, "40 tick", "80 tick", "120 tick"])
    suggested = [one for one in events if isinstance(one, ev.MatchSuggested)]
    assert matches(events) == []
    names = [one.posting_id or one.line_no for one in suggested]
    assert names and len(names) == len({*names})
    assert all(len(one.candidates) <= 3 for one in suggested)


ENTRIES = st.tuples(
    st.integers(1, 20),
    st.booleans(),
    st.sampled_from((100, -100, 250)),
    st.sampled_from(("", "A1", "B2", "C3")),
)


@given(st.lists(ENTRIES, max_size=14), st.lists(st.integers(1, 15), max_size=3))
def test_an_item_is_claimed_once_wherever_a_run_is_cut(entries: Any, cuts: list[int]) -> None:
    texts = [
        f"{day} line S1/{number} {amount} {reference}"
        if is_line
        else f"{day} posting P{number} {amount} {reference}"
        for number, (day, is_line, amount, reference) in enumerate(entries)
    ] + ["60 tick", "120 tick"]
    events, rows = run(texts)
    cut_events, stored = run_at_once(texts, tuple(cuts))
    assert cut_events == events and stored.data == rows.data
    claimed: list[Any] = []
    for one in events:
        if isinstance(one, ev.ItemMatched):
            claimed += [*one.posting_ids, one.line_id, *(line.line_id for line in one.other_lines or ())]
        elif isinstance(one, ev.PostingsNetted):
            claimed += one.posting_ids
    assert len(claimed) == len({*claimed})
