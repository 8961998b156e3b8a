"""Records of BAI2, and a transaction (16) as a line."""

from __future__ import annotations

from datetime import date

from pipeline.statement_files.amounts import whole_minor
from pipeline.statement_files.form import (
    DESCRIPTION_CHARS_MAX,
    FEE,
    INFORMATION,
    REVERSAL,
    Line,
    refused,
)
from pipeline.statement_files.references import (
    clean,
    creditor_reference,
    external_reference,
    keyed_parts,
    reference,
)
from pipeline.statement_files.times import begin_us, day_number, short_day

RETURNS = frozenset({"252", "255", "257", "258", "259", "452", "552", "554", "555", "557", "558", "559"})
"""Reversals, and items that come back: deposited, paid or sent by ACH."""
FEES = frozenset({"561", "564", "661", "666", "682", "698"})
"""Charges and service fees."""
NO_MONEY = "890"
"""A text alone."""
_DISTRIBUTED = {"S": 3, "V": 2}
"""Fields that follow a funds type."""


class Record:
    """A record with its continuations; `physical`: how many lines of the file it is."""

    def __init__(self, line: int, code: str, parts: list[str], physical: int, chars: int) -> None:
        self.line, self.code, self.parts, self.physical, self.chars = line, code, parts, physical, chars

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"line {self.line:,}, record {self.code}"

    @property
    def fields(self) -> list[str]:
        """Its fields after the code; a slash ends each of its lines."""
        fields: list[str] = []
        for part in self.parts:
            fields += part.rstrip().rstrip("/").split(",")
        return fields

    def after_funds(self, at: int, fields: list[str]) -> int:
        """Return the place after the funds type at `at`, and what belongs to it. Raises FileRefused."""
        kind = fields[at].strip().upper() if at < len(fields) else ""
        if kind == "D":
            count = fields[at + 1].strip() if at + 1 < len(fields) else ""
            if not (count.isascii() and count.isdigit() and len(count) < 4):
                raise refused(self.place, "funds type D without a number of distributions")
            return at + 2 + 2 * int(count)
        if kind not in ("", "0", "1", "2", "Z", *_DISTRIBUTED):
            raise refused(self.place, f"{kind[:10]!r} is no funds type (0, 1, 2, S, V, D, Z)")
        return at + 1 + _DISTRIBUTED.get(kind, 0)


def day_of(text: str, place: str) -> date:
    """Return a day, YYMMDD; some banks write the century as well. Raises FileRefused."""
    given = text.strip()
    return short_day(given[2:] if len(given) == 8 and given[:2] in ("19", "20") else given, place)


def as_line(record: Record, currency: str, day: date) -> tuple[Line | None, int]:
    """Return a transaction as a line, and its amount without a sign, as trailers sum them.

    16,type code,amount,funds type...,bank's reference,customer's reference,text. The text may have commas and
    slashes. None: it moves no money. Raises FileRefused.
    """
    code, amount, value, after = _head(record, day)
    rest, text = _after(record, after)
    bank, customer = (*rest, "", "")[:2]
    description = clean(text, DESCRIPTION_CHARS_MAX) or ""
    minor = abs(whole_minor(amount, record.place)) if amount else 0
    if code == NO_MONEY:
        return None, minor
    if not _is_credit(code, record):
        minor = -minor
    end_to_end = reference(keyed_parts(description).get("EREF"))
    kind = INFORMATION if not minor else REVERSAL if code in RETURNS else FEE if code in FEES else None
    return Line(
        place=record.place,
        amount_minor=minor,
        currency=currency,
        booked_us=begin_us(day),
        value_day=day_number(value),
        description=description,
        external_reference=external_reference(
            minor >= 0, end_to_end, creditor_reference(description), customer
        ),
        end_to_end_id=end_to_end,
        bank_reference=reference(bank),
        transaction_code=code,
        is_reversal=True if code in RETURNS else None,
        entry_kind=kind,
    ), abs(minor)


def _head(record: Record, day: date) -> tuple[str, str, date, int]:
    """Return type code, amount, value date, and how many fields come before the references."""
    fields = record.fields
    code = fields[0].strip()
    if not (len(code) == 3 and code.isascii() and code.isdigit()):
        raise refused(record.place, f"{code[:20]!r} is no type code: three digits are expected")
    amount = fields[1].strip() if len(fields) > 1 else ""
    after = record.after_funds(2, fields)
    is_valued = len(fields) > 3 and fields[2].strip().upper() == "V" and fields[3].strip()
    return code, amount, day_of(fields[3], record.place) if is_valued else day, after


def _after(record: Record, count: int) -> tuple[list[str], str]:
    """Return the two references after `count` fields, and the text behind them as it stands."""
    needed = count + 2
    fields: list[str] = []
    for at, part in enumerate(record.parts):
        pieces = part.split(",", needed - len(fields)) if needed > len(fields) else [part]
        if needed > len(fields) and len(pieces) <= needed - len(fields):
            fields += [*pieces[:-1], pieces[-1].rstrip().rstrip("/")]
            continue
        taken = needed - len(fields)
        fields += pieces[:taken]
        texts = [*pieces[taken:], *record.parts[at + 1 :]]
        return fields[count:], " ".join(one.rstrip().removesuffix("/") for one in texts)
    return fields[count:], ""


def _is_credit(code: str, record: Record) -> bool:
    number = int(code)
    if 100 <= number < 400 or 920 <= number < 960:
        return True
    if 400 <= number < 700 or 960 <= number < 1000:
        return False
    raise refused(record.place, f"type code {code} says neither credit (100 to 399) nor debit (400 to 699)")
