"""What arrives: a line of a statement, and the closing of a statement, as far as the chain needs them.

A line is known by its content and its place. The content says what was booked; the place is the statement's
id, the currency and the number of the line. Digests of both are in the rows, so texts may be of any length.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY

_ENCODE = msgspec.msgpack.Encoder().encode


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line of a statement; the amount is signed, a credit is positive."""

    statement_id: str
    """As the bank says it: it may be empty, a constant, or begin again each year."""
    line_no: int
    currency: str
    amount_minor: int
    booked_day: int
    """Days since 1970-01-01."""
    content: bytes
    """`content_of` it."""
    informs: bool = False
    """Whether the statement says that it moves no money. A line of amount 0 moves none either."""

    @property
    def moves_minor(self) -> int:
        """By how much it changes the balance, minor units."""
        return 0 if self.informs else self.amount_minor


class Closing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The closing of a statement, or of a page of one. Balances are minor units."""

    statement_id: str
    currency: str
    opening_minor: int
    closing_minor: int
    line_count: int
    closed_at: int
    """Microseconds UTC."""
    sequence_no: int | None = None
    """The bank's number of the statement, which may begin again each year; None or 0: it has none."""
    page: int | None = None
    """Which page it closes; None: the whole statement."""
    from_at: int | None = None
    """Since when the statement tells, microseconds UTC."""


def line_of(event: ev.StatementLine) -> Line:
    """Return a line as the chain needs it."""
    content = content_of(
        event.external_reference,
        event.amount_minor,
        event.currency,
        event.booked_at,
        event.value_date,
        event.description,
        event.bank_reference,
    )
    return Line(
        event.statement_id,
        event.line_no,
        event.currency,
        event.amount_minor,
        day_of(event.booked_at),
        content,
        event.entry_kind == "INFORMATION",
    )


def closing_of(event: ev.StatementClosed) -> Closing:
    """Return a closing as the chain needs it."""
    return Closing(
        event.statement_id,
        event.currency,
        event.opening_balance_minor,
        event.closing_balance_minor,
        event.line_count,
        event.closed_at,
        event.sequence_no,
        event.page,
        event.from_at,
    )


def content_of(
    reference: str | None,
    amount_minor: int,
    currency: str,
    booked_at: int,
    value_day: int,
    description: str,
    bank_reference: str | None = None,
) -> bytes:
    """Return the digest of a line's content: what a line is known by.

    What a notification may fill in later (end-to-end id, counterparty, ...) is not part of it, so a line that
    comes again with more of that is the same line.
    """
    return digest(
        reference, amount_minor, currency, booked_at, value_day, description, bank_reference or None
    )


def day_of(at: int) -> int:
    """Return the day of a time, days since 1970-01-01."""
    return at // MICROSECONDS_PER_DAY


def digest(*content: str | bytes | int | None) -> bytes:
    """Return 16 bytes that stand for some fields."""
    return blake2b(_ENCODE(content), digest_size=16).digest()


class Named(msgspec.Struct, frozen=True, gc=False):
    """A line and what names it."""

    line: Line
    place: bytes
    """`place_of` it."""
    key: bytes
    """`key_of` it where its content was at its place once."""


def named(line: Line) -> Named:
    """Return a line and what names it."""
    place = place_of(line)
    return Named(line, place, key_of(line.content, place, 1))


def place_of(line: Line) -> bytes:
    """Return the digest of a line's place."""
    return digest(line.statement_id, line.currency, line.line_no)


def key_of(content: bytes, place: bytes, occurrence: int) -> bytes:
    """Return the key of a line, unique in its account: 32 letters, without NUL.

    It follows from the line alone, not from when it came. `occurrence` counts lines of one content at one
    place, from 1: two statements under one id may have the same line.
    """
    return digest(content, place, occurrence).hex().encode()
