"""What every format is read into. Money is minor units of the currency, signed: a credit is positive.

Times are microseconds UTC, days are days since 1970-01-01. A day without a time is its begin, UTC.
"""

from __future__ import annotations

import msgspec

FILE_BYTES_MAX = 64 * 2**20
LINES_MAX = 1_000_000
"""Of one file."""
STATEMENTS_MAX = 100_000
"""Of one file."""
DETAILS_MAX = 1_000
"""Of one line, as the event's schema has it."""
DETAIL_CHARS_MAX = 140
DETAILS_BYTES_MAX = 128 * 1024
"""Of the texts of one line's details: an event has at most 256 KiB."""
DESCRIPTION_CHARS_MAX = 4_000
TEXT_CHARS_MAX = 256
"""Of any other text."""
FEE, REVERSAL, BATCH, INFORMATION = "FEE", "REVERSAL", "BATCH", "INFORMATION"
"""Kinds of lines."""


class FileRefused(ValueError):
    """A file, or a statement of one, that cannot be read: one line with the place and the remedy."""


def refused(place: str, what: str) -> FileRefused:
    """Return what refuses a file or a statement; `place`: line, row or element, or empty."""
    return FileRefused(f"{place}: {what}" if place else what)


class Detail(msgspec.Struct, frozen=True):
    """One payment of a booking that is for several."""

    amount_minor: int | None = None
    currency: str | None = None
    reference: str | None = None
    description: str | None = None
    counterparty: str | None = None


class Line(msgspec.Struct, frozen=True):
    """A booking."""

    place: str
    """Where it is in its file."""
    amount_minor: int
    currency: str
    booked_us: int
    value_day: int
    description: str
    external_reference: str | None = None
    end_to_end_id: str | None = None
    bank_reference: str | None = None
    transaction_code: str | None = None
    counterparty_name: str | None = None
    counterparty_account: str | None = None
    is_reversal: bool | None = None
    entry_kind: str | None = None
    original_amount_minor: int | None = None
    original_currency: str | None = None
    fee_minor: int | None = None
    details: tuple[Detail, ...] = ()


class Statement(msgspec.Struct, frozen=True):
    """A statement, or one page of it where the bank gives each page its balances."""

    place: str
    account: str
    """As the bank names it; empty where the file does not say."""
    currency: str
    statement_id: str
    lines: tuple[Line, ...]
    opening_minor: int | None = None
    closing_minor: int | None = None
    from_us: int | None = None
    closed_us: int | None = None
    sequence_no: int | None = None
    page: int | None = None
    is_day: bool = False
    """It is a day of an account's list of bookings, which has no balances of its own."""


class Notice(msgspec.Struct, frozen=True):
    """What a notification (camt.054) says about a booking that a statement has."""

    place: str
    account: str
    line: Line


class Read(msgspec.Struct):
    """A file that was read: what can be used, and what cannot."""

    format: str
    statements: list[Statement] = []
    notices: list[Notice] = []
    refused: list[str] = []
    """Statements that cannot be read: none of their lines is in `statements`."""
    problems: list[str] = []
    """What does not hold, though it can be read."""
    notes: list[str] = []
    """What a person may want to know."""


def statement_id_of(
    bank_id: str, day: str, number: int | None, page: int | None, opening_minor: int | None
) -> str:
    """Return an id that is this statement's alone: a bank's own may be a constant, or begin again each year.

    `STARTUMSE@2026-03-02#61` has the bank's id, the last day and the number; `.2` after it is a page. Where
    there is no number, `~` and the opening balance are in its place: two of a day have different ones.
    """
    name = "".join("-" if sign in "/\0" or not sign.isprintable() else sign for sign in bank_id)[:128]
    name = name.strip().lstrip("$") or "statement"
    if number:
        return f"{name}@{day}#{number}" + ("" if page is None else f".{page}")
    told = "" if opening_minor is None else f"~{opening_minor}"
    return f"{name}@{day}{told}" + ("" if page is None else f".{page}")
