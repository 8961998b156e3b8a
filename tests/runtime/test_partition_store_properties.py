"""A table's partition against dictionaries: any order of writes, transactions, scans, restarts."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.runtime.store import partition_store
from pipeline.runtime.store.partition_store import PartitionStore

Rows = dict[bytes, bytes]

_keys = st.builds(
    lambda family, rest: family + rest,
    st.sampled_from([b"a", b"b", b"\xff"]),
    st.sampled_from([b"", b"\0", b"\0x", b"\0x\0", b"\0y", b"\xff", b"\xff\xff"]),
)
_prefixes = st.one_of(st.just(b""), _keys, st.sampled_from([b"c", b"a\0", b"A"]))


class StoreMachine(RuleBasedStateMachine):
    """`now` is what the domain sees, `durable` what a restart finds."""

    folder: Path

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="store-"))
        self.cache_rows, partition_store.ROW_CACHE_ROWS = partition_store.ROW_CACHE_ROWS, 4
        self.store = PartitionStore(self.folder / "rows")
        self.now: Rows = {}
        self.durable: Rows = {}
        self.taken: Rows | None = None
        self.offset = 0

    @rule(key=_keys, value=st.binary(max_size=3))
    def put(self, key: bytes, value: bytes) -> None:
        self.store.put(key, value)
        self.now[key] = value

    @rule(key=_keys)
    def delete(self, key: bytes) -> None:
        self.store.delete(key)
        self.now.pop(key, None)

    @rule(key=_keys)
    def get(self, key: bytes) -> None:
        assert self.store.get(key) == self.now.get(key)
        assert self.store.committed_get(key) == self.durable.get(key)

    @rule(keys=st.lists(_keys, max_size=6))
    def prefetch(self, keys: list[bytes]) -> None:
        self.store.prefetch(keys)

    @rule(keys=st.lists(_keys, max_size=6))
    def get_many(self, keys: list[bytes]) -> None:
        assert self.store.get_many(keys) == list(map(self.now.get, keys))

    @rule(rows=st.lists(st.tuples(_keys, st.binary(max_size=3)), max_size=6))
    def put_many(self, rows: list[tuple[bytes, bytes]]) -> None:
        self.store.put_many(iter(rows))
        self.now.update(rows)

    @rule(prefix=_prefixes, after=st.one_of(st.just(b""), _keys))
    def scan(self, prefix: bytes, after: bytes) -> None:
        for found, rows in (
            (self.store.scan(prefix, after), self.now),
            (self.store.committed_scan(prefix, after), self.durable),
        ):
            wanted = sorted(key for key in rows if key.startswith(prefix) and key > after)
            assert list(found) == [(key, rows[key]) for key in wanted]

    @rule(prefix=_prefixes, before=st.one_of(_keys, st.sampled_from([b"", b"b", b"\xff\xff\xff"])))
    def scan_back(self, prefix: bytes, before: bytes) -> None:
        wanted = sorted((key for key in self.now if key.startswith(prefix) and key < before), reverse=True)
        assert list(self.store.scan_back(prefix, before)) == [(key, self.now[key]) for key in wanted]

    @precondition(lambda self: self.taken is None)
    @rule()
    def take(self) -> None:
        pending = self.store.take()
        self.taken = dict(self.now)
        rebuilt: dict[bytes, bytes | None] = {**self.durable, **pending}
        assert {key: value for key, value in rebuilt.items() if value is not None} == self.taken

    @precondition(lambda self: self.taken is not None)
    @rule(records=st.integers(0, 3))
    def commit(self, records: int) -> None:
        self.offset += records
        self.store.commit(self.offset if records else None)
        assert self.taken is not None
        self.durable, self.taken = self.taken, None

    @rule(what=st.sampled_from(["forget"] * 8 + ["crash", "wipe"]))
    def start_over(self, what: str) -> None:
        if what == "crash":
            self.store.close()
            self.store = PartitionStore(self.folder / "rows")
        elif what == "wipe":
            self.store.wipe()
            self.durable, self.offset = {}, 0
        else:
            self.store.forget()
        self._lose()

    @rule(key=_keys, value=st.one_of(st.none(), st.binary(max_size=3)))
    def recover(self, key: bytes, value: bytes | None) -> None:
        """Another owner has gone on: the recovery writes what is in the changelog."""
        self.store.forget()
        self._lose()
        self.offset += 1
        self.store.write({key: value}, self.offset)
        self.durable.pop(key, None)
        if value is not None:
            self.durable[key] = value
        self.now = dict(self.durable)

    def _lose(self) -> None:
        self.now, self.taken = dict(self.durable), None

    @invariant()
    def the_offset_is_that_of_the_last_commit(self) -> None:
        assert self.store.changelog_offset == self.offset

    def teardown(self) -> None:
        if hasattr(self, "store"):
            partition_store.ROW_CACHE_ROWS = self.cache_rows
            self.store.close()
            shutil.rmtree(self.folder)


StoreMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestPartitionStore = StoreMachine.TestCase
