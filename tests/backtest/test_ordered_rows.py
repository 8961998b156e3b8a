"""Rows that are kept in order say what rows in a dict say, also while they are written."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from pipeline.backtest.matching.ordered_rows import OrderedRows
from pipeline.domain.kernel.rows import MemoryRows

LETTERS = (b"a", b"b", b"\xff")


def key_of(chance: Random, longest: int = 4) -> bytes:
    """Return a short key; also of bytes that have none above them."""
    return b"".join(chance.choice(LETTERS) for _ in range(chance.randint(1, longest)))


def backward(rows: MemoryRows, prefix: bytes, before: bytes) -> list[tuple[bytes, bytes]]:
    """Return what a scan from the end has to yield."""
    return [row for row in reversed(list(rows.scan(prefix))) if row[0] < before]


@pytest.mark.parametrize("seed", range(20))
def test_scans_see_no_later_write(seed: int) -> None:
    chance = Random(seed)
    ordered, plain = OrderedRows(), MemoryRows()
    running: list[tuple[object, list[tuple[bytes, bytes]]]] = []
    for step in range(600):
        key, value = key_of(chance), str(step).encode()
        if chance.random() < 0.6:
            ordered.put(key, value)
            plain.put(key, value)
        else:
            ordered.delete(key)
            plain.delete(key)
        assert ordered.get(key) == plain.get(key)
        prefix, other = key_of(chance, 2), key_of(chance)
        if chance.random() < 0.5:
            running.append((ordered.scan(prefix, other), list(plain.scan(prefix, other))))
        else:
            running.append((ordered.scan_back(prefix, other), backward(plain, prefix, other)))
        scan, left = running[chance.randrange(len(running))]
        count = chance.randint(0, 5)
        assert list(islice(scan, count)) == left[:count]  # type: ignore[call-overload]
        del left[:count]
        if len(running) > 8:
            scan, left = running.pop(0)
            assert list(scan) == left  # type: ignore[call-overload]


def test_a_scan_goes_on_over_many_rows() -> None:
    rows = OrderedRows()
    rows.put_many((b"k%05d" % number, b"") for number in range(1_000))
    forward, back = rows.scan(b"k"), rows.scan_back(b"k", b"k00900")
    assert [next(forward)[0] for _ in range(40)] == [b"k%05d" % number for number in range(40)]
    rows.delete(b"k00500")
    rows.put(b"k00040x", b"")
    assert [key for key, _ in forward] == [b"k%05d" % number for number in range(40, 1_000)]
    assert next(back)[0] == b"k00899"
    assert sum(1 for _ in back) == 899
