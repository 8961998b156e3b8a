"""The history: the state of every account at any time, by booking time and by value time.

    posting_recorded, hold_recorded -> a line of the account, and a zone where one has become full
                                    -> past_overdrawn, of a back-dated debit (`past`)

    known_at -> booked_by: the number of lines booked by that time
    as_of    -> state_at:  the sum of those lines whose value time is not later: by whole zones where all of
                           their lines count or none does, by single lines elsewhere

`booked_by` is a binary search, because lines are in the order of booking. `state_at` reads at most 31 zones
of each level if value times are roughly in the order of booking, and at most 32 more a level for each zone
whose value times lie on both sides of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pipeline.domain.history.past import warn_of_past
from pipeline.domain.history.rows import (
    KINDS,
    LEVELS,
    ZONE,
    Head,
    Line,
    Zone,
    fold,
    head_key,
    line_key,
    new_head,
    pack_zone,
    read_head,
    zone_key,
)
from pipeline.domain.history.zones import parts, read_line, read_zone
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import Rows


class State(NamedTuple):
    """The state of an account at a time; amounts in minor units."""

    balance_minor: int
    held_minor: int
    lines: int
    """How many lines were booked by then."""


def apply(event: Any, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Add the line of one posting or hold. Raises Reject for another event, or for figures that cannot be."""
    if type(event) not in (ev.PostingRecorded, ev.HoldRecorded):
        raise Reject("unexpected_event", type(event).__name__)
    if isinstance(event, ev.HoldRecorded) and event.change not in KINDS:
        raise Reject("unexpected_change", event.change)
    if event.amount_minor <= 0:
        raise Reject("amount_must_be_positive")
    if event.held_minor_after is not None and event.held_minor_after < 0:
        raise Reject("held_below_zero")
    head = read_head(rows, event.tenant_id, event.account_id)
    if head is None:
        head = new_head(event.account_type, event.currency)
    line = _line(event, at, head)
    rows.put(line_key(event.tenant_id, event.account_id, head.lines), line.pack())
    head.booked_at, head.balance_minor, head.held_minor = line.booked_at, line.balance_minor, line.held_minor
    head.lines += 1
    for level, place, zone in fold(head.open, 0, line.zone, head.lines):
        rows.put(zone_key(event.tenant_id, event.account_id, level, place), pack_zone(zone))
    rows.put(head_key(event.tenant_id, event.account_id), head.pack())
    if isinstance(event, ev.PostingRecorded) and event.lowest_balance_minor is not None:
        warn_of_past(event, line, head, rows, out)


def keys(event: Any) -> Iterable[bytes]:
    """Return the keys of the rows that applying `event` reads."""
    yield head_key(event.tenant_id, event.account_id)


def _line(event: ev.PostingRecorded | ev.HoldRecorded, at: Arrival, head: Head) -> Line:
    """Return the line of an event; a booking is never earlier than the one before it."""
    payment_id: str | None
    reference: str | None
    if isinstance(event, ev.HoldRecorded):
        posted, balance, effective_at = 0, event.balance_minor, None
        kind, record_id, entry_id = event.change, event.event_id, ""
        payment_id, reference = event.hold_id, None
    else:
        posted = event.amount_minor if event.side == "CREDIT" else -event.amount_minor
        balance = event.balance_minor_after
        kind, record_id, entry_id = event.side, event.posting_id, event.entry_id
        payment_id, reference = event.payment_id, event.reference
        if payment_id is None:
            payment_id = event.journal_id
        effective_at = event.effective_at
    held = event.held_minor_after
    if held is None:
        held = head.held_minor  # version 1 of postings does not state it
    booked_at = at.recorded_at if event.booked_at is None else event.booked_at
    return Line(
        kind,
        max(booked_at, head.booked_at),
        event.occurred_at if effective_at is None else effective_at,
        posted,
        held - head.held_minor,
        balance,
        held,
        record_id,
        entry_id,
        event.correlation_id,
        payment_id,
        reference,
    )


# --- questions


def read_lines(
    rows: Rows, tenant_id: str, account_id: str, start: int, stop: int
) -> Iterator[tuple[int, Line]]:
    """Yield the lines from number `start` up to but not including `stop`."""
    for number in range(start, stop):
        yield number, read_line(rows, tenant_id, account_id, number)


def booked_by(rows: Rows, tenant_id: str, account_id: str, lines: int, time: int) -> int:
    """Return how many of the first `lines` lines were booked by a time (that time included)."""
    low, high = 0, lines
    while low < high:
        middle = (low + high) // 2
        if read_line(rows, tenant_id, account_id, middle).booked_at <= time:
            low = middle + 1
        else:
            high = middle
    return low


def state_at(
    rows: Rows, tenant_id: str, account_id: str, lines: int, as_of: int | None = None
) -> State | None:
    """Return the state of an account after its first `lines` lines, None where no line counts.

    With `as_of` (microseconds UTC), only lines with a value time up to and including it count.
    """
    if not lines:
        return None
    last = read_line(rows, tenant_id, account_id, lines - 1)
    if as_of is None:
        return State(last.balance_minor, last.held_minor, lines)
    posted = held = counted = 0
    for size, zone in _within(rows, tenant_id, account_id, lines, as_of):
        posted, held, counted = posted + zone.posted, held + zone.held, counted + size
    return State(posted, held, lines) if counted else None


def earliest(rows: Rows, tenant_id: str, account_id: str, lines: int) -> int:
    """Return the earliest value time of the first `lines` lines (one at least)."""
    return min(read_zone(rows, tenant_id, account_id, *part).earliest for part in parts(0, lines, LEVELS))


def _within(
    rows: Rows, tenant_id: str, account_id: str, lines: int, as_of: int
) -> Iterator[tuple[int, Zone]]:
    """Yield zones (with their numbers of lines) that cover the lines with a value time up to `as_of`."""
    waiting = list(parts(0, lines, LEVELS))
    while waiting:
        level, number = waiting.pop()
        zone = read_zone(rows, tenant_id, account_id, level, number)
        size = ZONE**level
        if zone.latest <= as_of:
            yield size, zone
        elif zone.earliest <= as_of:
            waiting += parts(number * size, (number + 1) * size, level - 1)
