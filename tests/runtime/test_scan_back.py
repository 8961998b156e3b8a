"""Scans from the end: the partition's store and the rows in memory say the same as a scan from the front."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.kernel.rows import MemoryRows, RowsBothWays
from pipeline.runtime.store.database import open_database
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.store.scans import behind, stored_down

LEFT = [(b"a0", b"committed"), (b"a1", b"under way"), (b"a4", b"pending"), (b"a5", b"pending")]


@pytest.fixture(params=["store", "memory"])
def layered(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RowsBothWays]:
    """Return rows that are committed, under way and pending, where there are such; some are deleted again."""
    store = PartitionStore(tmp_path / "rows")
    rows: RowsBothWays = store if request.param == "store" else MemoryRows()
    for key in (b"a0", b"a1", b"a2", b"a3", b"b1"):
        rows.put(key, b"committed")
    store.take()
    store.commit(1)
    rows.put(b"a1", b"under way")
    rows.delete(b"a2")
    rows.put(b"a4", b"under way")
    store.take()
    rows.delete(b"a3")
    rows.put(b"a4", b"pending")
    rows.put(b"a5", b"pending")
    yield rows
    store.close()


@pytest.mark.parametrize("before", [b"", b"a", b"a0", b"a00", b"a1", b"a3", b"a4", b"a5", b"a6", b"b", b"z"])
def test_it_begins_below_a_key_and_goes_down(before: bytes, layered: RowsBothWays) -> None:
    wanted = [row for row in LEFT if row[0] < before][::-1]
    assert list(layered.scan_back(b"a", before)) == wanted
    everything = [row for row in [*LEFT, (b"b1", b"committed")] if row[0] < before][::-1]
    assert list(layered.scan_back(b"", before)) == everything


def test_it_sees_nothing_that_is_written_while_it_runs(layered: RowsBothWays) -> None:
    seen = []
    for key, value in layered.scan_back(b"a", b"b"):
        seen.append((key, value))
        layered.delete(key)
        layered.put(b"a05", b"later")
    assert seen == LEFT[::-1]
    assert list(layered.scan_back(b"a", b"b")) == [(b"a05", b"later")]


@pytest.mark.parametrize("prefix", [b"", b"\xff", b"\xff\xff", b"a\xff"])
def test_a_prefix_may_be_the_last_one_of_all(prefix: bytes, tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "rows")
    keys = [b"a", b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\x01", b"\xff\xff", b"\xff\xff\x01"]
    for key in keys:
        store.put(key, b"")
    for layer in ("pending", "committed"):
        found = [key for key, _ in store.scan_back(prefix, b"\xff\xff\xff")]
        assert found == [key for key in reversed(keys) if key.startswith(prefix)], layer
        if layer == "pending":
            store.take()
            store.commit(7)
    store.close()


def test_a_bounded_look_reads_no_more_than_it_is_asked_for(tmp_path: Path) -> None:
    """What it does not read must not be read: an index may have a million rows in front of the place."""
    database = open_database(tmp_path / "rows")
    for number in range(1_000):
        database[b"j%04d" % number] = b""
    read: list[bytes] = []

    class Counting:
        def keys(self, **about: Any) -> Iterator[Any]:
            for key in database.keys(**about):
                read.append(key)
                yield key

        def items(self, **about: Any) -> Iterator[Any]:
            for key, value in database.items(**about):
                read.append(key)
                yield key, value

    counting: Any = Counting()
    found = [key for key, _ in islice(stored_down(counting, b"j", b"j0500"), 3)]
    assert found == [b"j0499", b"j0498", b"j0497"]
    assert len(read) == 4, "where it ends, and what was asked for"
    assert list(stored_down(counting, b"k", b"l")) == [] and len(read) == 4
    database.close()


@pytest.mark.parametrize(
    ("prefix", "wanted"),
    [(b"", None), (b"\xff\xff", None), (b"a", b"b"), (b"a\xff", b"b"), (b"a\0", b"a\x01")],
)
def test_what_is_behind_a_prefix(prefix: bytes, wanted: bytes | None) -> None:
    assert behind(prefix) == wanted
