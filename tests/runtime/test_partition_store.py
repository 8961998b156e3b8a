"""A table's partition: what is not committed is seen and can be lost, what is committed is neither."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.runtime.store import partition_store
from pipeline.runtime.store.partition_store import PartitionStore
from tests.progress import eventually, run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "ledger-0.rocks"


@pytest.fixture
def store(path: Path) -> Iterator[PartitionStore]:
    opened = PartitionStore(path)
    yield opened
    opened.close()


def commit(store: PartitionStore, offset: int | None = None) -> None:
    """Commit what is pending, as a transaction does that nothing interferes with."""
    store.take()
    store.commit(offset)


def reopen(store: PartitionStore) -> PartitionStore:
    """Close a database and open it again, as a restart does."""
    store.close()
    return PartitionStore(store.path)


def test_a_new_store_is_empty(store: PartitionStore) -> None:
    assert store.get(b"a") is None
    assert list(store.scan(b"")) == []
    assert (store.changelog_offset, store.pending_rows) == (0, 0)


def test_a_row_is_read_back_at_every_stage_of_its_transaction(store: PartitionStore) -> None:
    store.put(b"a", b"1")
    assert (store.get(b"a"), store.committed_get(b"a")) == (b"1", None)
    assert store.take() == {b"a": b"1"}
    assert (store.get(b"a"), store.committed_get(b"a")) == (b"1", None)
    store.commit(7)
    assert (store.get(b"a"), store.committed_get(b"a")) == (b"1", b"1")


def test_what_comes_while_a_transaction_is_under_way_belongs_to_the_next(store: PartitionStore) -> None:
    store.put(b"a", b"1")
    store.put(b"b", b"1")
    taken = store.take()
    store.put(b"a", b"2")
    store.delete(b"b")
    assert taken == {b"a": b"1", b"b": b"1"}
    assert (store.get(b"a"), store.get(b"b")) == (b"2", None)
    assert list(store.scan(b"")) == [(b"a", b"2")]
    store.commit(1)
    assert list(store.committed_scan(b"")) == [(b"a", b"1"), (b"b", b"1")]
    assert (store.get(b"a"), store.get(b"b")) == (b"2", None)
    assert store.take() == {b"a": b"2", b"b": None}
    store.commit(2)
    assert list(store.committed_scan(b"")) == [(b"a", b"2")]


def test_one_transaction_at_a_time(store: PartitionStore) -> None:
    store.put(b"a", b"1")
    store.take()
    with pytest.raises(AssertionError):
        store.take()


def test_an_empty_transaction_moves_the_offset_all_the_same(store: PartitionStore) -> None:
    assert store.take() == {}
    store.commit(5)
    assert store.changelog_offset == 5


def test_without_a_changelog_record_the_offset_stays(store: PartitionStore) -> None:
    store.put(b"a", b"1")
    commit(store, 5)
    commit(store, None)
    assert store.changelog_offset == 5


def test_deleting_what_is_not_there_is_fine(store: PartitionStore) -> None:
    store.delete(b"a")
    assert store.take() == {b"a": None}
    store.commit(1)
    assert store.get(b"a") is None


def test_a_restart_keeps_what_was_committed_and_nothing_else(path: Path) -> None:
    store = PartitionStore(path)
    store.put(b"a", b"1")
    store.put(b"b", b"1")
    commit(store, 10)
    store.put(b"a", b"2")
    store.delete(b"b")
    store.take()
    store.put(b"c", b"3")
    store = reopen(store)
    assert list(store.scan(b"")) == [(b"a", b"1"), (b"b", b"1")]
    assert store.changelog_offset == 10
    store.close()


def test_the_offset_is_never_ahead_of_the_rows(path: Path) -> None:
    """At each point where a crash can come, the database is the changelog up to its offset."""
    changelog = [(b"a", b"1"), (b"b", b"2"), (b"a", None), (b"c", b"3")]
    store = PartitionStore(path)
    for offset, (key, value) in enumerate(changelog):
        if value is None:
            store.delete(key)
        else:
            store.put(key, value)
        store.take()
        store = reopen(store)  # before the commit: nothing of it is there
        assert store.changelog_offset == offset
        store.write({key: value}, offset + 1)
        store = reopen(store)
        expected: dict[bytes, bytes | None] = dict(changelog[: offset + 1])
        assert dict(store.scan(b"")) == {key: value for key, value in expected.items() if value is not None}
        assert store.changelog_offset == offset + 1
    store.close()


def test_forgetting_goes_back_to_what_is_committed(store: PartitionStore) -> None:
    store.put(b"a", b"1")
    commit(store, 1)
    store.put(b"a", b"2")
    store.take()
    store.put(b"b", b"3")
    store.get(b"c")
    store.forget()
    assert (store.get(b"a"), store.get(b"b"), store.pending_rows) == (b"1", None, 0)
    assert list(store.scan(b"")) == [(b"a", b"1")]
    assert store.take() == {}


def test_forgetting_sees_what_a_recovery_has_written(store: PartitionStore) -> None:
    assert store.get(b"a") is None
    store.write({b"a": b"theirs"}, 4)
    store.forget()
    assert store.get(b"a") == b"theirs"


def test_wiping_leaves_nothing(store: PartitionStore) -> None:
    store.put(b"a", b"1")
    commit(store, 9)
    store.put(b"b", b"2")
    store.wipe()
    assert list(store.scan(b"")) == []
    assert (store.get(b"a"), store.get(b"b"), store.changelog_offset) == (None, None, 0)
    store.put(b"c", b"3")
    commit(store, 1)
    assert list(store.committed_scan(b"")) == [(b"c", b"3")]


@pytest.mark.parametrize("file", ["CURRENT", "MANIFEST-*", "*.sst"])
def test_a_torn_database_is_rebuilt(file: str, path: Path) -> None:
    store = PartitionStore(path)
    store.put(b"a", b"1")
    commit(store, 9)
    store._db.flush()
    store.close()
    for torn in path.glob(file):
        torn.write_bytes(b"torn")
    store = PartitionStore(path)
    assert (store.get(b"a"), store.changelog_offset) == (None, 0)
    store.put(b"a", b"2")
    commit(store, 1)
    store = reopen(store)
    assert (store.get(b"a"), store.changelog_offset) == (b"2", 1)
    store.close()


def test_a_database_that_another_process_has_is_left_alone(store: PartitionStore, path: Path) -> None:
    store.put(b"a", b"1")
    commit(store, 9)
    with pytest.raises(Exception, match=r"[Ll]ock"):
        PartitionStore(path)
    assert store.committed_get(b"a") == b"1"


# --- scans


@pytest.fixture
def layered(store: PartitionStore) -> PartitionStore:
    """Return a store with rows in every layer.

    Committed: a0 a1 a2 a3 b1. Under way: a1 changed, a2 deleted, a4 new. Pending: a3 deleted, a4 changed,
    a5 new.
    """
    for key in (b"a0", b"a1", b"a2", b"a3", b"b1"):
        store.put(key, b"committed")
    commit(store, 1)
    store.put(b"a1", b"under way")
    store.delete(b"a2")
    store.put(b"a4", b"under way")
    store.take()
    store.delete(b"a3")
    store.put(b"a4", b"pending")
    store.put(b"a5", b"pending")
    return store


LAYERED = [(b"a0", b"committed"), (b"a1", b"under way"), (b"a4", b"pending"), (b"a5", b"pending")]


def test_a_scan_sees_the_last_word_on_every_row(layered: PartitionStore) -> None:
    assert list(layered.scan(b"a")) == LAYERED
    assert list(layered.scan(b"")) == [*LAYERED, (b"b1", b"committed")]
    assert list(layered.scan(b"a4")) == [(b"a4", b"pending")]
    assert list(layered.scan(b"a3")) == list(layered.scan(b"c")) == []


@pytest.mark.parametrize("after", [b"", b"a", b"a0", b"a00", b"a1", b"a3", b"a4", b"a5", b"a6", b"b", b"z"])
def test_a_scan_can_start_after_a_key(after: bytes, layered: PartitionStore) -> None:
    assert list(layered.scan(b"a", after)) == [row for row in LAYERED if row[0] > after]


def test_a_committed_scan_sees_only_what_is_committed(layered: PartitionStore) -> None:
    committed = [(key, b"committed") for key in (b"a0", b"a1", b"a2", b"a3")]
    assert list(layered.committed_scan(b"a")) == committed
    assert list(layered.committed_scan(b"a", b"a1")) == committed[2:]


def test_a_scan_does_not_see_what_is_written_while_it_runs(layered: PartitionStore) -> None:
    seen = []
    for key, value in layered.scan(b"a"):
        seen.append((key, value))
        layered.delete(key)
        layered.put(b"a45", b"later")
    assert seen == LAYERED
    assert list(layered.scan(b"a")) == [(b"a45", b"later")]


def test_a_family_that_is_scanned_no_more_costs_its_rows_nothing(store: PartitionStore) -> None:
    for number in range(3):
        store.put(b"p%d" % number, b"")
        if number == 0:
            assert list(store.scan(b"p")) == [(b"p0", b"")]
        assert bool(store._ordered) == (number < 2), "one transaction that has scanned, and the one after it"
        store.take()
        store.commit(number + 1)
    store.put(b"p3", b"")
    assert [key for key, _ in store.scan(b"p")] == [b"p0", b"p1", b"p2", b"p3"]


def test_a_scan_does_not_show_where_the_offset_is_kept(store: PartitionStore) -> None:
    store.put(b"a", b"1")
    commit(store, 77)
    assert list(store.scan(b"")) == list(store.committed_scan(b"")) == [(b"a", b"1")]


# --- the cache of rows touched lately


def test_prefetched_rows_are_the_rows(layered: PartitionStore) -> None:
    keys = [b"a0", b"a1", b"a2", b"a3", b"a4", b"a5", b"b1", b"x", b"a0"]
    expected = [layered.get(key) for key in keys]
    layered._young.clear()
    layered.prefetch(keys)
    assert [layered.get(key) for key in keys] == expected
    layered.prefetch([])


def test_rows_survive_the_cache(store: PartitionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_store, "ROW_CACHE_ROWS", 3)
    for generation in range(5):
        for number in range(10):
            store.put(b"%d" % number, b"%d" % generation)
        store.delete(b"%d" % generation)
        commit(store, generation)
        assert len(store._young) + len(store._old) <= 2 * 10
        for number in range(10):
            expected = None if number == generation else b"%d" % generation
            assert store.get(b"%d" % number) == expected


MANY_STORES = """
import os, sys
from pathlib import Path
from pipeline.runtime.store.database import WRITE_BUFFER_BYTES
from pipeline.runtime.store.partition_store import PartitionStore

idle = [PartitionStore(Path(sys.argv[1]) / f"idle-{number}") for number in range(40)]
row = os.urandom(1000)
share = {b"k%d" % number: row for number in range(WRITE_BUFFER_BYTES // len(idle) // len(row))}
for store in idle:
    store.write(share, None)
busy = PartitionStore(Path(sys.argv[1]) / "busy")
for turn in range(20):
    busy.write({b"%d-%d" % (turn, number): row for number in range(1000)}, turn)
print(busy.changelog_offset, busy.get(b"19-999") == row, all(store.get(b"k0") == row for store in idle))
os._exit(0)
"""


def test_a_store_is_written_to_although_others_that_rest_hold_all_buffers(tmp_path: Path) -> None:
    """In a process of its own: one that waits for buffers waits with Python's lock, and ends no test."""
    ended = run([sys.executable, "-c", MANY_STORES, str(tmp_path)])
    assert (ended.stdout.split(), ended.stderr) == (["19", "True", "True"], "")


def test_what_was_deleted_in_a_line_is_merged_away_soon(store: PartitionStore) -> None:
    """Else a page that begins there steps over all of it."""
    keys = [b"%08d" % number for number in range(20_000)]
    for key in keys:
        store.put(key, b"row")
    commit(store)
    store._db.flush()
    for key in keys[:10_000]:
        store.delete(key)
    commit(store)
    store._db.flush()
    eventually(lambda: sum(file["num_deletions"] for file in store._db.live_files()) == 0)
    assert next(store.committed_scan(b"0"))[0] == keys[10_000]
