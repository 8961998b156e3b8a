"""What a condition says of a payment: true, false or unknown; a number, or a text. And how it is written.

Unknown is None. A number that does not fit into 64 bits is unknown, as is a division by 0; a quotient and a
share of something are rounded down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.verify.model.currencies import DIGITS
from pipeline.verify.model.fraud_conditions import COMPARED, Part
from pipeline.verify.model.fraud_words import COUNT, DURATION, SECONDS, SHARE, decimals_of

Row = Mapping[str, Any]
Entries = Mapping[str, Mapping[str, int | None]]
"""By list: its entries, and when each is over."""
Answer = Callable[[Row, int], Any]
"""(features, event time in microseconds) -> what a part says."""
WHOLE = 10_000
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}


def fitting(value: int) -> int | None:
    """Return a number that fits into 64 bits, or unknown."""
    return value if -(2**63) <= value < 2**63 else None


def answer(part: Part, lists: Entries) -> Answer:
    """Return what a condition says, as a function of a payment's features and time."""
    below = [answer(one, lists) for one in part.parts]
    kind, value = part.kind, part.value
    if kind in ("number", "text", "boolean"):
        return lambda row, at_us: value
    if kind == "name":
        return lambda row, at_us: named(row.get(value))
    if kind in ("and", "or"):
        decisive = kind == "or"
        return lambda row, at_us: joined(decisive, below, row, at_us)
    if kind == "known":
        return lambda row, at_us: below[0](row, at_us) is not None
    if kind == "list":
        entries = lists[value]
        return one_part(below[0], lambda found, at_us: is_on(entries, found, at_us))
    if kind == "in":
        return one_part(below[0], lambda found, at_us: found in value)
    if kind == "not":
        return one_part(below[0], lambda found, at_us: not found)
    if kind == "negative":
        return one_part(below[0], lambda found, at_us: fitting(-found))
    if kind == "abs":
        return one_part(below[0], lambda found, at_us: fitting(abs(found)))
    return all_parts(below, calculation(part))


def named(value: Any) -> Any:
    """Return a feature's value; one that does not fit into 64 bits is unknown."""
    return fitting(value) if isinstance(value, int) and not isinstance(value, bool) else value


def joined(decisive: bool, below: list[Answer], row: Row, at_us: int) -> bool | None:
    """Return what `or` (decisive: true) or `and` says: what decides it, else unknown if a part is."""
    unknown = False
    for one in below:
        said = one(row, at_us)
        if said is decisive:
            return bool(decisive)
        unknown = unknown or said is None
    return None if unknown else not decisive


def is_on(entries: Mapping[str, int | None], value: str, at_us: int) -> bool:
    """Whether a value is on a list: at its time an entry is over."""
    if value not in entries:
        return False
    until_us = entries[value]
    return until_us is None or at_us < until_us


def one_part(below: Answer, rule: Callable[[Any, int], Any]) -> Answer:
    """Return a function that is unknown where its part is."""

    def said(row: Row, at_us: int) -> Any:
        found = below(row, at_us)
        return None if found is None else rule(found, at_us)

    return said


def all_parts(below: list[Answer], rule: Callable[..., Any]) -> Answer:
    """Return a function of several parts, unknown where one of them is."""

    def said(row: Row, at_us: int) -> Any:
        found = [one(row, at_us) for one in below]
        return None if None in found else rule(*found)

    return said


def calculation(part: Part) -> Callable[..., Any]:
    """Return a comparison, a sum, a product, a quotient, the least or the greatest."""
    kind, units = part.kind, [one.unit for one in part.parts]
    if kind in COMPARED:
        return ORDERS[kind]
    if kind in ("min", "max"):
        return min if kind == "min" else max
    if kind == "+":
        return lambda left, right: fitting(left + right)
    if kind == "-":
        return lambda left, right: fitting(left - right)
    if kind == "/":
        return lambda left, right: fitting(left // right) if right else None
    if SHARE in units and COUNT not in units:
        return share_of
    return lambda left, right: fitting(left * right)


def share_of(left: int, right: int) -> int | None:
    product = fitting(left * right)
    return None if product is None else product // WHOLE


def shown(value: int, unit: str) -> str:
    """Return a number as the language writes it."""
    sign, size = ("-", -value) if value < 0 else ("", value)
    if unit == DURATION:
        suffix = next(name for name in ("d", "h", "min", "s") if size % SECONDS[name] == 0)
        suffix = suffix if size else "s"
        return f"{sign}{grouped(size // SECONDS[suffix])} {suffix}"
    decimals = decimals_of(unit)
    whole, fraction = divmod(size, 10**decimals)
    digits = grouped(whole)
    if fraction:
        written = f"{fraction:0{decimals}d}"
        digits += "." + (written if unit in DIGITS else written.rstrip("0"))
    suffix = unit if unit in DIGITS else {SHARE: "%", "sd": "sd"}.get(unit, "")
    return f"{sign}{digits} {suffix}".rstrip()


def for_people(value: int, unit: str) -> str:
    """Return a number as reasons have it: grouped by thousands, a duration in its two largest units."""
    size, sign = abs(value), "-" * (value < 0)
    if unit == DURATION:
        parts = []
        for seconds, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
            parts.append((size // seconds, name))
            size %= seconds
        while len(parts) > 1 and not parts[0][0]:
            del parts[0]
        return sign + " ".join(f"{count:,} {name}" for count, name in parts[:2] if count or len(parts) == 1)
    decimals = decimals_of(unit)
    digits = f"{size:0{decimals + 1}d}"
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    if unit not in DIGITS:
        part = part.rstrip("0")
    words = {SHARE: " %", "sd": " standard deviations"}.get(unit, f" {unit}" if unit in DIGITS else "")
    return f"{sign}{int(whole):,}{f'.{part}' if part else ''}{words}"


def grouped(value: int) -> str:
    return f"{value:_}" if value >= 10_000 else str(value)


def worded(part: Part) -> str:
    """Return the one text of a condition."""
    return written(part)[0]


BINDS = {"or": 1, "and": 2, "not": 3, **dict.fromkeys((*COMPARED, "in", "list"), 4)}
BINDS |= {"+": 5, "-": 5, "*": 6, "/": 6, "negative": 7}


def inside(part: Part, least: int) -> str:
    """Return a part's text, in brackets where it binds less than what is around it."""
    text, binds = written(part)
    return f"({text})" if binds < least else text


def written(part: Part) -> tuple[str, int]:
    """Return a part's text, and how it binds."""
    kind, value, parts = part.kind, part.value, part.parts
    binds = BINDS.get(kind, 8)
    if kind in ("and", "or"):
        return f" {kind} ".join(inside(one, binds + 1) for one in parts), binds
    if kind == "not":
        below = parts[0]
        if below.kind in ("in", "list"):
            return f"{inside(below.parts[0], 5)} not in {members(below)}", 4
        return f"not {inside(below, 3)}", binds
    if kind in ("in", "list"):
        return f"{inside(parts[0], 5)} in {members(part)}", binds
    if kind in COMPARED:
        return f"{inside(parts[0], 5)} {kind} {inside(parts[1], 5)}", binds
    if kind in ("+", "-", "*", "/"):
        return f"{inside(parts[0], binds)} {kind} {inside(parts[1], binds + 1)}", binds
    if kind == "negative":
        return f"-{inside(parts[0], 7)}", binds
    if kind in ("known", "min", "max", "abs"):
        return f"{kind}({', '.join(worded(one) for one in parts)})", binds
    if kind == "number":
        return shown(value, part.unit), 7 if value < 0 else 8
    if kind == "text":
        return quoted(value), binds
    return ("true" if value else "false") if kind == "boolean" else value, binds


def members(part: Part) -> str:
    """Return the members of a set, or the list."""
    if part.kind == "list":
        return f"list({quoted(part.value)})"
    unit = part.parts[0].unit
    each = [quoted(one) if isinstance(one, str) else shown(one, unit) for one in part.value]
    return f"[{', '.join(each)}]"


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
