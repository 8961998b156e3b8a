"""The batch path of the lifecycle: `Lifecycle.follow` for all events of a run.

The row of a payment is read and written once a run; due times that change within the run are written only
once. An event by which a payment becomes stuck, is stuck no more, or moves money unscreened, is left to the
row path, which emits it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.batch import LeaveToRows, RuleBatch
from pipeline.domain.kernel.columns import OTHER, Block, Run, joined
from pipeline.domain.kernel.ids_batch import bad_ids
from pipeline.domain.kernel.retention import Queue
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.lifecycle.outputs import STEP_NAMES
from pipeline.domain.lifecycle.rows import (
    DUE,
    DUE_ROW,
    ENDED,
    LIFE,
    Life,
    pack_life,
    read_clock,
    unpack_life,
    write_clock,
)
from pipeline.domain.lifecycle.screened import MOVES_MONEY, is_unscreened
from pipeline.domain.lifecycle.stream import Lifecycle, is_of_fraud

CLASSES = (*STEP_NAMES, ev.CommandRefused, ev.CommandProposed)
_IDS = (
    *("event_id", "tenant_id", "payment_id", "debtor_account_id", "creditor_account_id", "account_id"),
    *("capture_id", "journal_id", "reversal_id", "proposal_id", "link_id"),
)
FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(
        (*_IDS, "correlation_id", "causation_id", "currency", "outcome", "code", "command"), pa.string()
    ),
    **dict.fromkeys(
        ("occurred_at", "amount_minor", "held_minor", "hold_expires_at", "execute_at"), pa.int64()
    ),
    **dict.fromkeys(("approved", "hold"), pa.bool_()),
}


class _Observed(msgspec.Struct, gc=False):
    """The fields that the rules read, of an event of any class."""

    life_key: bytes | None
    """None for an event that is not about a payment."""
    kind: type
    tenant_id: str
    event_id: str
    causation_id: str | None
    correlation_id: str
    account_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    outcome: str
    code: str
    command: str
    approved: bool
    held_minor: int
    hold_expires_at: int | None
    hold: bool | None
    execute_at: int | None
    link_id: str | None
    occurred_at: int


class LifecycleBatch(RuleBatch):
    """Applies runs of payment events to the rows of one partition; holds no state of its own."""

    classes = CLASSES
    fields = FIELDS

    def __init__(self, stream: Lifecycle) -> None:
        self._stream = stream

    def _irregular(self, run: Run) -> np.ndarray:
        """Return which events are of another class, or have ids that the rules refuse."""
        irregular: np.ndarray = (run.kinds == OTHER) | bad_ids(run, _IDS)
        return irregular

    def _events(self, run: Run) -> Sequence[_Observed]:
        keys = joined("\0", LIFE, run.columns["tenant_id"], run.columns["payment_id"])
        kinds = [CLASSES[kind] for kind in run.kinds.tolist()]
        cells = [run.columns[name].to_pylist() for name in _Observed.__struct_fields__[2:]]
        return list(map(_Observed, keys.cast(pa.binary()).to_pylist(), kinds, *cells))

    def _open(self, run: Run, events: Sequence[_Observed], rows: PrefetchingRows) -> _RunOfLives:
        return _RunOfLives(self._stream, events, rows)


class _RunOfLives:
    """The payments (`Life`) that a run is about, and the clock of the branch."""

    def __init__(self, stream: Lifecycle, events: Sequence[_Observed], rows: PrefetchingRows) -> None:
        self._stream, self._follow, self._is_over = stream, stream.follow, stream.is_over
        self._keep_us = stream.keep_us
        self._rows = rows
        self._ended = Queue(ENDED, rows, stream.keep_us)
        self._clock = read_clock(rows)
        self._clock_before = self._clock.watermark, self._clock.earliest
        known = list({event.life_key: None for event in events if event.life_key is not None})
        found = zip(known, rows.get_many(known), strict=True)
        self._lives: dict[bytes, Life] = {key: unpack_life(row) for key, row in found if row is not None}
        self._due_before = {key: life.due_at for key, life in self._lives.items()}
        self._changed: dict[bytes, Life] = {}

    def apply(self, event: _Observed, recorded_at: int) -> None:
        """Apply the next event; see `OpenRun`. Raises LeaveToRows."""
        clock, key, kind = self._clock, event.life_key, event.kind
        now = max(clock.watermark, min(event.occurred_at, recorded_at))
        watermark = clock.watermark if is_of_fraud(kind, event) else now
        life = None if key is None else self._lives.get(key)
        if life is not None and life.progressed_at < watermark - self._keep_us:
            life = None if self._is_over(life, watermark) else life
        if clock.earliest <= watermark or (life is not None and life.stuck_id is not None):
            raise LeaveToRows
        if kind in MOVES_MONEY and is_unscreened(life, kind):
            raise LeaveToRows
        clock.watermark = watermark
        if key is None:
            return
        due_at, last = (None, None) if life is None else (life.due_at, life.steps[-1])
        life = self._follow(life, kind, event, recorded_at, now)
        if life is None:
            return
        self._lives[key] = self._changed[key] = life
        if life.due_at is not None and life.due_at != due_at:
            clock.earliest = min(clock.earliest, life.due_at)
        elif life.due_at is None and life.steps[-1] is not last:
            keys = self._ended.add(life.progressed_at, key)
            if keys:
                self._sweep(keys)

    def _sweep(self, keys: Sequence[bytes]) -> None:
        """Delete those lives that are over."""
        lives = {}
        for key, row in zip(keys, self._rows.get_many(keys), strict=True):
            life = self._lives.get(key) or (None if row is None else unpack_life(row))
            if life is not None:
                lives[key] = life
        for key in self._stream.swept(lives, self._clock.watermark, self._ended):
            self._rows.delete(key)
            self._lives.pop(key, None)
            self._changed.pop(key, None)
            due_at = self._due_before.pop(key, None)
            if due_at is not None:
                self._rows.delete(_due_key(due_at, key))

    def close(self) -> Sequence[Block]:
        """Write the changed rows and return the outputs; see `OpenRun`."""
        fresh = {}
        for key, life in self._changed.items():
            fresh[key] = pack_life(life)
            before = self._due_before.get(key)
            if before == life.due_at:
                continue
            if before is not None:
                self._rows.delete(_due_key(before, key))
            if life.due_at is not None:
                fresh[_due_key(life.due_at, key)] = DUE_ROW.head
        self._rows.put_many(fresh.items())
        self._ended.write()
        if self._clock_before != (self._clock.watermark, self._clock.earliest):
            write_clock(self._rows, self._clock)
        return []


def _due_key(due_at: int, life_key: bytes) -> bytes:
    """Return `due_key` of a life."""
    return b"%s\0%016x%s" % (DUE.encode(), due_at, life_key[len(LIFE) :])
