"""Which rules hold: of all sets that were published, at an event time, for a tenant and a segment.

1. Of each set, by its id and tenant, the highest version whose `effective_from` has come. When it was
   published does not matter: the same sets in any order give the same answer.
2. Sets of all tenants first, then the tenant's own; each group by set id. A rule takes the place of one of an
   earlier set that has its id (so a tenant can change or pause a rule of all tenants); others come after. A
   rule sees the lists of its own set. Block lists, allow lists and snoozes of every set count.
3. Rules that are paused, whose own `effective_from` has not come, or of other segments, are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pipeline.domain.fraud.expressions.canonical import name_of
from pipeline.domain.fraud.expressions.rule_sets import PAUSED, Rule, RuleList, RuleSet, RuleSetError
from pipeline.domain.kernel.times import LONG_AGO


class Held(msgspec.Struct, frozen=True):
    """A rule that holds."""

    rule: Rule
    from_set: int
    """Which of the sets it is of."""


class Holding(msgspec.Struct, frozen=True):
    """The rules that hold, with the lists that they may name."""

    sets: tuple[str, ...]
    """`id@version`, or `tenant/id@version`, in order: what a decision names."""
    rules: tuple[Held, ...]
    lists: tuple[tuple[RuleList, ...], ...]
    """Of each set."""
    snoozed_until_us: dict[str, int]
    """By account of the tenant: until when, exclusive."""
    from_us: int
    until_us: int | None
    """The same rules hold from the one event time until the other, exclusive; None: there is no end."""


class Published:
    """All sets of rules that were published; holds them by id, tenant and version."""

    def __init__(self, sets: Iterable[RuleSet] = (), base: RuleSet | None = None) -> None:
        """`base`: a set of all tenants that holds until the time of a published one of its id has come."""
        self._base = base
        self._sets: dict[tuple[str | None, str], dict[int, RuleSet]] = {}
        for one in sets:
            self.add(one)

    def add(self, rules: RuleSet) -> bool:
        """Add a set; return False if it is known already.

        Raises RuleSetError for another content of a version that is known: the first one stays.
        """
        versions = self._sets.setdefault((rules.tenant_id, rules.set_id), {})
        known = versions.get(rules.version)
        if known is None:
            versions[rules.version] = rules
            return True
        if known != rules and name_of(known) != name_of(rules):
            raise RuleSetError(f"{rules.set_id}: version {rules.version} is known with another content")
        return False

    def tenants(self) -> frozenset[str]:
        """Return the tenants for whom something else may hold than for all."""
        found = {tenant for tenant, _ in self._sets if tenant is not None}
        sets = [one for versions in self._sets.values() for one in versions.values()]
        for one in sets if self._base is None else [self._base, *sets]:
            found |= {snooze.tenant_id for snooze in one.snoozes}
        return frozenset(found)

    def at(self, at_us: int, tenant_id: str, segment: str) -> Holding:
        """Return what holds at an event time (microseconds UTC) for a tenant and a segment."""
        sets = self._sets_at(at_us, tenant_id)
        rules: dict[str, Held] = {}
        snoozed: dict[str, int] = {}
        for place, one in enumerate(sets):
            rules |= {rule.rule_id: Held(rule, place) for rule in one.rules}
            for snooze in one.snoozes:
                if snooze.tenant_id == tenant_id:
                    known_us = snoozed.get(snooze.account_id, snooze.until_us)
                    snoozed[snooze.account_id] = max(known_us, snooze.until_us)
        times_us = self._changes(tenant_id, [held.rule for held in rules.values()])
        return Holding(
            tuple(label_of(one) for one in sets),
            tuple(held for held in rules.values() if _holds(held.rule, at_us, segment)),
            tuple(one.lists for one in sets),
            snoozed,
            max((time_us for time_us in times_us if time_us <= at_us), default=LONG_AGO),
            min((time_us for time_us in times_us if time_us > at_us), default=None),
        )

    def _sets_at(self, at_us: int, tenant_id: str) -> Sequence[RuleSet]:
        found: list[RuleSet] = []
        base = () if self._base is None else ((None, self._base.set_id),)
        for tenant, set_id in sorted({*self._sets, *base}, key=lambda key: (key[0] is not None, key[1])):
            if tenant in (None, tenant_id):
                versions = self._sets.get((tenant, set_id), {}).values()
                begun = [one for one in versions if one.effective_from_us <= at_us]
                if not begun and self._base is not None and (tenant, set_id) in base:
                    begun = [self._base]
                if begun:
                    found.append(max(begun, key=lambda one: one.version))
        return found

    def _changes(self, tenant_id: str, rules: Iterable[Rule]) -> list[int]:
        """Return the event times at which other rules may begin to hold."""
        times_us = [
            one.effective_from_us
            for (tenant, _), versions in self._sets.items()
            if tenant in (None, tenant_id)
            for one in versions.values()
        ]
        return times_us + [rule.effective_from_us for rule in rules if rule.effective_from_us is not None]


def label_of(rules: RuleSet) -> str:
    """Return how decisions name a set and its version."""
    whose = "" if rules.tenant_id is None else f"{rules.tenant_id}/"
    return f"{whose}{rules.set_id}@{rules.version}"


def _holds(rule: Rule, at_us: int, segment: str) -> bool:
    has_begun = rule.effective_from_us is None or rule.effective_from_us <= at_us
    return rule.state != PAUSED and has_begun and (not rule.segments or segment in rule.segments)
