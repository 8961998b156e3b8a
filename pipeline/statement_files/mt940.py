"""MT940 of SWIFT: customer statements, one or many in a file, whole or in pages.

    :20: reference  :25: account  :28C: number/page  :60F: opening  (:61: booking  :86: text)*  :62F: closing

A statement begins with :20:, and with a second :28C: or :60: under the same :20: too. :60M: and :62M: are the
balances of a page. What the fields hold is told by mt-940's patterns, which know how banks deviate; blocks,
pages, years, signs and :86: are read here, see the decision in this folder's README.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any, NamedTuple

from pipeline.statement_files.amounts import checked_currency, minor_of
from pipeline.statement_files.form import (
    LINES_MAX,
    STATEMENTS_MAX,
    FileRefused,
    Line,
    Read,
    Statement,
    refused,
    statement_id_of,
)
from pipeline.statement_files.mt940_line import FIELDS, as_line
from pipeline.statement_files.times import begin_us, day_of_us, short_day

_TAG = re.compile(r":([0-9]{2}[A-Z]?|NS):", re.ASCII)
_END = re.compile(r"\s*-\}?\s*(\{5:.*)?$")
_KNOWN = frozenset(
    {"20", "21", "25", "25P", "28", "28C", "60F", "60M", "61", "62F", "62M", "64", "65", "86", "13", "13D"}
    | {"34F", "90C", "90D", "NS"}
)
FIELD_CHARS_MAX = 10_000
_NUMBER = re.compile(r"\s*([0-9]{1,9})\s*(?:/\s*([0-9]{1,9}))?")


class Field(NamedTuple):
    """A tag, the number of its line in the file, and its text with line breaks."""

    tag: str
    line: int
    text: str

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"line {self.line:,}, :{self.tag}:"


def read_mt940(text: str) -> Read:
    """Read a file. Raises FileRefused where it is none of this format, or beyond a bound."""
    read, lines = Read("MT940"), 0
    for number, fields in enumerate(_blocks(text), 1):
        if number > STATEMENTS_MAX:
            raise refused(fields[0].place, f"more than {STATEMENTS_MAX:,} statements: divide the file")
        lines += sum(field.tag == "61" for field in fields)
        if lines > LINES_MAX:
            raise refused(fields[0].place, f"more than {LINES_MAX:,} bookings: divide the file")
        try:
            statement = _statement(fields, read.notes)
        except FileRefused as error:
            place = f"line {fields[0].line:,}, statement {number:,}"
            read.refused.append(f"{place}: {error}")
            continue
        read.statements.append(statement)
    if not read.statements and not read.refused:
        raise refused("", "it has no :20: field: this is no MT940")
    return read


def _fields(text: str) -> Iterator[Field]:
    """Yield the fields of a file in order; lines that begin with no known tag go on with the one before."""
    tag, begin, chars = "", 0, 0
    parts: list[str] = []
    for number, line in enumerate(StringIO(text, newline=None), 1):
        line = _message(line.rstrip("\n"))
        found = _TAG.match(line)
        if found is not None and found[1] in _KNOWN:
            if tag:
                yield Field(tag, begin, "\n".join(parts))
            tag, begin, parts, chars = found[1], number, [line[found.end() :].rstrip()], 0
        elif tag and _END.fullmatch(line):
            yield Field(tag, begin, "\n".join(parts))
            tag = ""
        elif tag and line.strip():
            parts.append(line.rstrip())
        chars += len(line)
        if chars > FIELD_CHARS_MAX:
            raise refused(
                f"line {number:,}", f"a field has more than {FIELD_CHARS_MAX:,} characters: this is no MT940"
            )
    if tag:
        yield Field(tag, begin, "\n".join(parts))


def _message(line: str) -> str:
    """Return a line without the envelope that SWIFT puts around a message: `{1:...}{2:...}{4:`."""
    if line.startswith("{") and "{4:" in line:
        return line.partition("{4:")[2]
    return line


def _blocks(text: str) -> Iterator[list[Field]]:
    block: list[Field] = []
    seen: set[str] = set()
    for field in _fields(text):
        group = field.tag[:2]
        begins = group == "20" or (group in ("28", "60") and group in seen)
        if begins and block:
            if group != "20":
                head = [one for one in block if one.tag in ("20", "21", "25", "25P")]
                number = [one for one in block if one.tag[:2] == "28"]
                yield block
                block, seen = [*head, *(number if group == "60" else [])], set()
            else:
                yield block
                block, seen = [], set()
        if not block and group != "20":
            continue  # a header of the bank's own before the first statement
        block.append(field)
        seen.add(group)
    if block:
        yield block


def _statement(fields: list[Field], notes: list[str]) -> Statement:
    by_tag: dict[str, Field] = {}
    for field in fields:
        by_tag.setdefault(field.tag, field)
    opening, closing = _balance(by_tag, "60"), _balance(by_tag, "62")
    found = opening or closing
    if found is None:
        raise refused("", "it has neither an opening (:60F:) nor a closing balance (:62F:), so no currency")
    currency = found.currency
    for balance in (opening, closing):
        if balance is not None and balance.currency != currency:
            raise refused(balance.place, f"it is in {balance.currency}, the opening balance in {currency}")
    lines = tuple(_lines(fields, currency, notes))
    number, page = _numbers(by_tag.get("28C") or by_tag.get("28"))
    is_page = any(balance is not None and balance.is_page for balance in (opening, closing))
    page = (page or 1) if is_page else None
    account = (by_tag.get("25") or by_tag.get("25P") or Field("25", 0, "")).text
    closed_us = closing.at_us if closing else max((line.booked_us for line in lines), default=found.at_us)
    opening_minor = None if opening is None else opening.minor
    first = fields[0]
    return Statement(
        place=f"line {first.line:,}, :20:{first.text[:20]}",
        account=account.split("\n")[0].strip()[:128],
        currency=currency,
        statement_id=statement_id_of(
            first.text.split("\n")[0], day_of_us(closed_us).isoformat(), number, page, opening_minor
        ),
        lines=lines,
        opening_minor=opening_minor,
        closing_minor=None if closing is None else closing.minor,
        from_us=None if opening is None else opening.at_us,
        closed_us=closed_us,
        sequence_no=number,
        page=page,
    )


class _Balance(NamedTuple):
    place: str
    minor: int
    currency: str
    at_us: int
    is_page: bool


def _balance(by_tag: dict[str, Field], group: str) -> _Balance | None:
    """Return the opening (60) or closing (62) balance."""
    field = by_tag.get(f"{group}F") or by_tag.get(f"{group}M")
    if field is None:
        return None
    found: Any = FIELDS["60F"].re.match(field.text)
    if found is None or not found["amount"]:
        raise refused(
            field.place, f"{field.text[:40]!r} is no balance: C or D, the day, the currency, the amount"
        )
    currency = checked_currency(found["currency"], field.place)
    minor = minor_of(found["amount"], currency, field.place)
    day = short_day(found["year"] + found["month"] + found["day"], field.place)
    signed = -minor if found["status"].upper() == "D" else minor
    return _Balance(field.place, signed, currency, begin_us(day), field.tag.endswith("M"))


def _lines(fields: list[Field], currency: str, notes: list[str]) -> Iterator[Line]:
    """Yield the bookings, each with the text that follows it; each field is looked at once."""
    booking: Field | None = None
    texts: list[str] = []
    for field in fields:
        if booking is not None and field.tag in ("86", "NS"):
            texts.append(field.text)
            continue
        if booking is not None:
            yield as_line(booking.text, "\n".join(texts), currency, booking.place, notes)
        booking, texts = (field if field.tag == "61" else None), []
    if booking is not None:
        yield as_line(booking.text, "\n".join(texts), currency, booking.place, notes)


def _numbers(field: Field | None) -> tuple[int | None, int | None]:
    """Return number and page of :28C:; zero says as much as none."""
    found = None if field is None else _NUMBER.match(field.text)
    if found is None:
        return None, None
    return int(found[1]) or None, int(found[2] or 0) or None
