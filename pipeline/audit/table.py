"""Invariant 5: a table equals its changelog.

    newest    the last records of the changelog -> their keys' rows now, and where the changelog was then
              -> what the changelog says up to there
    sample    some rows, and where the changelog was when they were read -> the changelog from its beginning,
              a part at each step -> what it says of these rows up to there

The first sees what a commit has left out; the second one row after another of the whole table, however long
ago it was written. What is said of a row is its size and a digest: it may hold what is nobody's business.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from pipeline.audit.findings import Finding, Say
from pipeline.audit.log import Log
from pipeline.runtime.store.database import StoreClosed
from pipeline.runtime.store.partition_store import PartitionStore

NEWEST = 1000
"""Offsets of a changelog that are looked at as its newest."""
SAMPLE_ROWS = 200
PART = 5000
"""Offsets of a changelog that one step of a sample reads."""
SINCE_MAX = 200_000
"""If more was written since the sample was taken, a row that differs proves nothing."""
TRIES = 5
"""For rows and offset to be of one moment: a transaction may be written in between."""
FINDINGS_A_STEP = 4

Place = tuple[str, int]
"""(changelog, partition)."""
Rows = dict[bytes, bytes | None]


class Sample(NamedTuple):
    """Rows that are on trial."""

    store: PartitionStore
    rows: Rows
    end: int
    """Of the changelog when they were read."""
    said: Rows
    """What the changelog has said of them so far."""


class TableAudit:
    """Looks at one partition of a table after another."""

    def __init__(self, log: Log, say: Say, stores: Callable[[], Mapping[Place, PartitionStore]]) -> None:
        self._log = log
        self._say = say
        self._stores = stores
        self._turn = 0
        self._after: dict[Place, bytes] = {}
        """The last key that was in a sample."""
        self._sampled: Place | None = None
        self._sample: Sample | None = None
        self._reached = 0

    def step(self) -> int:
        """Look at the newest rows of the next partition, and go on with the sample; return rows compared."""
        stores = dict(sorted(self._stores().items()))
        if not stores:
            return 0
        self._turn = (self._turn + 1) % len(stores)
        place, store = list(stores.items())[self._turn]
        try:
            return self._newest(place, store) + self._continue_sample(stores, place)
        except StoreClosed:
            self._sample = None
            return 0  # its partition has gone to another worker

    def _newest(self, place: Place, store: PartitionStore) -> int:
        end = _offset(store)
        start = max(0, end - NEWEST)
        said: Rows = {one.key: one.value for one in self._log.read(*place, start, end) if one.key is not None}
        found = _at_one_moment(store, said)
        if found is None:
            return 0
        rows, now = found
        said |= {one.key: one.value for one in self._log.read(*place, end, now) if one.key in said}
        self._compare(place, now, rows, said)
        return len(rows)

    def _continue_sample(self, stores: Mapping[Place, PartitionStore], place: Place) -> int:
        """Read on for the sample; take one of `place` where there is none."""
        sample = self._sample
        if sample is None or stores.get(self._sampled or place) is not sample.store:
            self._begin_sample(place, stores[place])
            return 0
        assert self._sampled is not None
        stop = min(sample.end, self._reached + PART)
        for record in self._log.read(*self._sampled, self._reached, stop):
            if record.key in sample.rows:
                sample.said[record.key] = record.value
        self._reached = stop
        if stop < sample.end:
            return 0
        self._sample = None
        rows = sample.rows
        if any(row != sample.said.get(key) for key, row in rows.items()):
            # Of what was written since, compaction may have taken the older records away.
            now = _offset(sample.store)
            if now - sample.end > SINCE_MAX:
                return 0
            since = {record.key for record in self._log.read(*self._sampled, sample.end, now)}
            rows = {key: row for key, row in rows.items() if key not in since}
        self._compare(self._sampled, sample.end, rows, sample.said)
        return len(rows)

    def _begin_sample(self, place: Place, store: PartitionStore) -> None:
        after = self._after.get(place, b"")
        keys = [key for key, _ in itertools.islice(store.committed_scan(b"", after), SAMPLE_ROWS)]
        self._after[place] = keys[-1] if len(keys) == SAMPLE_ROWS else b""
        found = _at_one_moment(store, keys)
        if keys and found is not None:
            self._sampled, self._sample, self._reached = place, Sample(store, *found, {}), 0

    def _compare(self, place: Place, end: int, rows: Rows, said: Rows) -> None:
        wrong = [key for key, row in rows.items() if row != said.get(key)]
        for key in wrong[:FINDINGS_A_STEP]:
            self._say(
                Finding("table", *place, end, _shown(said.get(key)), _shown(rows[key]), about=_digest(key))
            )


def _offset(store: PartitionStore) -> int:
    """Return up to where a database contains its changelog; from any thread."""
    return store.committed_offset


def _at_one_moment(store: PartitionStore, keys: Iterable[bytes]) -> tuple[Rows, int] | None:
    """Return rows and up to where they contain the changelog; None where commits come too fast for that."""
    wanted = list(keys)
    for _ in range(TRIES):
        before = _offset(store)
        rows = {key: store.committed_get(key) for key in wanted}
        if _offset(store) == before:
            return rows, before
    return None


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _shown(row: bytes | None) -> str:
    return "no row" if row is None else f"{len(row)} bytes, blake2b {_digest(row)}"
