"""How long the rows of the fraud stream are kept: queues of decisions, alerts and states, by tenant.

e, g tenant  decisions     h, j tenant  alerts     t, u tenant kind  states of features
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.verify.model import fraud_state_rows as rows
from pipeline.verify.model.fraud_known import ACCOUNT_KEPT_S, DEVICE_KEPT_S, PAIR_KEPT_S, Known
from pipeline.verify.model.fraud_payers import id63
from pipeline.verify.model.fraud_state_rows import State
from pipeline.verify.model.retention import Ended
from pipeline.verify.model.wire import LONG_MIN, row_key

if TYPE_CHECKING:
    from pipeline.verify.model.fraud_log import FraudBranch

KEPT_S = {"p": ACCOUNT_KEPT_S, "r": ACCOUNT_KEPT_S, "c": ACCOUNT_KEPT_S, "k": PAIR_KEPT_S, "v": DEVICE_KEPT_S}
"""By family of rows: payers, receivers, cards, pairs, devices. The population stays."""
POPULATION = "n"
NOBODY = rows.row_of(State().plain(*[0] * 7))
"""Of a currency in which nothing was learned, on the first day of all: there is no such row."""
SECOND_US = 1_000_000


class Kept:
    """The queues of a partition."""

    def __init__(self, branch: FraudBranch) -> None:
        self.branch = branch
        self.queues: dict[tuple[str, ...], Ended] = {}
        self.touched: set[tuple[str, ...]] = set()
        """Queues that the present record has changed."""
        self.states: set[bytes] = set()
        """Keys of the rows of states."""
        self.populations: dict[bytes, bytes] = {}
        """Rows of currencies as they are."""

    def queue(self, families: str, *owner: str) -> Ended:
        return self.queues.setdefault((families, *owner), Ended(families, owner))

    def newest(self, tenant: str) -> int:
        """Return the time of a tenant: that of its newest judged payment."""
        known = self.queues.get(("eg", tenant))
        return LONG_MIN if known is None else known.newest

    def add(self, families: str, owner: tuple[str, ...], at_us: int, key: bytes, keep_us: int) -> list[bytes]:
        """Let a row join its queue; return the keys of rows whose time may have come."""
        keys, changes = self.queue(families, *owner).add(at_us, key, keep_us)
        for change in changes:
            self.branch.row(*change)
        self.touched.add((families, *owner))
        return keys

    def decided(self, tenant: str, at_us: int, key: bytes) -> None:
        """A decision is made: others are forgotten."""
        branch = self.branch
        for old in self.add("eg", (tenant,), at_us, key, branch.kept_us):
            names = tuple(old.decode().split("\0")[1:])
            known = branch.decisions.get((names[0], names[1]))
            if known is not None and self.newest(tenant) - known.at_us > branch.kept_us:
                del branch.decisions[names[0], names[1]]
                branch.row(old, None)

    def alerted(self, tenant: str, newest: int, key: bytes, keep_us: int) -> list[bytes]:
        return self.add("hj", (tenant,), newest, key, keep_us)

    def conclude(self) -> None:
        """Say where the queues stand that have changed."""
        if self.branch.with_rows:
            for name in self.touched:
                self.branch.row(*self.queues[name].row())
        self.touched = set()

    def state(self, at_s: int, family: str, tenant: str, *names: str) -> None:
        """Say the row of a state; a new one joins its queue, by the time of what made it."""
        key = row_key(family, tenant, *names)
        if self.branch.with_rows:
            self.say(self.branch.of(tenant), key, family)
        if key in self.states or family == POPULATION:
            return
        self.states.add(key)
        keep_us = KEPT_S[family] * SECOND_US + self.branch.too_old_us
        for old in self.add("tu", (tenant, family), at_s * SECOND_US, key, keep_us):
            self.look_at(old, tenant, family, keep_us)

    def say(self, known: Known, key: bytes, family: str) -> None:
        """Say the row of a state; that of a currency where it has changed."""
        row = row_of(known, key)
        if family == POPULATION:
            if self.populations.get(key, NOBODY) == row:
                return
            self.populations[key] = row
        self.branch.row(key, row)

    def look_at(self, key: bytes, tenant: str, family: str, keep_us: int) -> None:
        """Forget a state that is over, or let it join its queue again."""
        if key not in self.states:
            return
        queue, known = self.queue("tu", tenant, family), self.branch.of(tenant)
        if queue.newest - newest_s(known, key) * SECOND_US <= keep_us:
            for change in queue.put(queue.newest, key):
                self.branch.row(*change)
            return
        self.states.remove(key)
        forget(known, key)
        self.branch.row(key, None)


def place_of(key: bytes) -> tuple[str, list[int]]:
    """Return the family of a state's row, and the ids in its key."""
    family, _, *names = key.decode().split("\0")
    return family, [id63(name) for name in names]


def newest_s(known: Known, key: bytes) -> int:
    """Return the newest time in a state."""
    family, ids = place_of(key)
    if family == "p":
        return known.payers[ids[0]].newest_s or 0
    if family == "r":
        return known.receivers[ids[0]].newest_s
    if family == "c":
        return known.cards[ids[0]].as_of_s or 0
    if family == "k":
        return known.pairs[ids[0], ids[1]].last_s
    return max(known.devices[ids[0]].last_s.values())


def forget(known: Known, key: bytes) -> None:
    """Forget a state."""
    family, ids = place_of(key)
    if family == "k":
        del known.pairs[ids[0], ids[1]]
    else:
        states: dict[str, dict[Any, Any]] = {"p": known.payers, "r": known.receivers}
        states |= {"c": known.cards, "v": known.devices}
        del states[family][ids[0]]


def row_of(known: Known, key: bytes) -> bytes:
    """Return the row of a state."""
    family, *_ = key.decode().split("\0")
    if family == "n":
        return rows.row_of(rows.words_of_population(known.population.sums[key.decode().split("\0")[2]]))
    _, ids = place_of(key)
    if family == "p":
        return rows.row_of(rows.words_of_payer(known.payers[ids[0]]))
    if family == "r":
        return rows.row_of(rows.words_of_receiver(known.receivers[ids[0]]))
    if family == "c":
        return rows.row_of(rows.words_of_card(known.cards[ids[0]]))
    if family == "k":
        return rows.row_of(rows.words_of_pair(known.pairs[ids[0], ids[1]]))
    return rows.row_of(rows.words_of_device(known.devices[ids[0]]))
