"""Invariant 5: a table equals its changelog.

    newest    the keys of the last changelog records -> their rows, and the changelog offset of the rows
              -> compare with the changelog up to that offset
    sample    some rows, and the changelog offset of the rows -> read the changelog from its beginning,
              a part at each step -> compare with the changelog up to that offset

The first finds rows that a commit has left out. The second goes through the whole table, also rows written
long ago. A finding shows only the size and a digest of a row, because rows may hold personal data.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from pipeline.audit.findings import Finding, Report
from pipeline.runtime.kafka.cluster_log import Log
from pipeline.runtime.store.database import StoreClosed
from pipeline.runtime.store.partition_store import PartitionStore

NEWEST = 1000
"""How many of the last offsets of a changelog a step reads."""
SAMPLE_ROWS = 200
PART = 5000
"""Offsets of a changelog that one step of a sample reads."""
SINCE_MAX = 200_000
"""If more offsets were written since the sample was taken, a difference is not reported."""
TRIES = 5
"""Tries to read rows and offset of the same moment: a commit may come in between."""
FINDINGS_A_STEP = 4

Place = tuple[str, int]
"""(changelog, partition)."""
Rows = dict[bytes, bytes | None]


class Sample(NamedTuple):
    """Rows that are compared with the changelog, which takes several steps."""

    store: PartitionStore
    rows: Rows
    end: int
    """Changelog offset of the rows."""
    logged: Rows
    """Their values in the part of the changelog that was read so far."""


class TableAudit:
    """Checks one partition of a table after another."""

    def __init__(
        self, log: Log, report: Report, stores: Callable[[], Mapping[Place, PartitionStore]]
    ) -> None:
        self._log = log
        self._report = report
        self._stores = stores
        self._turn = 0
        self._after: dict[Place, bytes] = {}
        """The last key of the previous sample, by partition."""
        self._sampled: Place | None = None
        self._sample: Sample | None = None
        self._reached = 0

    def step(self) -> int:
        """Check the newest rows of the next partition and continue the sample; return how many rows were
        compared. Raises LogReadError."""
        stores = dict(sorted(self._stores().items()))
        if not stores:
            return 0
        self._turn = (self._turn + 1) % len(stores)
        place, store = list(stores.items())[self._turn]
        try:
            return self._newest(place, store) + self._continue_sample(stores, place)
        except StoreClosed:
            self._sample = None
            return 0  # its partition has moved to another worker

    def _newest(self, place: Place, store: PartitionStore) -> int:
        end = _offset(store)
        start = max(0, end - NEWEST)
        logged: Rows = {
            one.key: one.value for one in self._log.read(*place, start, end) if one.key is not None
        }
        found = _at_one_moment(store, logged)
        if found is None:
            return 0
        rows, now = found
        logged |= {one.key: one.value for one in self._log.read(*place, end, now) if one.key in logged}
        self._compare(place, now, rows, logged)
        return len(rows)

    def _continue_sample(self, stores: Mapping[Place, PartitionStore], place: Place) -> int:
        """Read the next part of the changelog for the sample; without a sample take one of `place`."""
        sample = self._sample
        if sample is None or stores.get(self._sampled or place) is not sample.store:
            self._begin_sample(place, stores[place])
            return 0
        assert self._sampled is not None
        stop = min(sample.end, self._reached + PART)
        for record in self._log.read(*self._sampled, self._reached, stop):
            if record.key in sample.rows:
                sample.logged[record.key] = record.value
        self._reached = stop
        if stop < sample.end:
            return 0
        self._sample = None
        rows = sample.rows
        if any(row != sample.logged.get(key) for key, row in rows.items()):
            # Compaction may have removed older records of keys that were written since.
            now = _offset(sample.store)
            if now - sample.end > SINCE_MAX:
                return 0
            since = {record.key for record in self._log.read(*self._sampled, sample.end, now)}
            rows = {key: row for key, row in rows.items() if key not in since}
        self._compare(self._sampled, sample.end, rows, sample.logged)
        return len(rows)

    def _begin_sample(self, place: Place, store: PartitionStore) -> None:
        after = self._after.get(place, b"")
        keys = [key for key, _ in itertools.islice(store.committed_scan(b"", after), SAMPLE_ROWS)]
        self._after[place] = keys[-1] if len(keys) == SAMPLE_ROWS else b""
        found = _at_one_moment(store, keys)
        if keys and found is not None:
            self._sampled, self._sample, self._reached = place, Sample(store, *found, {}), 0

    def _compare(self, place: Place, end: int, rows: Rows, logged: Rows) -> None:
        wrong = [key for key, row in rows.items() if row != logged.get(key)]
        for key in wrong[:FINDINGS_A_STEP]:
            self._report(
                Finding("table", *place, end, _shown(logged.get(key)), _shown(rows[key]), about=_digest(key))
            )


def _offset(store: PartitionStore) -> int:
    """Return the changelog offset up to which a database is written; from any thread."""
    return store.committed_offset


def _at_one_moment(store: PartitionStore, keys: Iterable[bytes]) -> tuple[Rows, int] | None:
    """Return rows and their changelog offset; None if commits come too fast to read both at one moment."""
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
