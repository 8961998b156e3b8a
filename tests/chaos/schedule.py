"""Which faults strike when: a pure function of the seed, so that a failing run can be repeated."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

SETTLE_S = 15.0
"""No fault strikes in the last seconds: the run must converge after the last one."""
FIRST_AFTER_S = 8.0
GAP_S = (4.0, 12.0)


class Fault(NamedTuple):
    """A kind of fault."""

    name: str
    takes_s: float
    """How long it lasts, at most, until the next one may strike."""
    says: str


FAULTS = (
    Fault("kill", 12.0, "SIGKILL of a worker, same disk"),
    Fault("wipe", 15.0, "SIGKILL of a worker, its disk wiped"),
    Fault("restore", 20.0, "SIGKILL of a worker, its disk wiped, an earlier snapshot put there"),
    Fault("torn", 15.0, "SIGKILL of a worker, a file of a table torn or deleted"),
    Fault("zombie", 25.0, "SIGSTOP of a worker past its session, then SIGCONT"),
    Fault("pause", 30.0, "the network between a worker and the broker stands still, or is cut"),
    Fault("broker", 35.0, "SIGKILL of the broker, restarted"),
    Fault("registry", 12.0, "the registry does not answer"),
    Fault("storm", 30.0, "three workers join and leave every few seconds"),
    Fault("disk", 40.0, "no space is left under a worker's tables"),
    Fault("memory", 20.0, "a worker gets no more memory from the system"),
    Fault("oom", 30.0, "the kernel kills a worker that reaches its memory limit"),
    Fault(
        "open_transaction", 40.0, "an upstream opens a transaction and stands still, or is never heard again"
    ),
    Fault("truncate", 60.0, "records are deleted before they are read, while the workers stand"),
    Fault("freeze", 110.0, "SIGSTOP of the broker for 5 to 60 s, then SIGCONT"),
    Fault("drift", 60.0, "settings of topics are changed, and set back by `ledgerflow topics --repair`"),
    Fault(
        "forge", 45.0, "no worker runs, and a source offset is forged: workers refuse until it is right again"
    ),
    Fault("bomb", 25.0, "batches that inflate beyond all memory, or lie, of every codec, on every input"),
    Fault("input", 8.0, "a burst of hostile input: repeated, reordered, late, skewed, absurd, malformed"),
)
BY_NAME = {fault.name: fault for fault in FAULTS}


class Strike(NamedTuple):
    """One fault of a schedule."""

    at_s: float
    """Seconds after the load began, at the earliest."""
    fault: str
    worker: int
    """The one that it strikes, where it strikes one."""
    chance: int
    """Seed of what the fault itself leaves to chance."""


def shortest_s(name: str) -> float:
    """Return how long a run must be at least, seconds, for one fault of a kind."""
    return FIRST_AFTER_S + BY_NAME[name].takes_s + SETTLE_S


def schedule(
    seed: int, seconds: float, names: Sequence[str] = tuple(BY_NAME), workers: int = 2
) -> list[Strike]:
    """Return the faults of a run, in order; every kind comes up before one comes up again."""
    chance = random.Random(seed)
    strikes: list[Strike] = []
    deck: list[str] = []
    at = FIRST_AFTER_S
    while True:
        if not deck:
            deck = list(names)
            chance.shuffle(deck)
        name = deck.pop()
        if at + BY_NAME[name].takes_s + SETTLE_S > seconds:
            return strikes
        strikes.append(Strike(round(at, 1), name, chance.randrange(workers), chance.randrange(2**32)))
        at += BY_NAME[name].takes_s + chance.uniform(*GAP_S)
