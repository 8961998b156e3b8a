"""What to generate (`LoadPlan`), what comes out (`Produce`) and what was planted (`PlantedItem`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US

GRACE_US = 2 * DAY_US
"""Reconciliation's default grace period: a break that waits for it is due this long after its item."""
TAIL_US = GRACE_US + 12 * HOUR_US
"""How far the last statements of a run move event time, so that the breaks planted last fall due."""
PAYMENT_GAP_US = 4 * HOUR_US
"""A customer's usual time between two payments."""
AHEAD_S = 60
"""For how long an endless run always has accounts open that are to be used once."""
SPAN_US_MAX = 30 * HOUR_US
"""Longest event time of a bounded run's traffic. It is produced faster than it is processed, and statements
take a shorter way than payments; within the grace period that makes no difference to what is a break."""
PAYMENTS_PER_ACCOUNT = 50
"""In a bounded run, at most, so that customers are not all suspiciously busy."""


@dataclass(frozen=True)
class LoadPlan:
    """A run of the generator. The same plan gives the same records, byte for byte.

    Event time starts at `start` and moves by `step_us` per payment; past `live_after`, if set, by
    `live_step_us`. Streams measure grace periods and windows in event time and do not believe a time that is
    later than Kafka's own clock, so a history is generated up to about now: `history` and `demo` choose the
    times so.
    """

    seed: int
    count: int | None
    """Ordinary payments; None = until stopped. What is planted comes on top."""
    start: int
    """Event time of the first payment, microseconds UTC."""
    step_us: int
    live_after: int | None = None
    live_step_us: int = SECOND_US
    accounts: int = 1_000
    """Customers with habits, over all tenants; merchants, employers, nostros and traders come on top."""
    tenants: tuple[str, ...] = ("north", "south")
    malformed_pct: float = 1.0
    """Malformed records per hundred ordinary payments."""
    fraud_per_mille: float = 4.0
    """Planted fraud scenarios per thousand ordinary payments; at least one of each in a bounded run."""
    refusal_per_mille: float = 8.0
    """Planted retries and payments that must be refused, likewise."""
    break_per_mille: float = 4.0
    """Planted reconciliation breaks, likewise."""
    story_per_mille: float = 8.0
    """Planted stories of holds, journals of many legs, reversals, limits and periods, likewise."""
    partitions: int = 4
    """Of every topic; `run` takes it from the cluster. A key on a wrong partition needs at least two."""

    def __post_init__(self) -> None:
        """Raise ValueError for a plan that cannot be carried out."""
        if self.seed < 0 or self.accounts < 1 or self.step_us < 0 or self.partitions < 1 or not self.tenants:
            raise ValueError("seed, accounts, step and partitions must not be negative, tenants not empty")
        if self.count is not None and self.count < 0:
            raise ValueError("count must not be negative")
        if not 0 <= self.malformed_pct <= 100:
            raise ValueError("malformed_pct must be from 0 to 100")
        if any("/" in tenant or "\0" in tenant or not tenant for tenant in self.tenants):
            raise ValueError("a tenant must not be empty nor contain / or NUL")

    def every(self, per_mille: float, kinds: int) -> int:
        """Return after how many payments one is planted; 0 = never. In a bounded run each kind comes once."""
        if per_mille <= 0:
            return 0
        every = max(1, int(1_000 / per_mille))
        if self.count is not None:
            every = max(1, min(every, self.count // kinds))
        return every

    def ahead(self, per_mille: float, kinds: int) -> int:
        """Return how many may be planted, at most, before accounts that are opened now are in the ledger.

        In a bounded run that is all of them, in an endless one those of `AHEAD_S`: accounts come to the
        ledger by another topic than payments, and while a worker is away that takes as long as it is.
        """
        every = self.every(per_mille, kinds)
        payments = AHEAD_S * SECOND_US // max(self.live_step_us, 1) if self.count is None else self.count
        return payments // every + 1 if every and self.count != 0 else 0

    @property
    def end(self) -> int:
        """The latest event time of a bounded run, microseconds UTC."""
        assert self.count is not None
        return self.start + self.count * self.step_us + TAIL_US

    @property
    def horizon(self) -> int:
        """A time that no event of this run or of an earlier one is later than, microseconds UTC."""
        if self.live_after is not None:
            return self.live_after
        return self.start + 365 * DAY_US if self.count is None else self.end + HOUR_US

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for the manifest."""
        return asdict(self)


def history(seed: int, count: int, now: int, accounts: int | None = None, **settings: Any) -> LoadPlan:
    """Return the plan of a bounded run whose last event happens just before `now` (microseconds UTC)."""
    accounts = accounts or max(1_000, count // PAYMENTS_PER_ACCOUNT)
    step_us = min(PAYMENT_GAP_US // accounts, SPAN_US_MAX // max(count, 1))
    start = now - count * step_us - TAIL_US - HOUR_US
    return LoadPlan(seed, count, start, step_us, accounts=accounts, **settings)


def demo(
    seed: int, now: int, rate: float, speed: float = 3_600.0, backlog_us: int = 7 * DAY_US, **settings: Any
) -> LoadPlan:
    """Return the plan of a run without an end at `rate` payments a second.

    It begins `backlog_us` ago and makes `speed` seconds of event time a second (3,600: an hour), until it
    has caught up with `now`; from then on event time is real time. So breaks, which wait two days of event
    time, open within a minute.
    """
    if rate <= 0 or speed < 1:
        raise ValueError("rate must be above 0 and speed at least 1")
    return LoadPlan(
        seed,
        None,
        now - backlog_us,
        int(SECOND_US * speed / rate),
        live_after=now,
        live_step_us=int(SECOND_US / rate),
        **settings,
    )


class Produce(NamedTuple):
    """One record to produce."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    """None: by the key, murmur2."""
    planted: tuple[int, ...] = ()
    """Numbers of the planted items that this record is a part of."""


@dataclass
class PlantedItem:
    """Something planted, and what must come of it (`expected`: see the docstring of verify/planted.py)."""

    number: int
    kind: str
    """fraud, review, retry, refusal, break, malformed; hold, journal, reversal, limit, period."""
    name: str
    tenant_id: str
    ids: dict[str, Any]
    """What it is made of: payment_ids, account_id, statement_id, topic and the like."""
    expected: dict[str, Any]
    parts: int
    """How many records carry its number; it is in place when all of them are delivered."""
