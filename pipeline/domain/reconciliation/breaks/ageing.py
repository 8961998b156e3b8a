"""How old a break is, how much it matters, and which is to be looked at first. All by event time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.breaks.kinds import kind_of
from pipeline.domain.tenants.break_rules import BreakRules

LAST_DAYS = (1, 5, 30, 90)
"""The last day of each bucket but the last one, which has no end."""
BUCKETS = ("0-1", "2-5", "6-30", "31-90", "90+")
"""Days; 90+ are 91 and more."""
IMMATERIAL, NORMAL, MATERIAL = "IMMATERIAL", "NORMAL", "MATERIAL"
PRIORITIES: Mapping[str, tuple[int, ...]] = {
    MATERIAL: (2, 1, 1, 1, 1),
    NORMAL: (3, 3, 2, 2, 1),
    IMMATERIAL: (4, 4, 4, 3, 3),
}
"""By bucket: 1 is looked at first, 4 last."""


def age_days(since: int, reached_at: int) -> int:
    """Return how many days ago a day was; `since`: days since 1970-01-01, `reached_at`: event time of the
    account, microseconds UTC. What lies ahead of event time is new."""
    return max(0, reached_at // MICROSECONDS_PER_DAY - since)


def bucket_of(days: int) -> str:
    """Return the bucket of an age in days."""
    return BUCKETS[bisect_left(LAST_DAYS, days)]


def materiality_of(kind: str, size_minor: int, currency: str, rules: BreakRules) -> str:
    """Return how much a break matters; `size_minor`: what is at stake, either sign, minor units."""
    if kind_of(kind).is_structural:
        return MATERIAL
    size = abs(size_minor)
    least = rules.material_from.get(currency)
    if least is not None and size >= least:
        return MATERIAL
    return IMMATERIAL if size < rules.immaterial_below.get(currency, 0) else NORMAL


def priority_of(materiality: str, days: int) -> int:
    """Return which breaks are looked at first: from 1 to 4."""
    return PRIORITIES[materiality][bisect_left(LAST_DAYS, days)]
