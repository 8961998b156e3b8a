"""The rows of payments that wait for their time, and the clock of the partition.

    s tenant payment               the command that waits; cancelled, what a repeat is compared with
    x time tenant debtor payment   one for each row `s`, by the time at which something becomes of it
    y tenant debtor time payment   one for each payment that waits, by its debtor
    o tenant debtor                how many payments of a debtor wait
    w                              the clock: the event time reached, and the first time of the rows `x`

Times are 20 digits with an offset, so that rows sort by time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from pipeline.domain.kernel.events import PaymentInitiated
from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.kernel.stored_commands import as_stored
from pipeline.domain.kernel.times import LONG_AGO

WAITING_ROW = RowKind("fraud", "scheduled payment", "s")
DUE_ROW = RowKind("fraud", "scheduled in order", "x")
DEBTOR_ROW = RowKind("fraud", "scheduled of debtor", "y")
COUNT_ROW = RowKind("fraud", "scheduled payments", "o")
CLOCK_ROW = RowKind("fraud", "clock", "w")
NEVER = 2**63 - 1
"""The first time of no row."""
CLOCK_KEY = row_key(CLOCK_ROW.family)
_CLOCK, _COUNT = struct.Struct(">Bqq"), struct.Struct(">Bq")
_OFFSET = 2**63


class Waiting(msgspec.Struct, array_like=True, gc=False):
    """A payment that waits, or that was cancelled while it did."""

    command: PaymentInitiated
    cancelled_at: int | None = None
    """The partition's time at its cancellation, microseconds UTC; None: it waits."""


class Clock(msgspec.Struct, gc=False):
    """The event time that a partition has reached, and the first at which something is due; microseconds."""

    watermark: int = LONG_AGO
    earliest: int = NEVER

    def is_due(self, now: int) -> bool:
        """Whether something may have to be done at a time."""
        return self.earliest <= now and self.earliest != NEVER


class Due(NamedTuple):
    """When something is to become of a payment."""

    time: int
    tenant_id: str
    debtor_account_id: str
    payment_id: str


_unpack = unpacker(WAITING_ROW, Waiting)


def waiting_key(tenant_id: str, payment_id: str) -> bytes:
    """Return the row key of a payment that waits."""
    return row_key(WAITING_ROW.family, tenant_id, payment_id)


def read_waiting(row: bytes | None) -> Waiting | None:
    """Return the payment of a row. Raises UnreadableRow."""
    return None if row is None else _unpack(row)


def pack_waiting(waiting: Waiting) -> bytes:
    """Return the row of a payment."""
    return WAITING_ROW.pack([as_stored(waiting.command), waiting.cancelled_at])


def read_clock(rows: Rows) -> Clock:
    """Return the clock. Raises UnreadableRow."""
    return unpack_clock(rows.get(CLOCK_KEY))


def unpack_clock(row: bytes | None) -> Clock:
    """Return the clock in a row, a new one where there is none. Raises UnreadableRow."""
    return Clock() if row is None else Clock(*CLOCK_ROW.unpacked(_CLOCK, row))


def write_clock(rows: Rows, clock: Clock) -> None:
    """Replace the clock."""
    rows.put(CLOCK_KEY, _CLOCK.pack(CLOCK_ROW.layout, clock.watermark, clock.earliest))


def plan(rows: Rows, clock: Clock, due: Due, *, waits: bool) -> None:
    """Let something become of a payment at a time; `waits`: it is one of its debtor's that wait."""
    rows.put(_due_key(due), DUE_ROW.head)
    clock.earliest = min(clock.earliest, due.time)
    if waits:
        rows.put(_debtor_key(due), DEBTOR_ROW.head)
        _add(rows, due, +1)


def forget(rows: Rows, due: Due, *, waits: bool) -> None:
    """Take back `plan`; the clock's first time may be too early then, which costs one look."""
    rows.delete(_due_key(due))
    if waits:
        rows.delete(_debtor_key(due))
        _add(rows, due, -1)


def due_in_order(rows: Rows, clock: Clock) -> Iterator[Due]:
    """Yield what is due by the clock, in order of time; at the end put right the clock's first time."""
    prefix = row_key(DUE_ROW.family, "")
    start = max(clock.earliest - 1, LONG_AGO)
    for key, _ in rows.scan(prefix, prefix + _text(start).encode()):
        time, *names = key[len(prefix) :].decode().split("\0")
        due = Due(int(time) - _OFFSET, *names)
        clock.earliest = due.time
        if due.time > clock.watermark:
            return
        yield due
    clock.earliest = NEVER


def due_of_debtor(rows: Rows, tenant_id: str, debtor_account_id: str, watermark: int) -> list[Due]:
    """Return what waits of a debtor and is due, in order of time."""
    prefix, found = row_key(DEBTOR_ROW.family, tenant_id, debtor_account_id, ""), list[Due]()
    for key, _ in rows.scan(prefix):
        time, payment_id = key[len(prefix) :].decode().split("\0")
        due = Due(int(time) - _OFFSET, tenant_id, debtor_account_id, payment_id)
        if due.time > watermark:
            break
        found.append(due)
    return found


def how_many_wait(rows: Rows, tenant_id: str, debtor_account_id: str) -> int:
    """Return how many payments of a debtor wait. Raises UnreadableRow."""
    return unpack_count(rows.get(row_key(COUNT_ROW.family, tenant_id, debtor_account_id)))


def unpack_count(row: bytes | None) -> int:
    """Return the number in a row `o`, 0 where there is none. Raises UnreadableRow."""
    return 0 if row is None else int(*COUNT_ROW.unpacked(_COUNT, row))


def pack_count(count: int) -> bytes:
    """Return the row `o` of a number."""
    return _COUNT.pack(COUNT_ROW.layout, count)


def _add(rows: Rows, due: Due, change: int) -> None:
    key = row_key(COUNT_ROW.family, due.tenant_id, due.debtor_account_id)
    count = unpack_count(rows.get(key)) + change
    if count:
        rows.put(key, pack_count(count))
    else:
        rows.delete(key)


def _due_key(due: Due) -> bytes:
    return row_key(DUE_ROW.family, _text(due.time), *due[1:])


def _debtor_key(due: Due) -> bytes:
    names: tuple[Any, ...] = due.tenant_id, due.debtor_account_id, _text(due.time), due.payment_id
    return row_key(DEBTOR_ROW.family, *names)


def _text(time: int) -> str:
    return f"{time + _OFFSET:020d}"
