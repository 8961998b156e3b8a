"""Reconciliation for random logs: one claim an item, the same end in any order, the same bytes again."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.item_rows import Break
from pipeline.domain.reconciliation.rows import (
    CLAIMED,
    BankLine,
    Posting,
    Statement,
    index_keys,
    key_of,
    read,
)
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.stream import apply

DAY = 86_400_000_000
_REFERENCES = st.sampled_from([None, None, "R1", "R2", "PAY1", "PAY2", ""])
_AMOUNTS = st.sampled_from([-100, -100, -101, 100, 0, 7])
_DAYS = st.integers(0, 12)


def _envelope(number: int, day: int) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "tenant_id": "acme",
        "occurred_at": day * DAY + number,
        "correlation_id": "c",
        "causation_id": None,
        "account_id": "nostro",
        "currency": "EUR",
    }


def _posting(
    number: int, day: int, name: str, amount: int, payment_id: str | None, reference: str | None
) -> ev.PostingRecorded:
    return ev.PostingRecorded(
        **_envelope(number, day),
        posting_id=name,
        entry_id=f"entry-{name}",
        payment_id=payment_id,
        account_type="nostro",
        side="CREDIT" if amount >= 0 else "DEBIT",
        amount_minor=abs(amount),
        account_sequence=number,
        balance_minor_after=0,
        branch=0,
        reference=reference,
        booked_at=None,
        held_minor_after=None,
    )


def _line(
    number: int, day: int, statement_id: str, line_no: int, amount: int, reference: str | None
) -> ev.StatementLine:
    return ev.StatementLine(
        **_envelope(number, day),
        statement_id=statement_id,
        line_no=line_no,
        external_reference=reference,
        amount_minor=amount,
        booked_at=day * DAY + number,
        value_date=day,
        description="",
    )


@st.composite
def logs(draw: st.DrawFn) -> list[Any]:
    """Return a log of few amounts, references and numbers, so that items collide in every way."""
    log: list[Any] = []
    for number in range(draw(st.integers(1, 25))):
        day = draw(_DAYS)
        kind = draw(st.sampled_from(["posting", "posting", "line", "line", "line", "close"]))
        if kind == "posting":
            name, payment_id = f"P{draw(st.integers(0, 15))}", draw(st.sampled_from([None, "PAY1", "PAY2"]))
            log.append(_posting(number, day, name, draw(_AMOUNTS), payment_id, draw(_REFERENCES)))
        elif kind == "line":
            place = draw(st.sampled_from(["S1", "S2"])), draw(st.integers(-1, 8))
            log.append(_line(number, day, *place, draw(_AMOUNTS), draw(_REFERENCES)))
        else:
            log.append(
                ev.StatementClosed(
                    **_envelope(number, day),
                    statement_id=draw(st.sampled_from(["S1", "S2", "S3"])),
                    opening_balance_minor=draw(st.sampled_from([0, 100])),
                    closing_balance_minor=draw(st.sampled_from([0, 100])),
                    line_count=draw(st.integers(-1, 4)),
                    closed_at=day * DAY,
                )
            )
    return log


rules_of_any_kind = st.builds(
    ReconciliationSettings,
    date_window_days=st.integers(0, 4),
    amount_tolerance_minor=st.sampled_from([0, 0, 1, 150]),
    grace_days=st.integers(0, 4),
)


def _play(log: list[Any], rows: MemoryRows, rules: ReconciliationSettings) -> list[Any]:
    out = Outbox()
    for event in log:
        before, emitted = dict(rows.data), len(out.items)
        try:
            apply(event, Arrival(100 * DAY, 0, 4), rows, out, rules)
        except Reject:
            assert rows.data == before and len(out.items) == emitted
    return [result for _, _, result in out.items]


def _items(rows: MemoryRows) -> list[Posting | BankLine]:
    postings = [read(rows, key, Posting) for key, _ in rows.scan(b"o\0")]
    lines = [read(rows, key, BankLine) for key, _ in rows.scan(b"l\0")]
    return [item for item in [*postings, *lines] if item is not None]


@settings(deadline=None)
@given(logs(), rules_of_any_kind)
def test_an_item_is_never_claimed_twice(log: list[Any], rules: ReconciliationSettings) -> None:
    rows = MemoryRows()
    results = _play(log, rows, rules)
    matches = [result for result in results if isinstance(result, ev.ItemMatched)]
    lines = Counter((match.statement_id, match.line_no) for match in matches)
    postings = Counter(posting_id for match in matches for posting_id in match.posting_ids)
    assert set(lines.values()) <= {1} and set(postings.values()) <= {1}
    claimed = [item for item in _items(rows) if item.status == CLAIMED]
    assert {item.posting_id for item in claimed if isinstance(item, Posting)} == set(postings)
    assert {(i.statement_id, i.line_no) for i in claimed if isinstance(i, BankLine)} == set(lines)
    assert {item.posting_id for item in claimed if isinstance(item, BankLine)} == set(postings)


@settings(deadline=None)
@given(logs(), rules_of_any_kind)
def test_a_match_agrees_in_sign_and_amount(log: list[Any], rules: ReconciliationSettings) -> None:
    rows = MemoryRows()
    _play(log, rows, rules)
    postings = {item.posting_id: item for item in _items(rows) if isinstance(item, Posting)}
    for line in _items(rows):
        if isinstance(line, BankLine) and line.posting_id:
            posting = postings[line.posting_id]
            assert abs(line.amount_minor - posting.amount_minor) <= rules.amount_tolerance_minor
            assert (line.amount_minor < 0) == (posting.amount_minor < 0)
            named = line.reference in posting.references
            assert named or abs(line.day - posting.day) <= rules.date_window_days


@settings(deadline=None)
@given(logs(), rules_of_any_kind)
def test_a_replay_gives_the_same_bytes(log: list[Any], rules: ReconciliationSettings) -> None:
    first, second = MemoryRows(), MemoryRows()
    assert _play(log, first, rules) == _play(log, second, rules)
    assert list(first.data.items()) == list(second.data.items())


@settings(deadline=None)
@given(logs(), rules_of_any_kind, st.data())
def test_redelivery_changes_nothing(
    log: list[Any], rules: ReconciliationSettings, data: st.DataObject
) -> None:
    rows = MemoryRows()
    _play(log, rows, rules)
    # What was refused for the state it met may be accepted later: only applied events are repeated.
    applied, probe = [], MemoryRows()
    for event in log:
        try:
            apply(event, Arrival(100 * DAY, 0, 4), probe, Outbox(), rules)
        except Reject:
            continue
        applied.append(event)
    before = dict(rows.data)
    again = data.draw(st.lists(st.sampled_from(applied), max_size=10)) if applied else []
    assert _play(again, rows, rules) == []
    assert rows.data == before


@settings(deadline=None)
@given(logs(), rules_of_any_kind)
def test_breaks_open_and_close_in_turn_and_the_rows_know_it(
    log: list[Any], rules: ReconciliationSettings
) -> None:
    rows = MemoryRows()
    open_ids: set[str] = set()
    seen: set[str] = set()
    for result in _play(log, rows, rules):
        if isinstance(result, ev.BreakOpened):
            assert result.break_id not in seen
            seen.add(result.break_id)
            open_ids.add(result.break_id)
        elif isinstance(result, ev.BreakResolved):
            open_ids.remove(result.break_id)
    stored = {key.decode().split("\0")[-1]: read(rows, key, Break) for key, _ in rows.scan(b"b\0")}
    assert {i for i, row in stored.items() if row is not None and row.resolution is None} == open_ids
    assert set(stored) == seen
    of_items = {item.break_id for item in _items(rows) if item.break_id}
    assert of_items <= open_ids
    for key, _ in rows.scan(b"s\0"):
        statement = read(rows, key, Statement)
        assert statement is not None
        assert {i for i in (statement.gap_break_id, statement.balance_break_id) if i} <= open_ids


@settings(deadline=None)
@given(logs(), rules_of_any_kind)
def test_the_indexes_hold_exactly_the_open_items(log: list[Any], rules: ReconciliationSettings) -> None:
    rows = MemoryRows()
    _play(log, rows, rules)
    expected = {entry: key_of(item) for item in _items(rows) for entry in index_keys(item)}
    assert {key: value for key, value in rows.data.items() if key[:1] in b"reaud"} == expected


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    """Return items with unique references in two orders; amounts and days collide, none is past its grace."""
    log: list[Any] = []
    for number in range(draw(st.integers(1, 8))):
        side = draw(st.sampled_from(["both", "both", "both", "posting", "line"]))
        amount, day = draw(_AMOUNTS), draw(st.integers(0, 1))
        if side != "line":
            by_id = draw(st.booleans())
            names = (f"REF{number}", None) if by_id else (None, f"REF{number}")
            log.append(_posting(number, day, f"P{number}", amount, *names))
        if side != "posting":
            amount = draw(st.sampled_from([amount, amount, amount, amount + 1]))
            log.append(_line(number, draw(st.integers(0, 1)), "S1", number, amount, f"REF{number}"))
    return log, draw(st.permutations(log))


@settings(deadline=None)
@given(_pairs())
def test_any_order_of_arrival_ends_with_the_same_matches_and_breaks(
    logs: tuple[list[Any], list[Any]],
) -> None:
    def end(log: list[Any]) -> tuple[set[Any], set[Any]]:
        results = _play([*log, *_time_passes()], MemoryRows(), ReconciliationSettings())
        matches = {(r.line_no, r.posting_ids, r.tier) for r in results if isinstance(r, ev.ItemMatched)}
        opened = {
            r.break_id: (r.type, r.line_no, r.posting_id) for r in results if isinstance(r, ev.BreakOpened)
        }
        for result in results:
            if isinstance(result, ev.BreakResolved):
                del opened[result.break_id]
        return matches, set(opened.values())

    in_order, permuted = logs
    assert end(in_order) == end(permuted)


def _time_passes() -> list[Any]:
    return [_posting(1000, 60, "P-last", 999, None, None)]
