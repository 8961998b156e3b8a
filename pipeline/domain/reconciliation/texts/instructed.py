"""Amounts in another currency inside free text: what a bank or the books say was instructed.

`ORIG USD 1,250.00 RATE 1.0821` has (125000, USD). An amount is one if a currency's code is beside it and it
has the currency's decimals, or none where that has none; a comma or a point may come before the decimals.
"""

from __future__ import annotations

import re

from pipeline.domain.kernel.currencies import EXPONENTS
from pipeline.domain.kernel.protected_texts import AMOUNTS_MAX, protected_text
from pipeline.domain.reconciliation.texts.plain import plain

DIGITS_MAX = 15
"""A longer number is no amount."""
_NUMBER = r"(?:\d{1,3}(?:[.,' ]\d{3})+|\d+)(?:[.,]\d{2,4})?"
_END = r"(?![A-Z0-9]|[.,]\d)"
_CODE_FIRST = re.compile(rf"(?<![A-Z0-9])([A-Z]{{3}}) ?({_NUMBER}){_END}")
_CODE_LAST = re.compile(rf"(?<![A-Z0-9.,])({_NUMBER}) ?([A-Z]{{3}}){_END}")
_CODE = re.compile(r"(?<![A-Z])[A-Z]{3}(?![A-Z])")


def instructed_amount(text: str, own_currency: str) -> tuple[int, str] | None:
    """Return the first amount of a text that is in another currency than the item's: minor units, code."""
    return next((one for one in amounts_said(text) if one[1] != own_currency), None)


def amounts_said(text: str) -> tuple[tuple[int, str], ...]:
    """Return the first amount of a text, and its first one in another currency: minor units, code."""
    if (protected := protected_text(text)) is not None:
        return protected.amounts
    words, found = plain(text), dict[str, int]()
    if not any(code in EXPONENTS for code in _CODE.findall(words)):
        return ()  # as nearly always
    said = [*_CODE_FIRST.findall(words), *((code, number) for number, code in _CODE_LAST.findall(words))]
    for code, number in said:
        if code not in found and code in EXPONENTS:
            minor = _minor(number, EXPONENTS[code])
            if minor:
                found[code] = minor
                if len(found) == AMOUNTS_MAX:
                    break
    return tuple((minor, code) for code, minor in found.items())


def _minor(number: str, exponent: int) -> int | None:
    """Return an amount in minor units; None if it has not the decimals of its currency."""
    decimals = number[-exponent - 1 : -exponent] in (".", ",") if exponent else True
    digits = re.sub(r"\D", "", number)
    return int(digits) if decimals and len(digits) <= DIGITS_MAX else None
