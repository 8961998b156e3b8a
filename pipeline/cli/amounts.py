"""Amounts in the terminal: with the decimals of their currency, and back from what people write."""

from __future__ import annotations

import re

from pipeline.cli.problems import BadInput
from pipeline.domain.kernel.amounts import amount_text
from pipeline.domain.kernel.currencies import EXPONENTS, flaw_of
from pipeline.domain.kernel.money import INT64_MAX
from pipeline.domain.kernel.rates import is_rate

_NUMBER = re.compile(r"([0-9]{1,19})(?:\.([0-9]+))?", re.ASCII)


def money(minor: int, currency: str) -> str:
    """Return an amount of minor units in its currency, exactly."""
    text = amount_text(minor, currency)
    if text is None:
        return f"{minor:,} minor units of {currency}"
    whole, point, part = text.removeprefix("-").partition(".")
    return f"{'-' if minor < 0 else ''}{int(whole):,}{point}{part} {currency}"


def rate_e8(text: str) -> int:
    """Return a rate as people write it (1.08) in units of 1e-8. Raises BadInput, also for nine decimals."""
    found = _NUMBER.fullmatch(text)
    part = (found[2] or "") if found else ""
    rate = int(found[1] + part.ljust(8, "0")) if found and len(part) <= 8 else 0
    if not is_rate(rate):
        raise BadInput(f"{text!r} is no rate: write a number above 0 with up to eight decimals, such as 1.08")
    return rate


def minor_units(text: str, currency: str) -> int:
    """Return an amount as people write it (12.50) in minor units. Raises BadInput, also for more decimals."""
    if flaw := flaw_of(currency):
        raise BadInput(f"{currency!r} is no currency of an account: {flaw}")
    digits = EXPONENTS[currency]
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise BadInput(f"{text!r} is no amount: write a number such as 12.50, with a point and no sign")
    part = found[2] or ""
    if len(part) > digits:
        raise BadInput(f"{text} has more decimals than {currency}, which has {digits}")
    minor = int(found[1] + part.ljust(digits, "0"))
    if minor > INT64_MAX:
        raise BadInput(f"{text} {currency} is more than an event can carry")
    return minor
