"""Amounts of statements: decimal text of a currency in minor units, exactly or not at all."""

from __future__ import annotations

import re

from pipeline.domain.kernel.currencies import EXPONENTS, flaw_of
from pipeline.domain.reconciliation.bounds import AMOUNT_LIMIT
from pipeline.statement_files.form import refused

_NUMBER = re.compile(r"([+-]?)([0-9]{0,30})(?:[.,]([0-9]{0,30}))?", re.ASCII)
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}", re.ASCII)


def checked_currency(text: str, place: str) -> str:
    """Return the code of an active currency. Raises FileRefused."""
    code = text.strip().upper()
    if flaw := flaw_of(code):
        raise refused(place, f"{text[:20]!r} is no currency that an account can have: {flaw}")
    return code


def minor_of(text: str, currency: str, place: str) -> int:
    """Return a decimal number, with a point or a comma, in minor units of a currency. Raises FileRefused.

    More decimals than the currency has are allowed where they are zeros.
    """
    digits, given = EXPONENTS[currency], text.strip()
    found = _NUMBER.fullmatch(given)
    if found is None or not (found[2] or found[3]):
        raise refused(
            place, f"{text[:40]!r} is no amount: digits with at most one point or comma are expected"
        )
    part = found[3] or ""
    if part[digits:].strip("0"):
        raise refused(
            place,
            f"{given[:40]} has more decimals than {currency}, which has {digits}: ask the bank what it means",
        )
    return _bounded(int(f"{found[1]}{found[2]}{part[:digits].ljust(digits, '0')}"), place)


def whole_minor(text: str, place: str) -> int:
    """Return a whole number of minor units. Raises FileRefused."""
    if _WHOLE.fullmatch(text.strip()) is None:
        raise refused(place, f"{text[:40]!r} is no amount: digits alone are expected")
    return _bounded(int(text), place)


def _bounded(minor: int, place: str) -> int:
    if abs(minor) > AMOUNT_LIMIT:
        raise refused(place, "the amount is larger than any that can be kept (2^61 minor units)")
    return minor
