"""What a run adds to its tenants' days, and what is said when one is over.

    count   payments that were judged -> shadow rules that fired; the shadow model's alerts; the live model's
            bins. A model is counted that has its role at the end of the day, as far as is known now
    pass_to the tenant's time comes into a later day -> drift of the earlier one is worked out in the end

Sums do not depend on the order of payments within a run, so columns and rows count the same. Models change
between runs only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pipeline.domain.fraud.day_rows import (
    DAY_ROW,
    DAYS_KEPT,
    DAYS_ROW,
    RULES_MAX,
    Day,
    Days,
    LiveModel,
    ShadowModel,
    ShadowRule,
    day_key,
    days_key,
    read_day,
    read_days,
)
from pipeline.domain.fraud.deciding.deciding import APPROVED, Decisions
from pipeline.domain.fraud.deciding.in_force import Deciders, InForce
from pipeline.domain.fraud.deciding.models import LIVE, SHADOW, Fitted
from pipeline.domain.fraud.features.columns import Integers
from pipeline.domain.fraud.model.drift import DRIFTED_E6, E6_OF_BP, MOVED_E6
from pipeline.domain.fraud.run_results import Drifted
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY

PAYMENTS_MIN = 1_000
"""Fewer payments of a day on a partition say nothing of drift."""
MOVED_BP, DRIFTED_BP = MOVED_E6 // E6_OF_BP, DRIFTED_E6 // E6_OF_BP


class TenantDays:
    """The days of the tenants of a partition, while a run is applied."""

    def __init__(self, rows: Rows, partition: int) -> None:
        self._rows, self._partition = rows, partition
        self._days: dict[tuple[str, int], Day] = {}
        self._new: set[tuple[str, int]] = set()
        self._over: list[tuple[int, Any, str, int]] = []

    def count(
        self,
        tenants: Sequence[str],
        days: Sequence[int],
        in_force: Iterable[InForce],
        decisions: Decisions,
        features: Integers,
        deciders: Deciders,
    ) -> None:
        """Count payments, with what decided about each, what was decided, and their features.

        `tenants`, `days`: of each, and its tenant's day when it was judged.
        """
        if not (deciders.has_models or decisions.beside.fired):
            return
        groups: dict[tuple[str, int, int], tuple[InForce, list[int]]] = {}
        for place, (tenant_id, day, force) in enumerate(zip(tenants, days, in_force, strict=True)):
            groups.setdefault((tenant_id, day, id(force)), (force, []))[1].append(place)
        for (tenant_id, day, _), (force, places) in groups.items():
            if day >= 0:
                at = np.array(places, np.int64)
                self._rules(tenant_id, day, at, decisions)
                self._shadow(tenant_id, day, at, decisions, (force, deciders))
                self._live(tenant_id, day, at, decisions, features, (force, deciders))

    def pass_to(self, place: int, cause: Any, before_us: int, now_us: int) -> None:
        """Take it that an event moves its tenant's time: the day may be over in which it was."""
        day = before_us // MICROSECONDS_PER_DAY
        if 0 <= day < now_us // MICROSECONDS_PER_DAY:
            self._over.append((place, cause, cause.tenant_id, day))

    def close(self, deciders: Callable[[], Deciders]) -> list[tuple[int, Drifted]]:
        """Conclude days that are over, write the rows, and return what is said, by the place of its cause."""
        told = []
        for place, cause, tenant_id, day in self._over:
            known = self._known(tenant_id, day)
            if known is not None:
                drifted = _conclude(known, tenant_id, day, deciders())
                if drifted and known.live is not None:
                    about = known.live.name, self._partition, day, known.live.payments
                    told.append((place, Drifted(cause, *about, drifted)))
        for tenant_id, day in sorted(self._days):
            if (tenant_id, day) in self._new:
                self._enlist(tenant_id, day)
            self._rows.put(self._key(tenant_id, day), DAY_ROW.pack(self._days[tenant_id, day]))
        return told

    def _rules(self, tenant_id: str, day: int, at: Integers, decisions: Decisions) -> None:
        beside = decisions.beside
        for label, places in beside.fired.items():
            fired = int(places[at].sum())
            if fired:
                rules = self._of(tenant_id, day).rules
                one = next((one for one in rules if one.label == label), None)
                if one is None:
                    one = ShadowRule(label)
                    rules.append(one)
                    rules.sort(key=_label)
                one.fired += fired
                one.added += int(beside.added[label][at].sum())
                del rules[RULES_MAX:]

    def _shadow(
        self, tenant_id: str, day: int, at: Integers, decisions: Decisions, by: tuple[InForce, Deciders]
    ) -> None:
        model = _counted(SHADOW, tenant_id, day, by)
        if model is None:
            return
        found = self._of(tenant_id, day)
        if found.shadow is None or found.shadow.name != model.name:
            found.shadow = ShadowModel(model.name)
        one, now, then = found.shadow, decisions.ranks[at] > APPROVED, decisions.shadow_ranks[at] > APPROVED
        one.payments += len(at)
        one.alerts += int(then.sum())
        one.added += int((then & ~now).sum())
        one.lost += int((now & ~then).sum())

    def _live(
        self,
        tenant_id: str,
        day: int,
        at: Integers,
        decisions: Decisions,
        features: Integers,
        by: tuple[InForce, Deciders],
    ) -> None:
        model = _counted(LIVE, tenant_id, day, by)
        if model is None:
            return
        found = self._of(tenant_id, day)
        if found.live is None or found.live.name != model.name:
            found.live = LiveModel(model.name, 0, [0] * model.spread.width)
        counted = model.spread.counts(model.columns(features)[:, at], decisions.live_bp[at])
        found.live.payments += len(at)
        found.live.counts = (np.array(found.live.counts, np.int64) + counted).tolist()

    def _key(self, tenant_id: str, day: int) -> bytes:
        return day_key(tenant_id, day, self._partition)

    def _known(self, tenant_id: str, day: int) -> Day | None:
        found = self._days.get((tenant_id, day))
        if found is None:
            row = self._rows.get(self._key(tenant_id, day))
            if row is None:
                return None
            found = self._days[tenant_id, day] = read_day(row)
        return found

    def _of(self, tenant_id: str, day: int) -> Day:
        found = self._known(tenant_id, day)
        if found is None:
            found = self._days[tenant_id, day] = Day()
            self._new.add((tenant_id, day))
        return found

    def _enlist(self, tenant_id: str, day: int) -> None:
        """Note that a day has a row, and delete those of days long before."""
        row = self._rows.get(days_key(tenant_id))
        days = [*(Days() if row is None else read_days(row)).days, day]
        for old in days:
            if old <= day - DAYS_KEPT:
                self._rows.delete(self._key(tenant_id, old))
        left = Days([one for one in days if one > day - DAYS_KEPT])
        self._rows.put(days_key(tenant_id), DAYS_ROW.pack(left))


def _conclude(known: Day, tenant_id: str, day: int, deciders: Deciders) -> list[tuple[str, int]]:
    """Work out what has moved on a day that is over; return what has drifted."""
    known.is_over = True
    live = known.live
    if live is None:
        return []
    counts, live.counts = live.counts, []
    model = deciders.model(LIVE, tenant_id, _end_of(day))
    if model is None or model.name != live.name or live.payments < PAYMENTS_MIN:
        return []
    found = model.spread.psi_bp(counts)
    live.moved = [(name, bp) for name, bp in found if bp >= MOVED_BP]
    return [(name, bp) for name, bp in found if bp >= DRIFTED_BP]


def _counted(role: str, tenant_id: str, day: int, by: tuple[InForce, Deciders]) -> Fitted | None:
    """Return the model that has a role at the end of a day, if it is the one that scored."""
    force, deciders = by
    scored = force.live if role == LIVE else force.shadow
    model = deciders.model(role, tenant_id, _end_of(day))
    return model if model is not None and scored is not None and scored.name == model.name else None


def _end_of(day: int) -> int:
    """Return the last moment of a day, microseconds UTC."""
    return (day + 1) * MICROSECONDS_PER_DAY - 1


def _label(one: ShadowRule) -> str:
    return one.label
