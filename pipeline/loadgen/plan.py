"""What to generate (`LoadPlan`), what comes out (`Produce`) and what was planted (`PlantedItem`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

GRACE_US = 2 * DAY_US
"""So long after its day an item of an account that knows its bank's lags is due at the earliest."""
LONGEST_WAIT_US = 31 * DAY_US
"""How long an item waits at an account that does not know them yet."""
WAITS_US = 2 * LONGEST_WAIT_US + 2 * DAY_US
"""When it is a break at the latest: it meets others after a day, is due, is suggested, and is due again."""
OPENS_WITHIN_US = 5 * DAY_US
"""The same of an account that knows its bank's lags."""
STEPS_US = (2 * DAY_US, LONGEST_WAIT_US + 3 * DAY_US, WAITS_US + 2 * DAY_US)
"""By how much the last statements of a run move event time: items meet, are due, and are due again. So
what was planted last is a break at the end."""
KNOWN_STEPS_US = (2 * DAY_US, 4 * DAY_US, OPENS_WITHIN_US + HOUR_US)
"""The same where the accounts know their banks' lags: in an endless run."""
TAIL_US = STEPS_US[-1] + 12 * HOUR_US
PAYMENT_GAP_US = 4 * HOUR_US
"""A customer's usual time between two payments."""
AHEAD_S = 60
"""An endless run keeps enough single-use accounts open for the traffic of this many seconds."""
SPAN_US_MAX = 30 * HOUR_US
"""Longest event time that the traffic of a bounded run covers. It is produced faster than it is processed,
and statements pass through fewer streams than payments, so they may come first. As long as the whole run
fits into the grace period, that opens no break."""
RARE_EVERY = 4
"""How many ordinary stories there are for each of the rare ones."""
PAYMENTS_PER_ACCOUNT = 50
"""In a bounded run at most this many on average, or the fraud rules would suspect every customer."""
PAYMENTS_PER_HOUR = 12
"""Of a customer of an endless run that has caught up with real time, for the same reason."""


@dataclass(frozen=True)
class LoadPlan:
    """A run of the generator. The same plan gives the same records, byte for byte.

    Event time starts at `start` and moves by `step_us` per payment; past `live_after`, if set, by
    `live_step_us`. Streams measure grace periods and windows in event time and do not believe a time that is
    later than Kafka's own clock. So the events of a bounded run end about now: `history` and `demo` choose
    the times that way.
    """

    seed: int
    count: int | None
    """Ordinary payments; None: until stopped. Planted items come in addition."""
    start: int
    """Event time of the first payment, microseconds UTC."""
    step_us: int
    live_after: int | None = None
    live_step_us: int = SECOND_US
    accounts: int = 1_000
    """Customers with habits, over all tenants; merchants, employers, nostros and traders come in addition."""
    people: int | None = None
    """To how many customers an endless run grows until it has caught up with now; None: it does not."""
    tenants: tuple[str, ...] = ("north", "south")
    malformed_pct: float = 1.0
    """Malformed records per hundred ordinary payments."""
    fraud_per_mille: float = 4.0
    """Planted fraud scenarios per thousand ordinary payments; at least one of each in a bounded run."""
    refusal_per_mille: float = 8.0
    """Planted retries and payments that must be refused, counted in the same way."""
    break_per_mille: float = 4.0
    """Planted reconciliation breaks, counted in the same way."""
    story_per_mille: float = 8.0
    """Planted stories of holds, journals, reversals, limits and periods, counted in the same way. Those of
    what is rare come in addition: one for RARE_EVERY of these."""
    partitions: int = 4
    """Of every topic; `run` takes it from the cluster. A record on a wrong partition needs at least two."""

    def __post_init__(self) -> None:
        """Check the plan. Raises ValueError where it cannot be carried out."""
        if self.seed < 0 or self.accounts < 1 or self.step_us < 0 or self.partitions < 1 or not self.tenants:
            raise ValueError("seed, accounts, step and partitions must not be negative, tenants not empty")
        if self.count is not None and self.count < 0:
            raise ValueError("count must not be negative")
        if not 0 <= self.malformed_pct <= 100:
            raise ValueError("malformed_pct must be from 0 to 100")
        if any("/" in tenant or "\0" in tenant or not tenant for tenant in self.tenants):
            raise ValueError("a tenant must not be empty nor contain / or NUL")

    def every(self, per_mille: float, kinds: int) -> int:
        """Return after how many payments the next item is planted; 0: never.

        In a bounded run with enough payments each of the `kinds` is planted at least once.
        """
        if per_mille <= 0:
            return 0
        every = max(1, int(1_000 / per_mille))
        if self.count is not None:
            every = max(1, min(every, self.count // kinds))
        return every

    def ahead(self, per_mille: float, kinds: int) -> int:
        """Return how many items may be planted before an account that is opened now is in the ledger.

        Accounts reach the ledger by another topic than payments, and later while a worker is down. So a
        bounded run opens the accounts of all items first, an endless one those of the next `AHEAD_S`.
        """
        every = self.every(per_mille, kinds)
        payments = AHEAD_S * SECOND_US // max(self.live_step_us, 1) if self.count is None else self.count
        return payments // every + 1 if every and self.count != 0 else 0

    @property
    def joining(self) -> float:
        """Customers who join at each payment of an endless run, until all are there."""
        if self.people is None or self.live_after is None:
            return 0.0
        payments = (self.live_after - self.start) // max(self.step_us, 1)
        ahead = AHEAD_S * SECOND_US // max(self.live_step_us, 1)
        return max(self.people - self.accounts, 0) / max(payments - ahead, 1)

    @property
    def rare_per_mille(self) -> float:
        """Planted stories of what is rare, per thousand ordinary payments."""
        return self.story_per_mille / RARE_EVERY

    @property
    def end(self) -> int:
        """The latest event time of a bounded run, microseconds UTC."""
        assert self.count is not None
        return self.start + self.count * self.step_us + TAIL_US

    @property
    def horizon(self) -> int:
        """Upper bound of the event times of this run and of earlier ones, microseconds UTC."""
        if self.live_after is not None:
            return self.live_after
        return self.start + 365 * DAY_US if self.count is None else self.end + HOUR_US

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for the manifest."""
        return asdict(self)


def history(seed: int, count: int, now: int, accounts: int | None = None, **settings: Any) -> LoadPlan:
    """Return the plan of a bounded run whose last event happens just before `now` (microseconds UTC)."""
    accounts = accounts or max(1_000, count // PAYMENTS_PER_ACCOUNT)
    step_us = min(PAYMENT_GAP_US // accounts, SPAN_US_MAX // max(count, 1))
    start = now - count * step_us - TAIL_US - HOUR_US
    return LoadPlan(seed, count, start, step_us, accounts=accounts, **settings)


def demo(
    seed: int,
    now: int,
    rate: float,
    speed: float = 3_600.0,
    backlog_us: int = 7 * DAY_US,
    accounts: int | None = None,
    break_per_mille: float = 12.0,
    **settings: Any,
) -> LoadPlan:
    """Return the plan of an endless run with `rate` payments per second.

    Event time starts `backlog_us` before `now` and moves `speed` seconds per second (3,600: an hour), until
    it has caught up with `now`; from then on event time is real time. So breaks, which open two to five days
    of event time after their payment, open within two minutes, and so many are planted that each kind is seen
    by then. Without `accounts` there are 1,000 customers, and by then
    so many more that none pays too often in real time. Raises ValueError for a rate or a speed that is too
    small.
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
        accounts=accounts or 1_000,
        people=None if accounts else int(rate * 3_600 / PAYMENTS_PER_HOUR),
        break_per_mille=break_per_mille,
        **settings,
    )


class Produce(NamedTuple):
    """One record to produce."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    """None: chosen by the key, murmur2."""
    planted: tuple[int, ...] = ()
    """Numbers of the planted items that this record belongs to."""


@dataclass
class PlantedItem:
    """A planted item, and the outcome that the streams must give (`expected`: see verify/planted.py)."""

    number: int
    kind: str
    """fraud, review, retry, refusal, break, malformed; hold, journal, reversal, limit, period, link;
    exchange, schedule, approval, past."""
    name: str
    tenant_id: str
    ids: dict[str, Any]
    """The ids that it concerns: payment_ids, account_id, statement_id, topic and the like."""
    expected: dict[str, Any]
    parts: int
    """How many records carry its number; it is complete when all of them are delivered."""
