"""Integers of 64 bits whose overflow is unknown, one by one and in columns, with the same answers.

    x + y, x - y, x * y, -x, abs(x)   unknown where the result does not fit into 64 bits
    x / y                             rounded down (towards minus infinity); unknown where y is 0
    share * x                         the product by 10,000, rounded down; unknown where that does not fit

A column is an int64 array and which of its values are known; None: all are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.domain.fraud.expressions.units import WHOLE_SHARE
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN, fits

Known = np.ndarray | None
Column = tuple[np.ndarray, Known]
SHARE_OF = "% of"
"""The sign of a product with a share."""


def one(sign: str, left: int, right: int) -> int | None:
    """Return the result for two integers of 64 bits; None: unknown."""
    if sign == "+":
        found = left + right
    elif sign == "-":
        found = left - right
    elif sign == "/":
        if right == 0:
            return None
        found = left // right
    else:
        found = left * right
    if not fits(found):
        return None
    return found // WHOLE_SHARE if sign == SHARE_OF else found


def negative(value: int) -> int | None:
    """Return the negative of an integer of 64 bits; None: unknown."""
    return None if value == INT64_MIN else -value


def columns(sign: str, left: Column, right: Column) -> Column:
    """Return the results for two columns."""
    found, fitting = _BY_SIGN[sign](left[0], right[0])
    return found, both(both(left[1], right[1]), fitting)


def negative_column(column: Column) -> Column:
    """Return the negatives of a column."""
    values, known = column
    if values.size == 0 or values.min() > INT64_MIN:
        return -values, known
    return -values, both(known, values != INT64_MIN)


def absolute_column(column: Column) -> Column:
    """Return the absolute values of a column."""
    values, known = column
    if values.size == 0 or values.min() > INT64_MIN:
        return np.abs(values), known
    return np.abs(values), both(known, values != INT64_MIN)


def both(left: Known, right: Known) -> Known:
    """Return which values are known in both."""
    if left is None:
        return right
    return left if right is None else left & right


def _sum(left: np.ndarray, right: np.ndarray) -> Column:
    found = left + right
    wrong = ((left ^ found) & (right ^ found)) < 0
    return found, ~wrong if wrong.any() else None


def _difference(left: np.ndarray, right: np.ndarray) -> Column:
    found = left - right
    wrong = ((left ^ right) & (left ^ found)) < 0
    return found, ~wrong if wrong.any() else None


def _product(left: np.ndarray, right: np.ndarray) -> Column:
    found = left * right
    if left.size == 0 or _largest(left) * _largest(right) <= INT64_MAX:
        return found, None
    # What has wrapped around does not divide back. -1 is looked at apart: dividing by it may wrap again.
    divisor = np.where((left == 0) | (left == -1), 1, left)
    divides = (np.floor_divide(found, divisor) == right) & (np.remainder(found, divisor) == 0)
    return found, np.where(left == 0, True, np.where(left == -1, right != INT64_MIN, divides))


def _share_of(left: np.ndarray, right: np.ndarray) -> Column:
    found, fitting = _product(left, right)
    return np.floor_divide(found, WHOLE_SHARE), fitting


def _quotient(left: np.ndarray, right: np.ndarray) -> Column:
    zero = right == 0
    wrong = zero | ((left == INT64_MIN) & (right == -1))
    if not wrong.any():
        return np.floor_divide(left, right), None
    return np.floor_divide(left, np.where(wrong, 1, right)), ~wrong


def _largest(values: np.ndarray) -> int:
    return max(abs(int(values.min())), abs(int(values.max())))


_BY_SIGN: dict[str, Callable[[np.ndarray, np.ndarray], Column]] = {
    "+": _sum,
    "-": _difference,
    "*": _product,
    SHARE_OF: _share_of,
    "/": _quotient,
}
