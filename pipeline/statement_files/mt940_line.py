"""A booking of MT940: :61: with its :86:.

    :61:2601020102CR100,50NTRFEREF-1//BANK-1      value date, entry date, mark, funds code, amount, type,
    supplementary                                 customer's reference // bank's reference

The mark says how the account moves: C and D, RC (a credit is taken back, so -) and RD (a debit is taken back,
so +). `CR` is a credit with the funds code R, the third letter of EUR.
"""

from __future__ import annotations

from typing import Any

from pipeline.statement_files.amounts import minor_of
from pipeline.statement_files.form import FEE, INFORMATION, REVERSAL, FileRefused, Line, refused
from pipeline.statement_files.mt940_text import Text, text_of
from pipeline.statement_files.references import clean, creditor_reference, external_reference, reference
from pipeline.statement_files.times import begin_us, day_number, entry_day, short_day

try:
    from mt940.tags import TAG_BY_ID
except ImportError:  # the extra `statements` is not installed
    TAG_BY_ID = {}

MISSING = "MT940 needs the extra `statements`: pip install 'ledgerflow[statements]'"
"""What to say where FIELDS is empty."""
FIELDS: Any = TAG_BY_ID
_FEES = frozenset({"CHG", "COM", "BRF"})
"""Of the type of a booking, after its first letter: charges, commission, brokerage."""
_DEBITS = frozenset({"D", "RC"})


def as_line(field: str, text: str, currency: str, place: str, notes: list[str]) -> Line:
    """Return a booking as a line. Raises FileRefused."""
    found = FIELDS[61].re.match(field)
    if found is None:
        raise refused(place, f"{field[:60]!r} is no booking: value date, mark, amount and type are expected")
    mark = found["status"].upper()
    amount = minor_of(found["amount"], currency, place)
    minor = -amount if mark in _DEBITS else amount
    value = short_day(found["year"] + found["month"] + found["day"], place)
    if found["day"] != f"{value.day:02}":
        notes.append(f"{place}: {value.year}-{value.month:02} has no day {found['day']}: {value} is taken")
    booked, month = value, (found["entry_month"] or "").strip()
    if month:
        booked = entry_day(value, int(month), _day(found["entry_day"], place), place)
    told = text_of(text)
    rest, _, supplementary = (found["extra_details"] or "").partition("\n")
    customer, bank = _references(found, rest, field)
    is_reversal = mark.startswith("R")
    kind = found["id"]
    end_to_end = reference(told.parts.get("EREF"))
    description = told.description or clean(supplementary or (rest if "\n" in field else "")) or ""
    return Line(
        place=place,
        amount_minor=minor,
        currency=currency,
        booked_us=begin_us(booked),
        value_day=day_number(value),
        description=description,
        external_reference=external_reference(
            minor >= 0, end_to_end, _creditor(told), customer, told.parts.get("KREF")
        ),
        end_to_end_id=end_to_end,
        bank_reference=reference(bank),
        transaction_code=clean("/".join(filter(None, (kind, told.code))), 64),
        counterparty_name=clean(told.name),
        counterparty_account=clean(told.account),
        is_reversal=True if is_reversal else None,
        entry_kind=_kind(minor, is_reversal, kind),
    )


def _day(text: str | None, place: str) -> int:
    if text is None or not text.strip().isdigit():
        raise refused(place, "the entry date has a month and no day")
    return int(text)


def _references(found: Any, rest: str, field: str) -> tuple[str | None, str | None]:
    """Return the customer's and the bank's reference; of one that is too long, all of it."""
    customer, bank = found["customer_reference"], found["bank_reference"]
    if rest and "\n" not in field[: found.end("customer_reference") + len(rest)] and bank is None:
        longer, slashes, after = (customer + rest).partition("//")
        return longer, (after if slashes else None)
    return customer, bank


def _creditor(told: Text) -> str | None:
    """Return the creditor reference of a text: in what it is for, else anywhere."""
    said = told.parts.get("SVWZ") or told.parts.get("REMI") or ""
    return creditor_reference(said) or told.parts.get("CDTRREF") or creditor_reference(told.description)


def _kind(minor: int, is_reversal: bool, kind: str | None) -> str | None:
    if minor == 0:
        return INFORMATION
    if is_reversal:
        return REVERSAL
    return FEE if kind and kind[1:].upper() in _FEES else None


def require_fields() -> None:
    """Raises FileRefused where mt-940 is not installed."""
    if not FIELDS:
        raise FileRefused(MISSING)
