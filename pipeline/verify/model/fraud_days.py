"""What the fraud stream counts of a tenant's days: rules and models beside the live ones, and drift.

B tenant -> days that have a row      D tenant day partition -> what is counted of a day

From the contract: the READMEs of the fraud stream ("Days") and of models ("Drift").
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.verify.model.fraud_trees import SHARES, Bins, Trees
from pipeline.verify.model.fraud_verdicts import Decision
from pipeline.verify.model.wire import ALERTS, DAY_US, LAYOUT, msgpack, row_key

if TYPE_CHECKING:
    from pipeline.verify.model.fraud_log import FraudBranch

DAYS_KEPT, RULES_COUNTED, PAYMENTS_LEAST = 35, 100, 1_000
LEAST_SHARE_E6 = 100
MOVED_BP, DRIFTED_BP = 1_000, 2_500
LIVE, SHADOW = 0, 1
FIXED = 2**120
"""One, in numbers of fixed point."""


class Drift(NamedTuple):
    """What is to be said of a day."""

    model: str
    day: int
    payments: int
    drifted: list[tuple[str, int]]


@dataclass
class Live:
    """The live model of a day."""

    model: Trees
    payments: int = 0
    bins: dict[tuple[int, int], int] = field(default_factory=dict)
    """Payments by feature and bin."""

    def count(self, features: Mapping[str, int | None], score: int) -> None:
        self.payments += 1
        for number, (name, bins) in enumerate(spread(self.model)):
            value = score if name is None else features[name]
            place = len(bins.edges) + 1 if value is None else bisect_right(bins.edges, value)
            self.bins[number, place] = self.bins.get((number, place), 0) + 1

    def columns(self) -> list[list[int]]:
        """Return how many payments are in each bin of each feature, and of the score."""
        return [
            [self.bins.get((number, place), 0) for place in range(len(bins.shares_e6))]
            for number, (_, bins) in enumerate(spread(self.model))
        ]


@dataclass
class Day:
    """A day of a tenant."""

    over: bool = False
    rules: dict[str, list[int]] = field(default_factory=dict)
    """By label: how often it fired, and how many alerts it would have added."""
    shadow: tuple[str, list[int]] | None = None
    """Name; payments, alerts, added, lost."""
    live: Live | None = None
    indices: list[tuple[str, int]] | None = None

    def row(self) -> bytes:
        rules = [[label, *self.rules[label]] for label in sorted(self.rules)]
        shadow = None if self.shadow is None else [self.shadow[0], *self.shadow[1]]
        live = None
        if self.live is not None:
            counts = [] if self.over else [one for column in self.live.columns() for one in column]
            moved = self.indices and [one for one in self.indices if one[1] >= MOVED_BP]
            live = [self.live.model.sha256, self.live.payments, counts, moved]
        return bytes([LAYOUT]) + msgpack([self.over, rules, shadow, live])


class Days:
    """The days of a partition's tenants."""

    def __init__(self, branch: FraudBranch) -> None:
        self.branch = branch
        self.listed: dict[str, list[int]] = {}
        """By tenant: the days that have a row."""
        self.newest: dict[str, Day] = {}
        """By tenant: the last of them."""
        self.unsaid: list[Drift] = []

    def judged(self, tenant: str, at_us: int, decision: Decision, features: Mapping[str, int | None]) -> None:
        """Count a payment that is judged, before the tenant's time is moved by it."""
        before = self.branch.kept.newest(tenant)
        day = max(before, at_us) // DAY_US
        if day > before // DAY_US:
            self.end(tenant)
        if day < 0:
            return
        for label, adds in decision.beside:
            rules = self.of(tenant, day).rules
            fired, added = rules.get(label, (0, 0))
            rules[label] = [fired + 1, added + adds]
            for late in sorted(rules)[RULES_COUNTED:]:
                del rules[late]
        live, shadow = (self.counted(role, tenant, day, decision) for role in (LIVE, SHADOW))
        if shadow is not None:
            now, then = decision.rank > 0, decision.shadow_rank > 0
            one = self.of(tenant, day)
            name, sums = one.shadow or ("", [])
            sums = sums if name == shadow.sha256 else [0] * 4
            adding = (True, then, then and not now, now and not then)
            one.shadow = shadow.sha256, [sum(both) for both in zip(sums, adding, strict=True)]
        if live is not None:
            one = self.of(tenant, day)
            if one.live is None or one.live.model.sha256 != live.sha256:
                one.live = Live(live)
            score = decision.scores[LIVE]
            assert score is not None
            one.live.count(features, score)
        if decision.beside or live is not None or shadow is not None:
            self.write(tenant, day)

    def counted(self, role: int, tenant: str, day: int, decision: Decision) -> Trees | None:
        """Return the model that scored the payment, if it is the one that has its role as the day ends."""
        used, last = decision.models[role], self.last(role, tenant, day)
        return used if used is not None and last is not None and used.sha256 == last.sha256 else None

    def last(self, role: int, tenant: str, day: int) -> Trees | None:
        """Return the model that has a role as a day ends, as far as is known."""
        models = self.branch.publications.judge.models
        return models.at(("LIVE", "SHADOW")[role], tenant, (day + 1) * DAY_US - 1)

    def of(self, tenant: str, day: int) -> Day:
        """Return a day of a tenant, the newest one."""
        listed = self.listed.setdefault(tenant, [])
        if day not in listed:
            for old in [one for one in listed if one + DAYS_KEPT <= day]:
                self.branch.row(self.key(tenant, old), None)
            listed[:] = [one for one in listed if one + DAYS_KEPT > day] + [day]
            self.branch.row(row_key("B", tenant), bytes([LAYOUT]) + msgpack([listed]))
            self.newest[tenant] = Day()
        return self.newest[tenant]

    def key(self, tenant: str, day: int) -> bytes:
        return row_key("D", tenant, f"{day:09}", f"{self.branch.number:04}")

    def write(self, tenant: str, day: int) -> None:
        self.branch.row(self.key(tenant, day), self.newest[tenant].row())

    def end(self, tenant: str) -> None:
        """The time of a tenant goes into another day."""
        if not self.listed.get(tenant) or self.newest[tenant].over:
            return
        day, one = self.listed[tenant][-1], self.newest[tenant]
        one.over = True
        live, last = one.live, self.last(LIVE, tenant, day)
        kept = live is not None and last is not None and live.model.sha256 == last.sha256
        if live is not None and kept and live.payments >= PAYMENTS_LEAST:
            asked = zip(spread(live.model), live.columns(), strict=True)
            one.indices = [(name or "score", index_bp(bins, found)) for (name, bins), found in asked]
            drifted = [found for found in one.indices if found[1] >= DRIFTED_BP]
            if drifted:
                self.unsaid.append(Drift(live.model.sha256, day, live.payments, drifted))
        self.write(tenant, day)

    def tell(self) -> None:
        """Expect what is said of days that are over."""
        for one in self.unsaid:
            said: dict[str, Any] = {"model_sha256": one.model, "partition": self.branch.number}
            said |= {"day": one.day * DAY_US, "payments": one.payments}
            said["drifted"] = [{"feature": name, "psi_bp": bp} for name, bp in one.drifted]
            event_id = self.branch.id_of("fraud_model_drifted")
            self.branch.say(ALERTS, one.model, "FraudModelDrifted", event_id, **said)
        self.unsaid = []


def spread(model: Trees) -> list[tuple[str | None, Bins]]:
    """Return the bins of a model's features, by name, and those of its score."""
    return [*((one.name, one.bins) for one in model.features), (None, model.score_bins)]


def index_bp(bins: Bins, counted: list[int]) -> int:
    """Return the population stability index in basis points, rounded down."""
    whole, total = sum(counted), 0
    for then, count in zip(bins.shares_e6, counted, strict=True):
        now = max((SHARES * count + whole // 2) // whole, LEAST_SHARE_E6)
        then = max(then, LEAST_SHARE_E6)
        total += (now - then) * (logarithm(now) - logarithm(then))
    return total * 10_000 // (SHARES * FIXED)


@lru_cache(65_536)
def logarithm(number: int) -> int:
    """Return the natural logarithm in fixed point: 2 artanh((x - 1) / (x + 1)), x halved until below 2."""
    halvings = number.bit_length() - 1
    return halvings * twice_artanh(1, 3) + twice_artanh(number - 2**halvings, number + 2**halvings)


@lru_cache(65_536)
def twice_artanh(above: int, below: int) -> int:
    """Return 2 artanh(above / below), of at most 1 / 3: x + x ** 3 / 3 + x ** 5 / 5 + ..."""
    power, total, odd = FIXED * above // below, 0, 1
    while power:
        total += power // odd
        power, odd = power * above * above // (below * below), odd + 2
    return 2 * total
