"""The lowest balance of an account since a past time, for debits that are booked as of that time.

    back-dated debit -> the bookings with a later value time -> the balance by value time at each of them
                     -> below the lowest balance allowed, or too many to look at: past_overdrawn

The work is bounded: the last CHECKED_MAX bookings are looked at, those of which whole zones are early enough
by their zones. If an earlier one has a later value time, too, nothing is said of the balance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.domain.history.rows import LEVELS, ZONE, Head, Line
from pipeline.domain.history.zones import parts, read_line, read_zone
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Outbox, derived_id
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import Rows

TOPIC = "history-alerts"
CHECKED_MAX = 1000
"""Bookings of the account, the debit's own included, that one debit looks at."""
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1


class Low(NamedTuple):
    """When a balance is lowest, microseconds UTC, and how low, minor units."""

    at: int
    balance_minor: int


def warn_of_past(event: ev.PostingRecorded, line: Line, head: Head, rows: Rows, out: Outbox) -> None:
    """Emit past_overdrawn for a back-dated debit that has just been added, if there is reason to.

    `head`: of its account, the debit included.
    """
    lowest = event.lowest_balance_minor
    assert lowest is not None, "the ledger says it of back-dated debits"
    low = lowest_since(rows, event.tenant_id, event.account_id, head, line.effective_at)
    if low is not None and low.balance_minor >= lowest:
        return
    found: tuple[int | None, ...] = (None, None, None)
    if low is not None:
        found = (low.at, max(low.balance_minor, _LONG_MIN), min(lowest - low.balance_minor, _LONG_MAX))
    out.emit(
        TOPIC,
        f"{event.tenant_id}/{event.account_id}",
        ev.PastOverdrawn(
            derived_id(cause_name(event), f"past_overdrawn:{event.posting_id}"),
            event.tenant_id,
            event.occurred_at,
            event.correlation_id,
            event.event_id,
            event.account_id,
            event.currency,
            event.posting_id,
            line.payment_id,
            event.amount_minor,
            line.effective_at,
            lowest,
            low is not None,
            *found,
        ),
    )


def lowest_since(rows: Rows, tenant_id: str, account_id: str, head: Head, since: int) -> Low | None:
    """Return the lowest balance by value time from `since` on, the first one of several.

    `head`: of the account. None where too many bookings would have to be looked at.
    """
    place = rows, tenant_id, account_id
    first = max(0, head.lines - CHECKED_MAX)
    if any(read_zone(*place, *part).latest > since for part in parts(0, first, LEVELS)):
        return None
    later: Counter[int] = Counter()
    for line in _lines_after(*place, first, head.lines, since):
        later[line.effective_at] += line.posted
    balance = head.balance_minor - later.total()
    low = Low(since, balance)
    for at in sorted(later):
        balance += later[at]
        if balance < low.balance_minor:
            low = Low(at, balance)
    return low


def _lines_after(
    rows: Rows, tenant_id: str, account_id: str, first: int, stop: int, since: int
) -> Iterator[Line]:
    """Yield the lines from number `first` up to `stop` with a value time after `since`."""
    place = rows, tenant_id, account_id
    aligned = min(-(-first // ZONE) * ZONE, stop)
    numbers = list(range(first, aligned))
    for level, number in parts(aligned, stop, 1):
        zone = read_zone(*place, level, number)
        if zone.latest > since:
            size = ZONE**level
            numbers += range(number * size, (number + 1) * size)
    for number in numbers:
        line = read_line(*place, number)
        if line.effective_at > since:
            yield line
