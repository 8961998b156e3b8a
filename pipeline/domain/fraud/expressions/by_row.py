"""An expression for one payment: a function of its features. None is unknown, and only True lets a rule fire.

x < y, x + y ...  unknown where a part is unknown
not x             unknown where x is unknown
x and y           false where one is false, else unknown where one is unknown
x or y            true where one is true, else unknown where one is unknown
known(x)          true or false, never unknown
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.domain.fraud.expressions import arithmetic
from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.catalogue import Catalogue
from pipeline.domain.fraud.expressions.checking import unit_of
from pipeline.domain.fraud.expressions.units import BOOLEAN_KIND, COUNT, SHARE, TEXT_KIND
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN

Row = Mapping[str, int | bool | str | None]
"""Features of one payment by name; one that is missing is unknown, as is a number above 64 bits."""
Entries = Mapping[str, Mapping[str, int]]
"""By name of a list: each entry, and the event time (microseconds UTC) at which it is no longer on it."""
RowFunction = Callable[[Row, int], Any]
"""(features, event time of the payment in microseconds UTC) -> int, bool, text or None."""

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def row_function(node: tree.Node, catalogue: Catalogue, lists: Entries) -> RowFunction:
    """Return the function of an expression that was checked (`checking`). Raises TypeError for no node."""
    match node:
        case tree.Number() | tree.Text() | tree.Boolean():
            value = node.value
            return lambda row, at_us: value
        case tree.Name():
            return _feature(node.name, catalogue)
        case tree.InList():
            return _on_list(row_function(node.part, catalogue, lists), lists[node.name])
        case tree.In():
            return _in_set(row_function(node.part, catalogue, lists), node)
    parts = [row_function(part, catalogue, lists) for part in tree.parts_of(node)]
    match node:
        case tree.All():
            return _all(parts)
        case tree.Any():
            return _any(parts)
        case tree.Comparison():
            return _strict(COMPARE[node.sign], *parts)
        case tree.Arithmetic():
            sign = sign_of(node, catalogue)
            return _strict(lambda left, right: arithmetic.one(sign, left, right), *parts)
        case tree.Call():
            return _call(node.function, parts)
        case tree.Not():
            return _single(operator.not_, parts[0])
        case tree.Negative():
            return _single(arithmetic.negative, parts[0])
    raise TypeError(f"{type(node).__name__} is no node of an expression")


def sign_of(node: tree.Arithmetic, catalogue: Catalogue) -> str:
    """Return the sign of `arithmetic` for a node: a product with a share is another one than a plain one."""
    if node.sign == "*":
        units = [unit_of(part, catalogue) for part in (node.left, node.right)]
        if SHARE in units and COUNT not in units:
            return arithmetic.SHARE_OF
    return node.sign


def _feature(name: str, catalogue: Catalogue) -> RowFunction:
    feature = catalogue.get(name)
    assert feature is not None, name  # the expression was checked
    if feature.unit.kind in (BOOLEAN_KIND, TEXT_KIND):
        return lambda row, at_us: row.get(name)

    def number(row: Row, at_us: int) -> int | None:
        value = row.get(name)
        # Not `money.fits`: a call costs as much as the comparison, and each rule asks several features.
        return value if value is not None and INT64_MIN <= value <= INT64_MAX else None  # type: ignore[operator, return-value]

    return number


def _strict(function: Callable[[Any, Any], Any], left: RowFunction, right: RowFunction) -> RowFunction:
    def found(row: Row, at_us: int) -> Any:
        one = left(row, at_us)
        if one is None:
            return None
        other = right(row, at_us)
        return None if other is None else function(one, other)

    return found


def _single(function: Callable[[Any], Any], part: RowFunction) -> RowFunction:
    def found(row: Row, at_us: int) -> Any:
        value = part(row, at_us)
        return None if value is None else function(value)

    return found


def _all(parts: list[RowFunction]) -> RowFunction:
    def found(row: Row, at_us: int) -> bool | None:
        answer: bool | None = True
        for part in parts:
            value = part(row, at_us)
            if value is None:
                answer = None
            elif not value:
                return False
        return answer

    return found


def _any(parts: list[RowFunction]) -> RowFunction:
    def found(row: Row, at_us: int) -> bool | None:
        answer: bool | None = False
        for part in parts:
            value = part(row, at_us)
            if value is None:
                answer = None
            elif value:
                return True
        return answer

    return found


def _call(function: str, parts: list[RowFunction]) -> RowFunction:
    if function == "known":
        part = parts[0]
        return lambda row, at_us: part(row, at_us) is not None
    if function == "abs":
        return _single(lambda value: value if value >= 0 else arithmetic.negative(value), parts[0])
    choose: Callable[..., Any] = min if function == "min" else max

    def chosen(row: Row, at_us: int) -> int | None:
        values = [part(row, at_us) for part in parts]
        return None if None in values else choose(values)

    return chosen


def _in_set(part: RowFunction, node: tree.In) -> RowFunction:
    members = frozenset(member.value for member in node.members)
    return _single(members.__contains__, part)


def _on_list(part: RowFunction, entries: Mapping[str, int]) -> RowFunction:
    def found(row: Row, at_us: int) -> bool | None:
        value = part(row, at_us)
        if value is None:
            return None
        until_us = entries.get(value)
        return until_us is not None and at_us < until_us

    return found
