"""Two versions of the same rows beside each other, in the order of their keys, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

Row = TypeVar("Row")
Value = int | str | None

SHOWN_MAX = 10_000


class Difference(msgspec.Struct, frozen=True):
    """A field that the two versions do not agree on; None where a version has no such row."""

    branch: int
    kind: str
    """account, payment, leg, ..."""
    name: str
    """tenant/account, tenant/payment, ..."""
    field: str
    live: Value
    rebuilt: Value


class Differences:
    """What was compared, how much of it differs, and the first differences."""

    def __init__(self, limit: int) -> None:
        self.compared: Counter[str] = Counter()
        """Rows by kind."""
        self.differing: Counter[str] = Counter()
        """Rows by kind, of which at least one field differs."""
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
        """Compare a row, field by field; None where a version has it not."""
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


def beside(
    live: Iterator[tuple[bytes, Row]], rebuilt: Iterator[tuple[bytes, Row]]
) -> Iterator[tuple[bytes, Row | None, Row | None]]:
    """Yield each key of two versions in order with the row of both, None where there is none."""
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
