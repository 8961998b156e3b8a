"""The rows of the history: every booking of every account, and sums over blocks of bookings.

    head  h tenant account               number of lines, balances after the last one, zones not yet full
    line  l tenant account number        one booking: amounts, balances after it, times, ids
    zone  z tenant account level number  ZONE ** level lines: the range of their value times, sums of amounts

Lines are numbered 0, 1, 2, ... in the order of booking, so their booking times never decrease. Value times
are in no order. A zone summarises ZONE ** level consecutive lines, for questions about value time: all of its
lines are early enough, none is, or the next lower level must be read. Lines and zones are written once; only
heads change.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import msgspec
import numpy as np

from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.layouts import DAMAGE, RowKind
from pipeline.domain.kernel.rows import Rows, row_key

HEAD_ROW = RowKind("history", "head", "h")
LINE_ROW = RowKind("history", "line", "l")
ZONE_ROW = RowKind("history", "zone", "z")

ZONE = 32
"""The number of lines in a zone of level 1, and of zones in a zone of the next level."""
LEVELS = 7
"""The highest level: 32 ** 7 lines, more than any account has."""
KINDS = ("DEBIT", "CREDIT", "PLACED", "RELEASED")
"""Kinds of lines: the side of a posting, or the change of a hold."""

HEAD_COLUMNS = np.dtype(
    [
        *((name, "u1") for name in ("layout", "account_type")),
        ("currency", "S3"),
        *((name, "<i8") for name in ("lines", "booked_at", "balance_minor", "held_minor")),
        *((name, "<i8") for name in ("earliest", "latest", "posted", "held")),
    ]
)
"""The fixed part of a head, so that many are one array; the last four are the open zone of level 1. The open
zones of the higher levels follow it."""
LINE_COLUMNS = np.dtype(
    [
        *((name, "u1") for name in ("layout", "kind", "no_payment", "no_reference")),
        ("correlation_bytes", "<u4"),
        *((name, "<i8") for name in ("booked_at", "effective_at", "posted", "held")),
        *((name, "<i8") for name in ("balance_minor", "held_minor")),
    ]
)
"""The fixed part of a line. Its texts follow: the ids, each terminated by NUL; then the correlation id and
the reference, which may be any text."""

_HEAD = struct.Struct("<BB3sqqqqqqqq")
_LINE = struct.Struct("<BBBBIqqqqqq")
_ZONE = struct.Struct("<qqqq")
assert _HEAD.size == HEAD_COLUMNS.itemsize and _LINE.size == LINE_COLUMNS.itemsize


def _wrapped(number: int) -> int:
    """Return a sum wrapped to a signed 64-bit number; it differs only if an account's counters overflow."""
    return (number + 2**63) % 2**64 - 2**63


class Zone(NamedTuple):
    """A block of consecutive lines: the range of their value times, and the sums of their amounts."""

    earliest: int
    """Value times, microseconds UTC."""
    latest: int
    posted: int
    """The lines' change of the balance, minor units."""
    held: int
    """The lines' change of the amount held, minor units."""

    def and_then(self, other: Zone) -> Zone:
        """Return the zone of these lines and those of `other`."""
        return Zone(
            min(self.earliest, other.earliest),
            max(self.latest, other.latest),
            _wrapped(self.posted + other.posted),
            _wrapped(self.held + other.held),
        )


EMPTY_ZONE = Zone(2**63 - 1, -(2**63), 0, 0)


class Line(msgspec.Struct, gc=False):
    """One booking of an account; amounts in minor units, times in microseconds UTC."""

    kind: str
    """One of KINDS."""
    booked_at: int
    effective_at: int
    """The value time."""
    posted: int
    """The booking's change of the balance."""
    held: int
    """The booking's change of the amount held."""
    balance_minor: int
    """The balance after the booking; `held_minor` likewise."""
    held_minor: int
    record_id: str
    """The id of the posting, or of the hold event."""
    entry_id: str
    """The id of the entry; empty for a hold."""
    correlation_id: str
    payment_id: str | None
    reference: str | None

    def pack(self) -> bytes:
        """Return the row."""
        correlation = self.correlation_id.encode()
        fixed = _LINE.pack(
            LINE_ROW.layout,
            KINDS.index(self.kind),
            self.payment_id is None,
            self.reference is None,
            len(correlation),
            self.booked_at,
            self.effective_at,
            self.posted,
            self.held,
            self.balance_minor,
            self.held_minor,
        )
        ids = f"{self.record_id}\0{self.entry_id}\0{self.payment_id or ''}\0"
        return fixed + ids.encode() + correlation + (self.reference or "").encode()

    @property
    def zone(self) -> Zone:
        """The zone of this line alone."""
        return Zone(self.effective_at, self.effective_at, self.posted, self.held)


def unpack_line(row: bytes) -> Line:
    """Return the line of a row. Raises UnreadableRow."""
    try:
        return _line(LINE_ROW.current(row))
    except DAMAGE as error:
        raise LINE_ROW.unreadable(row, error) from None


def _line(row: bytes) -> Line:
    _, kind, no_payment, no_reference, correlation_bytes, *numbers = _LINE.unpack_from(row)
    record_id, entry_id, payment_id, texts = row[_LINE.size :].split(b"\0", maxsplit=3)
    booked_at, effective_at, posted, held, balance_minor, held_minor = numbers
    return Line(
        KINDS[kind],
        booked_at,
        effective_at,
        posted,
        held,
        balance_minor,
        held_minor,
        record_id.decode(),
        entry_id.decode(),
        texts[:correlation_bytes].decode(),
        None if no_payment else payment_id.decode(),
        None if no_reference else texts[correlation_bytes:].decode(),
    )


class Head(msgspec.Struct, gc=False):
    """The current end of an account's history."""

    account_type: int
    """Index into ACCOUNT_TYPES."""
    currency: str
    lines: int = 0
    booked_at: int = -(2**63)
    """The booking time of the last line, microseconds UTC."""
    balance_minor: int = 0
    held_minor: int = 0
    open: list[Zone] = msgspec.field(default_factory=lambda: [EMPTY_ZONE])
    """The zones that are not full yet, one for each level from 1."""

    def pack(self) -> bytes:
        """Return the row."""
        first, *others = self.open
        return _HEAD.pack(
            HEAD_ROW.layout, self.account_type, self.currency.encode(), self.lines, self.booked_at,
            self.balance_minor, self.held_minor, *first,
        ) + b"".join([_ZONE.pack(*zone) for zone in others])  # fmt: skip


def fold(zones: list[Zone], below: int, part: Zone, lines: int) -> list[tuple[int, int, Zone]]:
    """Add a full zone `part` of level `below` (0: a line) to the open zones of the higher levels.

    `zones`: the open zones from level 1, changed in place; `lines`: the number of lines up to the end of
    `part`. Returns the zones that became full: (level, number, zone).
    """
    full = []
    for level in range(below + 1, LEVELS + 1):
        if len(zones) < level:
            zones.append(EMPTY_ZONE)
        zones[level - 1] = part = zones[level - 1].and_then(part)
        if lines % ZONE**level:
            break
        full.append((level, lines // ZONE**level - 1, part))
        zones[level - 1] = EMPTY_ZONE
    return full


def unpack_head(row: bytes) -> Head:
    """Return the head of a row. Raises UnreadableRow."""
    try:
        now = row if row[0] == HEAD_ROW.layout else HEAD_ROW.current(row)
        _, kind, currency, lines, booked_at, balance, held, *first = _HEAD.unpack_from(now)
        others = [Zone(*zone) for zone in _ZONE.iter_unpack(now[_HEAD.size :])]
        return Head(kind, currency.decode(), lines, booked_at, balance, held, [Zone(*first), *others])
    except DAMAGE as error:
        raise HEAD_ROW.unreadable(row, error) from None


def pack_zone(zone: Zone) -> bytes:
    """Return the row of a zone."""
    return ZONE_ROW.head + _ZONE.pack(*zone)


def unpack_zone(row: bytes) -> Zone:
    """Return the zone of a row. Raises UnreadableRow."""
    try:
        return Zone(*_ZONE.unpack_from(ZONE_ROW.current(row), 1))
    except DAMAGE as error:
        raise ZONE_ROW.unreadable(row, error) from None


def head_key(tenant_id: str, account_id: str) -> bytes:
    """Return the row key of a head."""
    return row_key(HEAD_ROW.family, tenant_id, account_id)


def line_key(tenant_id: str, account_id: str, number: int) -> bytes:
    """Return the row key of a line."""
    return row_key(LINE_ROW.family, tenant_id, account_id, f"{number:010x}")


def zone_key(tenant_id: str, account_id: str, level: int, number: int) -> bytes:
    """Return the row key of a zone."""
    return row_key(ZONE_ROW.family, tenant_id, account_id, str(level), f"{number:010x}")


def read_head(rows: Rows, tenant_id: str, account_id: str) -> Head | None:
    """Return the head of an account, None where it has no lines."""
    row = rows.get(head_key(tenant_id, account_id))
    return None if row is None else unpack_head(row)


def new_head(account_type: str, currency: str) -> Head:
    """Return the head of an account without lines."""
    return Head(ACCOUNT_TYPES.index(account_type), currency)
