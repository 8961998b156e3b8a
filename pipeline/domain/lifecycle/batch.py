"""The vector path of the lifecycle: a run of events at once, with the results of `Lifecycle.apply`.

    Run -> columns, row keys -> lives, in one read -> Lifecycle.follow, event by event -> rows, in one write

Steps are added in order by the same `Lifecycle.follow`. What a run saves is everything around that: ids and
keys are worked out together, a life is read and written once, and a due time that comes and goes within the
run is never written. Events that say something (a payment is stuck, or gets on again), or that must be
rejected, end the run: they are left to the row path. A property test holds both against each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import OTHER, Block, Run, joined
from pipeline.domain.kernel.ids_batch import bad_ids
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.lifecycle.rows import DUE, LIFE, Life, pack_life, read_clock, unpack_life, write_clock
from pipeline.domain.lifecycle.stream import FROM_FRAUD, STEP_NAMES, Lifecycle

CLASSES = (*STEP_NAMES, ev.CommandRefused)
_IDS = (
    *("event_id", "tenant_id", "payment_id", "debtor_account_id", "creditor_account_id", "account_id"),
    *("capture_id", "journal_id", "reversal_id"),
)
FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys((*_IDS, "correlation_id", "causation_id", "currency", "outcome", "code"), pa.string()),
    **dict.fromkeys(("occurred_at", "amount_minor", "held_minor", "hold_expires_at"), pa.int64()),
    "approved": pa.bool_(),
}


class _Said(msgspec.Struct, gc=False):
    """What the rules need of an event."""

    event_id: str
    causation_id: str | None
    correlation_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    outcome: str
    code: str
    approved: bool
    held_minor: int
    hold_expires_at: int | None
    occurred_at: int


class LifecycleBatch:
    """The vector path over the rows of one partition; holds no state of its own."""

    classes = CLASSES
    fields = FIELDS

    def __init__(self, stream: Lifecycle) -> None:
        self._stream = stream

    def apply(self, run: Run, rows: PrefetchingRows) -> tuple[int, list[Block]]:
        """Apply the events up to the first one that is irregular or says something; return how many."""
        irregular = (run.kinds == OTHER) | bad_ids(run, _IDS)
        run = run.slice(0, int(np.argmax(np.append(irregular, True))))
        if not len(run):
            return 0, []
        desk = _Desk(self._stream, run, rows)
        applied = desk.apply(run)
        desk.write()
        return applied, []


class _Desk:
    """What the events of a run find and leave."""

    def __init__(self, stream: Lifecycle, run: Run, rows: PrefetchingRows) -> None:
        self._follow = stream.follow
        self._rows = rows
        self._clock = read_clock(rows)
        self._clock_before = self._clock.watermark, self._clock.earliest
        keys = joined("\0", LIFE, run.columns["tenant_id"], run.columns["payment_id"])
        self._keys: list[bytes | None] = keys.cast(pa.binary()).to_pylist()
        known = list({key for key in self._keys if key is not None})
        found = zip(known, rows.get_many(known), strict=True)
        self._lives: dict[bytes, Life] = {key: unpack_life(row) for key, row in found if row is not None}
        self._due_before = {key: life.due_at for key, life in self._lives.items()}
        self._changed: dict[bytes, Life] = {}

    def apply(self, run: Run) -> int:
        """Apply events until one says something; return how many that were."""
        clock, lives, changed = self._clock, self._lives, self._changed
        events = zip(self._keys, run.kinds.tolist(), run.recorded_at.tolist(), _said(run), strict=True)
        for applied, (key, number, recorded_at, said) in enumerate(events):
            kind: type = CLASSES[number]
            now = max(clock.watermark, min(said.occurred_at, recorded_at))
            watermark = clock.watermark if kind in FROM_FRAUD else now
            life = None if key is None else lives.get(key)
            if clock.earliest <= watermark or (life is not None and life.stuck_id is not None):
                return applied
            clock.watermark = watermark
            if key is None:
                continue
            due_at = None if life is None else life.due_at
            life = self._follow(life, kind, said, recorded_at, now)
            if life is None:
                continue
            lives[key] = changed[key] = life
            if life.due_at is not None and life.due_at != due_at:
                clock.earliest = min(clock.earliest, life.due_at)
        return len(run)

    def write(self) -> None:
        """Write the rows that have changed."""
        fresh = {}
        for key, life in self._changed.items():
            fresh[key] = pack_life(life)
            before = self._due_before.get(key)
            if before == life.due_at:
                continue
            if before is not None:
                self._rows.delete(_due_key(before, key))
            if life.due_at is not None:
                fresh[_due_key(life.due_at, key)] = b"\1"
        self._rows.put_many(fresh.items())
        if self._clock_before != (self._clock.watermark, self._clock.earliest):
            write_clock(self._rows, self._clock)


def _due_key(due_at: int, life_key: bytes) -> bytes:
    """Return `due_key` of a life."""
    return b"%s\0%016x%s" % (DUE.encode(), due_at, life_key[len(LIFE) :])


def _said(run: Run) -> Iterator[Any]:
    return map(_Said, *(run.columns[name].to_pylist() for name in _Said.__struct_fields__))
