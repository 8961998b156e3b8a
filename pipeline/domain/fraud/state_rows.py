"""The rows of the features' states, and the tables of a run over them.

    p tenant account          payer      r tenant account   receiver    c tenant account   card of a payee
    k tenant debtor payee     pair       v tenant device    device      n tenant currency  population
    t tenant kind             the queue of the states of a kind, and its buckets (`kernel.retention`)
    u tenant kind number

A row is the byte of its layout and the state as `features.packing` writes it. The states of a run are read in
one call each kind, and those that were changed are written at its end: the same bytes for an event alone and
for a run, wherever it is cut.

A state is over when `features.forms` says so of every payment that may still come: it is too old for all that
are not older than the tenant's time by `too_old_us`. A key joins the queue when its row is made. When its
bucket's time has come, a row that is over is deleted, and another one joins again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from pipeline.domain.fraud.earlier_rows import PROFILE_ROW
from pipeline.domain.fraud.features import forms
from pipeline.domain.fraud.features import layout as at
from pipeline.domain.fraud.features.amounts import Rates
from pipeline.domain.fraud.features.packing import Form
from pipeline.domain.fraud.features.states import States
from pipeline.domain.fraud.features.tables import THRESHOLD, FeatureTables
from pipeline.domain.kernel.layouts import RowKind
from pipeline.domain.kernel.retention import Queue, QueueKind
from pipeline.domain.kernel.rows import PrefetchingRows, row_key
from pipeline.domain.kernel.times import MICROSECONDS_PER_SECOND

PAYER_ROW = RowKind("fraud", "payer", "p")
RECEIVER_ROW = RowKind("fraud", "receiver", "r")
CARD_ROW = RowKind("fraud", "card", "c")
PAIR_ROW = RowKind("fraud", "pair", "k")
DEVICE_ROW = RowKind("fraud", "device", "v")
POPULATION_ROW = RowKind("fraud", "population", "n")
IN_USE = QueueKind("fraud", "states", "tu")
IN_USE_ROW, IN_USE_BUCKET_ROW = IN_USE.state, IN_USE.bucket


class Kept(NamedTuple):
    """A kind of state, and how long one is kept."""

    row: RowKind
    form: Form
    kept_s: int | None
    """None: always."""
    newest: Callable[[np.ndarray], np.ndarray]
    """Returns the newest time of states, seconds."""


def _used(m: np.ndarray) -> np.ndarray:
    times = m[:, at.ACCOUNTS.at + at.ACCOUNTS.slots : at.ACCOUNTS.at + 2 * at.ACCOUNTS.slots]
    return np.asarray(times.max(axis=1))


PAYER = Kept(PAYER_ROW, forms.PAYER, forms.ACCOUNT_KEPT_S, lambda m: m[:, at.P_LAST_S])
RECEIVER = Kept(RECEIVER_ROW, forms.RECEIVER, forms.ACCOUNT_KEPT_S, lambda m: m[:, at.R_LAST_S])
CARD = Kept(CARD_ROW, forms.CARD, forms.ACCOUNT_KEPT_S, lambda m: m[:, at.C_SENT_S])
PAIR = Kept(PAIR_ROW, forms.PAIR, forms.PAIR_KEPT_S, lambda m: m[:, at.G_LAST_S])
DEVICE = Kept(DEVICE_ROW, forms.DEVICE, forms.DEVICE_KEPT_S, _used)
POPULATION = Kept(POPULATION_ROW, forms.POPULATION, None, lambda m: m[:, at.N_DAY])


# As `row_key`, and quicker: there are several for each event.


def payer_key(tenant_id: str, account_id: str) -> bytes:
    """Return the row key of what an account paid."""
    return f"{PAYER_ROW.family}\0{tenant_id}\0{account_id}".encode()


def receiver_key(tenant_id: str, account_id: str) -> bytes:
    """Return the row key of what an account received."""
    return f"{RECEIVER_ROW.family}\0{tenant_id}\0{account_id}".encode()


def card_key(tenant_id: str, account_id: str) -> bytes:
    """Return the row key of what is told of a payee."""
    return f"{CARD_ROW.family}\0{tenant_id}\0{account_id}".encode()


def pair_key(tenant_id: str, debtor_account_id: str, creditor_account_id: str) -> bytes:
    """Return the row key of what a debtor paid to a payee."""
    return row_key(PAIR_ROW.family, tenant_id, debtor_account_id, creditor_account_id)


def device_key(tenant_id: str, device_id: str) -> bytes:
    """Return the row key of the accounts of a device."""
    return f"{DEVICE_ROW.family}\0{tenant_id}\0{device_id}".encode()


def population_key(tenant_id: str, currency: str) -> bytes:
    """Return the row key of what a currency's payments are like."""
    return f"{POPULATION_ROW.family}\0{tenant_id}\0{currency}".encode()


class FeatureRows:
    """The features' tables over the rows of a partition, for one run of events."""

    def __init__(
        self, rows: PrefetchingRows, rates: Rates, too_old_us: int, threshold: int = THRESHOLD
    ) -> None:
        self.tables = FeatureTables(rates, threshold)
        self._kinds = tuple(
            _RowsOfKind(kind, states, rows, too_old_us)
            for kind, states in (
                (PAYER, self.tables.payers),
                (RECEIVER, self.tables.receivers),
                (CARD, self.tables.cards),
                (PAIR, self.tables.pairs),
                (DEVICE, self.tables.devices),
                (POPULATION, self.tables.population),
            )
        )
        self.payers, self.receivers, self.cards, self.pairs, self.devices, self.populations = self._kinds

    def write(self) -> None:
        """Write the states that were changed, and delete those that are over."""
        for one in self._kinds:
            one.write()


class _RowsOfKind:
    """The states of one kind of a run."""

    def __init__(self, kind: Kept, states: States, rows: PrefetchingRows, too_old_us: int) -> None:
        self._kind, self._states, self._rows = kind, states, rows
        self._keep_us = None if kind.kept_s is None else kind.kept_s * MICROSECONDS_PER_SECOND + too_old_us
        self._loaded: dict[bytes, int | None] = {}
        """The newest time of each state as its row has it, seconds; None: there is no row."""
        self._touches: list[tuple[Sequence[bytes], Sequence[int], Sequence[int]]] = []
        """Keys, places of events, and the times that they give the states, seconds; 0 for none."""
        self._of_key: dict[bytes, list[tuple[int, int]]] | None = None
        """Touches by key, once they are needed."""

    def load(self, keys: Iterable[bytes]) -> None:
        """Read the states that are not read yet, in one call. Raises UnreadableRow."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._loaded]
        if not missing:
            return
        found = self._rows.get_many(missing)
        self._loaded.update(dict.fromkeys(missing))
        there = [(key, row) for key, row in zip(missing, found, strict=True) if row is not None]
        if not there:
            self._states.fresh(missing)
            return
        names, packed = zip(*there, strict=True)
        absent = [key for key, row in zip(missing, found, strict=True) if row is None]
        states = states_of(self._kind, packed, self._states.fresh([*names, *absent])[: len(names)])
        self._loaded.update(zip(names, self._kind.newest(states).tolist(), strict=True))

    def knows(self, key: bytes) -> bool:
        """Whether there is a state under a key that was loaded, or one that the run has made."""
        return self._loaded[key] is not None or any(key in keys for keys, _, _ in self._touches)

    def touch(self, keys: Sequence[bytes], places: Sequence[int], at_s: Sequence[int]) -> None:
        """Note that events change states, and the times that these get; those of a key in their order."""
        self._touches.append((keys, places, at_s))

    def write(self) -> None:
        """Write the states that were changed."""
        if not self._states.are_changed:
            self._touches, self._of_key = [], None
            return
        changed, numbers = self._states.changed()
        keys: list[Any] = changed
        if keys:
            rows = self._kind.form.pack(self._states.states(numbers), self._kind.row.head)
            self._rows.put_many(zip(keys, rows, strict=True))
            if self._keep_us is not None:
                self._forget([key for key in keys if self._loaded[key] is None], self._keep_us)
        self._loaded, self._touches, self._of_key = {}, [], None

    def _forget(self, made_keys: Sequence[bytes], keep_us: int) -> None:
        """Let keys of new rows join the queues, in the order of their events; delete what is over."""
        if not made_keys:
            return
        keys, places, times = ([*chain(*parts)] for parts in zip(*self._touches, strict=True))
        # The first touch of a key is written last.
        first = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
        of_tenants: dict[bytes, list[tuple[int, int, bytes]]] = {}
        for key in made_keys:
            touch = first[key]
            of_tenants.setdefault(key.split(b"\0", 2)[1], []).append((places[touch], times[touch], key))
        if self._kind is PAYER:
            self._forget_profiles(made_keys)
        for tenant, joining in of_tenants.items():
            owner = tenant.decode(), self._kind.row.family
            queue = Queue(IN_USE, self._rows, keep_us, *owner)
            while joining:
                joining = self._join(queue, sorted(joining), keep_us)
            queue.write()

    def _forget_profiles(self, payers: Iterable[bytes]) -> None:
        """Delete what an earlier version knew of debtors whose first state is made."""
        keys = [PROFILE_ROW.family.encode() + key[1:] for key in payers]
        for key, row in zip(keys, self._rows.get_many(keys), strict=True):
            if row is not None:
                self._rows.delete(key)

    def _join(
        self, queue: Queue, joining: list[tuple[int, int, bytes]], keep_us: int
    ) -> list[tuple[int, int, bytes]]:
        """Let keys join a queue; return those that are left where one that was deleted has to join again."""
        times = [at_s * MICROSECONDS_PER_SECOND for _, at_s, _ in joining]
        for last, over in queue.add_many(times, [key for *_, key in joining]):
            again = self._sweep(queue, over, joining[last][0], keep_us)
            if again:
                return [*joining[last + 1 :], *again]
        return []

    def _sweep(
        self, queue: Queue, keys: Iterable[bytes], place: int, keep_us: int
    ) -> list[tuple[int, int, bytes]]:
        """Delete the states that are over after an event; the others join again.

        Returns those that a later event of the run makes anew.
        """
        again = []
        for key in keys:
            newest_s, later = self._as_of(key, place)
            if newest_s is None:
                continue
            if queue.newest_at - newest_s * MICROSECONDS_PER_SECOND <= keep_us:
                queue.again(key)
                continue
            self._loaded[key] = None
            if later is None:
                self._rows.delete(key)
            else:
                again.append((*later, key))
        return again

    def _touched(self) -> dict[bytes, list[tuple[int, int]]]:
        """Return the touches by key."""
        if self._of_key is None:
            self._of_key = {}
            for part in self._touches:
                for key, place, at_s in zip(*part, strict=True):
                    self._of_key.setdefault(key, []).append((place, at_s))
        return self._of_key

    def _as_of(self, key: bytes, place: int) -> tuple[int | None, tuple[int, int] | None]:
        """Return the newest time of a state after an event of the run, and the next touch that changes it.

        None: there is no row then; no event changes it again.
        """
        if key not in self._loaded:
            row = self._rows.get(key)
            newest = [] if row is None else self._kind.newest(states_of(self._kind, [row])).tolist()
            self._loaded[key] = newest[0] if newest else None
        newest_s, later = self._loaded[key], None
        for touch in self._touched().get(key, ()):
            if touch[0] > place:
                later = touch
                break
            newest_s = touch[1] if self._kind is CARD else max(newest_s or 0, touch[1])
        return newest_s, later


def states_of(kind: Kept, packed: Sequence[bytes], into: np.ndarray | None = None) -> np.ndarray:
    """Return the states of rows, a row each; `into`: zeros to write them into. Raises UnreadableRow."""
    head, current = kind.row.head, kind.row.current
    contents = [row[1:] if row[:1] == head else current(row)[1:] for row in packed]
    try:
        return kind.form.unpack(contents, into)
    except ValueError:
        for row, content in zip(packed, contents, strict=True):
            try:
                kind.form.unpack([content])
            except ValueError as error:
                raise kind.row.unreadable(row, error) from None
        raise
