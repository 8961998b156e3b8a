"""Which of the published rules of fraud decisions hold at an event time, for a tenant and a segment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.verify.model.fraud_answers import Answer, Entries, answer
from pipeline.verify.model.fraud_catalogue import UNITS
from pipeline.verify.model.fraud_conditions import Part, parsed
from pipeline.verify.model.fraud_rule_sets import Rule, RuleList, RuleSet, default_set, wanted


class Held(NamedTuple):
    """A rule that holds: what it says, and of which set it is."""

    rule: Rule
    says: Answer


class Rules(NamedTuple):
    """What some sets have together."""

    rules: dict[str, tuple[Rule, RuleSet]]
    later: list[Rule]
    """Rules with a time of their own."""


@dataclass
class Holding:
    """What holds at a time for a tenant and a segment."""

    rules: list[Held]
    lists: list[RuleList]
    """Block and allow lists of every set."""
    snoozed_us: dict[str, int]
    labels: tuple[str, ...]


@dataclass
class Published:
    """All sets that are known, and what of the package's own holds until another one of its name does."""

    sets: dict[tuple[str | None, str], dict[int, RuleSet]] = field(default_factory=dict)
    kept: dict[tuple[Any, ...], Holding] = field(default_factory=dict)
    rules: dict[tuple[Any, ...], Rules] = field(default_factory=dict)
    """What some sets together have: rules by id, and those of them that begin later than their set."""
    tenants: set[str] = field(default_factory=set)
    """Those of whom a set says something; to all others the same is said."""

    def add(self, one: RuleSet) -> bool:
        """Take a set. Raises FalseSet for other content of a version that is known."""
        versions = self.sets.setdefault((one.tenant, one.set_id), {})
        known = versions.get(one.version)
        wanted(known is None or known.sha256 == one.sha256, "a version has one content")
        versions[one.version] = one
        self.tenants |= {whose for whose, _, _ in one.snoozes} | ({one.tenant} if one.tenant else set())
        self.kept.clear()
        self.rules.clear()
        return known is None

    def at(self, at_us: int, tenant: str) -> list[RuleSet]:
        """Return the version of each set whose time has come, sets of all tenants before the tenant's own."""
        found = {(False, default_set().set_id): default_set()}
        for (whose, set_id), versions in self.sets.items():
            begun = [one for one in versions.values() if one.effective_from_us <= at_us]
            if whose in (None, tenant) and begun:
                found[whose is not None, set_id] = max(begun, key=lambda one: one.version)
        return [found[key] for key in sorted(found)]

    def holding(self, at_us: int, tenant: str, segment: str) -> Holding:
        """Return what holds."""
        sets, whose = self.at(at_us, tenant), tenant if tenant in self.tenants else None
        named = tuple((one.label, one.sha256) for one in sets)
        if named not in self.rules:
            rules = {one.rule_id: (one, found) for found in sets for one in found.rules}
            later = [one for one, _ in rules.values() if one.effective_from_us is not None]
            self.rules[named] = Rules(rules, later)
        rules, later = self.rules[named]
        ahead = {one.rule_id for one in later if (one.effective_from_us or 0) > at_us}
        key = named, whose, segment, frozenset(ahead)
        if key not in self.kept:
            held = [
                Held(rule, says(rule.expression, found))
                for rule, found in rules.values()
                if rule.rule_id not in ahead
                and rule.state != "paused"
                and (not rule.segments or segment in rule.segments)
            ]
            lists = [one for found in sets for one in found.lists]
            labels = tuple(one.label for one in sets)
            self.kept[key] = Holding(held, lists, snoozed(sets, tenant), labels)
        return self.kept[key]


def says(expression: str, found: RuleSet) -> Answer:
    """Return what a rule says; it sees the lists of its own set."""
    entries: Entries = {one.name: one.entries for one in found.lists}
    return answer(_parsed(expression, tuple((one.name, one.of) for one in found.lists)), entries)


@lru_cache(512)
def _parsed(expression: str, lists: tuple[tuple[str, str], ...]) -> Part:
    return parsed(expression, UNITS, dict(lists))


def snoozed(sets: Iterable[RuleSet], tenant: str) -> dict[str, int]:
    """Return until when each debtor of a tenant is snoozed."""
    found: dict[str, int] = {}
    for one in sets:
        for whose, account, until_us in one.snoozes:
            if whose == tenant:
                found[account] = max(until_us, found.get(account, 0))
    return found
