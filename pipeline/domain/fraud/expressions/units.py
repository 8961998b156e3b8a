"""Units of the language: what a number counts, how it is written, and how it is stored (an integer).

    unit      written            stored as
    count     7, 1_000           itself
    amount    950 EUR, 9.50 EUR  minor units of the currency (exponents of ISO 4217)
    duration  24 h, 30 s         whole seconds: s, min, h, d, w (7 d)
    share     35 %, 0.25 %       hundredths of a percent (10,000 is all of it)
    sd        6 sd, 6.25 sd      hundredths of a standard deviation

A number that has more decimals than its unit is refused, never rounded.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.currencies import EXPONENTS
from pipeline.domain.kernel.money import INT64_MAX

COUNT_KIND, AMOUNT_KIND, DURATION_KIND, SHARE_KIND, SD_KIND = "count", "amount", "duration", "share", "sd"
BOOLEAN_KIND, TEXT_KIND = "boolean", "text"
KINDS = (COUNT_KIND, AMOUNT_KIND, DURATION_KIND, SHARE_KIND, SD_KIND, BOOLEAN_KIND, TEXT_KIND)
WHOLE_SHARE = 10_000
"""A share of 100 %."""
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Unit(msgspec.Struct, frozen=True):
    """What a value is: the kind, and the currency of an amount."""

    kind: str
    currency: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no kind of unit; known: {', '.join(KINDS)}")
        if (self.kind == AMOUNT_KIND) != (self.currency is not None):
            raise ValueError("an amount has a currency, and nothing else has one")
        if self.currency is not None and self.currency not in EXPONENTS:
            raise ValueError(f"{self.currency!r} is no active ISO 4217 code, such as EUR")

    @property
    def is_number(self) -> bool:
        """Whether values are integers; others are booleans or texts."""
        return self.kind not in (BOOLEAN_KIND, TEXT_KIND)

    def __str__(self) -> str:
        if self.kind == AMOUNT_KIND:
            return f"an amount in {self.currency}"
        return _IN_WORDS[self.kind]


_IN_WORDS = {
    COUNT_KIND: "a count",
    DURATION_KIND: "a duration",
    SHARE_KIND: "a share (%)",
    SD_KIND: "standard deviations (sd)",
    BOOLEAN_KIND: "a boolean",
    TEXT_KIND: "a text",
}
COUNT, DURATION, SHARE, SD = Unit(COUNT_KIND), Unit(DURATION_KIND), Unit(SHARE_KIND), Unit(SD_KIND)
BOOLEAN, TEXT = Unit(BOOLEAN_KIND), Unit(TEXT_KIND)


def amount(currency: str) -> Unit:
    """Return the unit of amounts in a currency. Raises ValueError for one that is not active."""
    return Unit(AMOUNT_KIND, currency)


def suffix_unit(suffix: str) -> Unit | None:
    """Return the unit that is written after a number, such as `EUR`, `h`, `%`; None if there is none."""
    if suffix in EXPONENTS:
        return Unit(AMOUNT_KIND, suffix)
    if suffix in SECONDS:
        return DURATION
    return {"%": SHARE, "sd": SD}.get(suffix)


def decimals_of(unit: Unit) -> int:
    """Return how many decimals the values of a unit have as they are written."""
    if unit.currency is not None:
        return EXPONENTS[unit.currency]
    return 2 if unit.kind in (SHARE_KIND, SD_KIND) else 0


def scaled(whole: str, fraction: str, suffix: str) -> int:
    """Return a written number (digits only) as its unit stores it.

    Raises ValueError, in words, for too many decimals and for what does not fit into 64 bits.
    """
    unit = suffix_unit(suffix) if suffix else COUNT
    if unit is None:
        raise ValueError(f"unknown unit {suffix}")
    decimals = decimals_of(unit)
    if len(fraction) > decimals:
        at_most = f"at most {decimals} decimals" if decimals else "no decimals"
        raise ValueError(f"{suffix or 'a count'} has {at_most}")
    value: int = int(whole) * 10**decimals + int(fraction.ljust(decimals, "0") or "0")
    value *= SECONDS.get(suffix, 1)
    if value > INT64_MAX:
        raise ValueError("the number does not fit into 64 bits")
    return value


def shown(value: int, unit: Unit) -> str:
    """Return a number as the language writes it: the one form of it, which reads back as the same value."""
    sign, size = ("-", -value) if value < 0 else ("", value)
    if unit.kind == DURATION_KIND:
        suffix = next(name for name in ("d", "h", "min", "s") if size % SECONDS[name] == 0)
        if size == 0:
            suffix = "s"
        return f"{sign}{_grouped(size // SECONDS[suffix])} {suffix}"
    decimals = decimals_of(unit)
    whole, fraction = divmod(size, 10**decimals)
    digits = _grouped(whole)
    if fraction:
        written = f"{fraction:0{decimals}d}"
        digits += "." + (written if unit.currency else written.rstrip("0"))
    suffix = unit.currency or {SHARE_KIND: "%", SD_KIND: "sd"}.get(unit.kind, "")
    return f"{sign}{digits} {suffix}".rstrip()


def told(value: int, unit: Unit) -> str:
    """Return a number for people: `9,500.00 EUR`, `70 d 3 h`, `6.25 standard deviations`.

    A duration has its two largest units; what is below them is left out.
    """
    sign, size = ("-", -value) if value < 0 else ("", value)
    if unit.kind == DURATION_KIND:
        return sign + _in_two_units(size)
    decimals = decimals_of(unit)
    whole, fraction = divmod(size, 10**decimals)
    written = f"{fraction:0{decimals}d}" if decimals else ""
    if unit.currency is None:
        written = written.rstrip("0")
    suffix = unit.currency or {SHARE_KIND: "%", SD_KIND: "standard deviations"}.get(unit.kind, "")
    return f"{sign}{whole:,}{'.' if written else ''}{written} {suffix}".rstrip()


def _in_two_units(size: int) -> str:
    names = ("d", "h", "min", "s")
    first = next((place for place, name in enumerate(names) if size >= SECONDS[name]), len(names) - 1)
    largest, *next_one = names[first : first + 2]
    whole, rest = divmod(size, SECONDS[largest])
    smaller = [f" {rest // SECONDS[name]} {name}" for name in next_one if rest >= SECONDS[name]]
    return f"{whole:,} {largest}{''.join(smaller)}"


def _grouped(value: int) -> str:
    return f"{value:_}" if value >= 10_000 else str(value)
