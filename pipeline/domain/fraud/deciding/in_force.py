"""What decides at an event time for a tenant and a segment: rules and models, compiled and kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.domain.fraud.deciding.facts import DEBTOR
from pipeline.domain.fraud.deciding.models import ANOMALY, LIVE, SHADOW, Fitted, Models
from pipeline.domain.fraud.expressions.compiled import CompiledRules, entries_of
from pipeline.domain.fraud.expressions.default_set import default_set
from pipeline.domain.fraud.expressions.holding import Holding, Published
from pipeline.domain.fraud.expressions.linting import lint
from pipeline.domain.fraud.expressions.problems import ERROR
from pipeline.domain.fraud.expressions.rule_sets import RuleList, RuleSet, RuleSetError
from pipeline.domain.fraud.features.catalogue import CATALOGUE

KEPT_MAX = 2_048
"""Compiled sets that are kept: tenants with something of their own times segments times times. There are 256
sets by tenant (`publishing`), so those of all of them fit, before and after a change."""
NOBODY = ""
"""In the place of every tenant who has nothing of its own: they share what is compiled."""


class InForce(NamedTuple):
    """What decides."""

    rules: CompiledRules
    sets: str
    """The names of the sets, `default@1, north/own@3`."""
    live: Fitted | None
    shadow: Fitted | None
    anomaly: Fitted | None
    from_us: int
    until_us: int | None
    """It is so from the one event time until the other, exclusive; None: there is no end."""


class Deciders:
    """All rules and models that are known; says which of them hold."""

    def __init__(self, base: RuleSet | None = None) -> None:
        """`base`: what holds until a set of its id is published; None: the default set of the package."""
        self._published = Published(base=default_set(CATALOGUE) if base is None else base)
        self._models = Models()
        self._kept: dict[tuple[str, str], list[InForce]] = {}
        self._rules: dict[tuple[tuple[str, ...], tuple[int, ...]], CompiledRules] = {}
        """By names of sets and identities of rules: of many tenants with a snooze the rules are the same."""
        self._entries: dict[int, tuple[RuleList, Mapping[str, int]]] = {}
        """By identity of a list: every tenant and segment has the same ones, which may be large."""
        self._changed()

    def publish(self, rules: RuleSet, *, is_checked: bool = False) -> bool:
        """Take a set of rules; False: it is known already.

        `is_checked`: this catalogue has compiled it before, so that it is not looked at once more. Raises
        RuleSetError for one that this catalogue cannot compile, and for another content of a version.
        """
        for finding in () if is_checked else lint(rules, CATALOGUE):
            if finding.severity == ERROR:
                raise RuleSetError(f"{finding.subject}: {finding.part}: {finding.message}")
        is_new = self._published.add(rules)
        self._changed()
        return is_new

    def give(self, role: str, tenant_id: str | None, from_us: int, model: Fitted | None) -> None:
        """Give a role to a model from an event time on; None: to none. Raises ModelRefused."""
        self._models.give(role, tenant_id, from_us, model)
        self._changed()

    def _changed(self) -> None:
        self._kept.clear()
        self._rules.clear()
        self._special = self._published.tenants() | self._models.tenants()

    @property
    def has_models(self) -> bool:
        """Whether a model was ever live or beside a live one."""
        return self._models.has_any

    def model(self, role: str, tenant_id: str, at_us: int) -> Fitted | None:
        """Return which model has a role at an event time, microseconds UTC; None: none."""
        return self._models.at(role, tenant_id, at_us)

    def whose(self, tenant_id: str) -> str:
        """Return a tenant, or NOBODY for one for whom the same holds as for all."""
        return tenant_id if tenant_id in self._special else NOBODY

    def at(self, at_us: int, tenant_id: str, segment: str) -> InForce:
        """Return what decides at an event time, microseconds UTC."""
        whose = self.whose(tenant_id)
        kept = self._kept.setdefault((whose, segment), [])
        for one in kept:
            if one.from_us <= at_us and (one.until_us is None or at_us < one.until_us):
                return one
        found = self._compiled(at_us, whose, segment)
        if sum(map(len, self._kept.values())) >= KEPT_MAX:
            self._kept.clear()
            self._rules.clear()
            kept = self._kept.setdefault((whose, segment), [])
        kept.append(found)
        return found

    def _compiled(self, at_us: int, whose: str, segment: str) -> InForce:
        holding = self._published.at(at_us, whose, segment)
        since, until = self._models.between(whose, at_us)
        ends = [one for one in (until, holding.until_us) if one is not None]
        live, shadow, anomaly = (self._models.at(role, whose, at_us) for role in (LIVE, SHADOW, ANOMALY))
        return InForce(
            self._rules_of(holding),
            ", ".join(holding.sets),
            live,
            shadow,
            anomaly,
            max(since, holding.from_us),
            min(ends, default=None),
        )

    def _rules_of(self, holding: Holding) -> CompiledRules:
        name = holding.sets, tuple(id(held.rule) for held in holding.rules)
        found = self._rules.get(name)
        if found is None:
            found = self._rules[name] = CompiledRules(holding, CATALOGUE, DEBTOR, self._entries_in)
        return found.snoozing(holding.snoozed_until_us)

    def _entries_in(self, one: RuleList) -> Mapping[str, int]:
        found = self._entries.get(id(one))
        if found is None:
            found = self._entries[id(one)] = one, entries_of(one)
        return found[1]
