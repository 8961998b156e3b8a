"""Compares two versions of the same rows in key order, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

Row = TypeVar("Row")
Value = int | str | None

SHOWN_MAX = 10_000


class Difference(msgspec.Struct, frozen=True):
    """A field with two values; None where a version has no such row."""

    branch: int
    kind: str
    """account, payment, leg, ..."""
    name: str
    """tenant/account, tenant/payment, ..."""
    field: str
    live: Value
    rebuilt: Value


class Differences:
    """Counts of compared and differing rows, and the first differences."""

    def __init__(self, limit: int) -> None:
        self.compared: Counter[str] = Counter()
        """Compared rows by kind."""
        self.differing: Counter[str] = Counter()
        """Rows with at least one differing field, by kind."""
        self.shown: list[Difference] = []
        self._limit = min(limit, SHOWN_MAX)

    @property
    def found(self) -> int:
        """How many rows differ."""
        return self.differing.total()

    def same(self, kind: str) -> None:
        """Count a row that is the same in both versions."""
        self.compared[kind] += 1

    def add(
        self,
        branch: int,
        kind: str,
        name: str,
        live: dict[str, Value] | None,
        rebuilt: dict[str, Value] | None,
    ) -> None:
        """Compare a row field by field; None where a version has no such row."""
        self.compared[kind] += 1
        if live == rebuilt:
            return
        self.differing[kind] += 1
        one, other = live or {}, rebuilt or {}
        for field in dict.fromkeys((*one, *other)):
            if len(self.shown) == self._limit:
                return
            values = one.get(field), other.get(field)
            if values[0] != values[1]:
                self.shown.append(Difference(branch, kind, name, field, *values))


def merged_by_key(
    live: Iterator[tuple[bytes, Row]], rebuilt: Iterator[tuple[bytes, Row]]
) -> Iterator[tuple[bytes, Row | None, Row | None]]:
    """Yield each key with its row in both versions, in key order; None where a version has no such row."""
    one: Any = next(live, None)
    other: Any = next(rebuilt, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            yield one[0], one[1], None
            one = next(live, None)
        elif one is None or other[0] < one[0]:
            yield other[0], None, other[1]
            other = next(rebuilt, None)
        else:
            yield one[0], one[1], other[1]
            one, other = next(live, None), next(rebuilt, None)
