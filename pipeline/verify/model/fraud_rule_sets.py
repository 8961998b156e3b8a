"""Sets of fraud rules: read from their head and the parts of their lists, and which of them hold.

    head, parts -> read_set -> RuleSet -> Published.holding(time, tenant, segment) -> rules, lists, snoozes

From the contract: sets, bounds and the events in the README of the rules. What breaks it is a `FalseSet`.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.verify.model.fraud_answers import Answer, Entries, answer, worded
from pipeline.verify.model.fraud_catalogue import UNITS
from pipeline.verify.model.fraud_conditions import Part, parsed
from pipeline.verify.model.fraud_words import FalseCondition

DEFAULT_RULES = Path(__file__).parents[2] / "domain/fraud/expressions/default_rules.toml"
"""The rules of the package: data, as its README prints them."""
RULES_MAX, LISTS_MAX, SNOOZES_MAX, CONDITIONS_MAX = 200, 32, 10_000, 8_000
ENTRIES_MAX, ALL_ENTRIES_MAX, PART_ENTRIES = 100_000, 200_000, 2_000
BYTES_MAX = 4 * 1024 * 1024
LONG_MAX = 2**63 - 1
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
SEGMENTS, STATES = ("payroll", "retail", "treasury"), ("active", "paused", "shadow")
KINDS = ("allow", "block", "watch")
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ud800-\udfff]"
)
PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class FalseSet(Exception):
    """What is no set of rules; the argument says why."""


class Rule(NamedTuple):
    """One rule, as the head of a set has it."""

    rule_id: str
    version: int
    expression: str
    score: int | None
    outcome: str | None
    state: str
    effective_from_us: int | None
    segments: tuple[str, ...]
    reason: str

    @property
    def label(self) -> str:
        return f"{self.rule_id}@{self.version}"


class RuleList(NamedTuple):
    """A list, with its entries and when each is over."""

    name: str
    kind: str
    of: str
    entries: dict[str, int | None]


@dataclass
class RuleSet:
    """A version of a set."""

    set_id: str
    version: int
    tenant: str | None
    effective_from_us: int
    rules: tuple[Rule, ...]
    lists: tuple[RuleList, ...] = ()
    snoozes: tuple[tuple[str, str, int], ...] = ()
    sha256: str = ""

    @property
    def label(self) -> str:
        return f"{'' if self.tenant is None else self.tenant + '/'}{self.set_id}@{self.version}"


class Held(NamedTuple):
    """A rule that holds: what it says, and of which set it is."""

    rule: Rule
    says: Answer


def wanted(holds: bool, why: str) -> None:
    if not holds:
        raise FalseSet(why)


def packed(value: Any) -> bytes:
    """Return canonical JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def read_set(head: bytes, parts: dict[tuple[str, int], list[list[Any]]]) -> RuleSet:
    """Return the set of a head; `parts`: the entries that are known, by hash and number. Raises FalseSet."""
    wanted(len(head) <= BYTES_MAX, "too large")
    try:
        form, content, references = json.loads(head)
        wanted(form == 1, "form")
        found = set_of(content, [list_of(one, parts) for one in references])
        canonical = [1, [*content[:4], [list(one) for one in found.rules], [], content[6]], references]
        wanted(packed(canonical) == head, "not canonical")
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, AttributeError) as error:
        raise FalseSet(str(error)) from None
    found.sha256 = hashlib.sha256(head).hexdigest()
    return found


def list_of(reference: list[Any], parts: dict[tuple[str, int], list[list[Any]]]) -> RuleList:
    """Return a list that a head names by its hash. Raises FalseSet."""
    name, kind, of, count, sha256 = reference
    wanted(type(count) is int and 0 <= count <= ENTRIES_MAX, "entries")
    entries = [one for number in range(-(-count // PART_ENTRIES)) for one in parts.get((sha256, number), [])]
    wanted(len(entries) == count and hashlib.sha256(packed(entries)).hexdigest() == sha256, "entries")
    wanted(all(low[0] < high[0] for low, high in pairwise(entries)), "entries in order")
    wanted(bool(NAME.fullmatch(name)) and kind in KINDS and UNITS.get(of) == "text", "a list")
    for value, until_us in entries:
        wanted(1 <= len(value) <= 256 and "\0" not in value, "an entry")
        wanted(until_us is None or is_long(until_us, 0), "an entry")
    return RuleList(name, kind, of, dict(entries))


def rule_of(*values: Any) -> Rule:
    """Return a rule as the head has it: segments are a list there."""
    rule_id, version, expression, score, outcome, state, from_us, segments, reason = values
    return Rule(rule_id, version, expression, score, outcome, state, from_us, tuple(segments), reason)


def is_long(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= LONG_MAX


def set_of(content: list[Any], lists: list[RuleList]) -> RuleSet:
    """Return a set, checked. Raises FalseSet."""
    set_id, version, tenant, from_us, rules, none, snoozes = content
    wanted(bool(NAME.fullmatch(set_id)) and is_long(version, 1) and is_long(from_us, 0), "a set")
    wanted(none == [] and (tenant is None or is_id(tenant)), "a set")
    wanted(len(rules) <= RULES_MAX and len(lists) <= LISTS_MAX and len(snoozes) <= SNOOZES_MAX, "bounds")
    wanted(sum(len(one.entries) for one in lists) <= ALL_ENTRIES_MAX, "entries")
    made = [rule_of(*one) for one in rules]
    wanted(len({one.rule_id for one in made}) == len(made), "a rule twice")
    wanted(len({one.name for one in lists}) == len(lists), "a list twice")
    names = [(one[0], one[1]) for one in snoozes]
    wanted(names == sorted(set(names)), "snoozes in order")
    for whose, account, until_us in snoozes:
        wanted(is_id(whose) and is_id(account) and is_long(until_us, 0), "a snooze")
        wanted(tenant in (None, whose), "a snooze of another tenant")
    of = {one.name: one.of for one in lists}
    canonical = []
    size = 0
    for one in made:
        part = checked(one, of)
        size += size_of(part)
        canonical.append(one._replace(expression=worded(part)))
    wanted(size <= CONDITIONS_MAX, "conditions")
    kept = tuple((whose, account, until_us) for whose, account, until_us in snoozes)
    return RuleSet(set_id, version, tenant, from_us, tuple(canonical), tuple(lists), kept)


def is_id(text: str) -> bool:
    return 1 <= len(text) <= 256 and "\0" not in text and "/" not in text


def checked(rule: Rule, lists: dict[str, str]) -> Part:
    """Return the condition of a rule. Raises FalseSet."""
    wanted(bool(NAME.fullmatch(rule.rule_id)) and is_long(rule.version, 1), "a rule")
    wanted((rule.score is None) != (rule.outcome is None), "score or outcome")
    wanted(rule.score is None or (is_long(rule.score, 1) and rule.score <= 100), "a score")
    wanted(rule.outcome in (None, "REVIEW", "REJECT") and rule.state in STATES, "a rule")
    wanted(set(rule.segments) <= set(SEGMENTS), "segments")
    wanted(list(rule.segments) == sorted(set(rule.segments)), "segments")
    wanted(rule.effective_from_us is None or is_long(rule.effective_from_us, 0), "a rule")
    wanted(1 <= len(rule.reason) <= 200 and not UNSEEN.search(rule.reason), "a reason")
    places = [one for one in PLACE.finditer(rule.reason) if one.group() not in ("{{", "}}")]
    wanted(len(places) <= 8 and all(one.group(1) in UNITS for one in places), "a reason")
    try:
        return parsed(rule.expression, UNITS, lists)
    except FalseCondition as false:
        raise FalseSet(str(false)) from None


def size_of(part: Part) -> int:
    """Return how many parts a condition has."""
    return 1 + sum(size_of(one) for one in part.parts)


@cache
def default_set() -> RuleSet:
    """Return the set of the package."""
    found = tomllib.loads(DEFAULT_RULES.read_text("utf-8"))
    rules = [
        [
            *(one["id"], one["version"], one["when"], one.get("score"), one.get("outcome")),
            *(one.get("state", "active"), None, sorted(one.get("segments", ())), one["reason"]),
        ]
        for one in found["rules"]
    ]
    lists = [
        RuleList(one["name"], one["kind"], one["of"], dict.fromkeys(one.get("entries", ())))
        for one in found.get("lists", ())
    ]
    return set_of([found["set"], found["version"], None, 0, rules, [], []], lists)


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

    def add(self, one: RuleSet) -> bool:
        """Take a set. Raises FalseSet for other content of a version that is known."""
        versions = self.sets.setdefault((one.tenant, one.set_id), {})
        known = versions.get(one.version)
        wanted(known is None or known.sha256 == one.sha256, "a version has one content")
        versions[one.version] = one
        self.kept.clear()
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
        sets = self.at(at_us, tenant)
        rules = {one.rule_id: (one, found) for found in sets for one in found.rules}
        begun = tuple(
            rule.effective_from_us is None or rule.effective_from_us <= at_us for rule, _ in rules.values()
        )
        key = (tuple((one.label, one.sha256) for one in sets), tenant, segment, begun)
        if key not in self.kept:
            held = [
                Held(rule, says(rule.expression, found))
                for (rule, found), has_begun in zip(rules.values(), begun, strict=True)
                if has_begun and rule.state != "paused" and (not rule.segments or segment in rule.segments)
            ]
            lists = [one for found in sets for one in found.lists]
            labels = tuple(one.label for one in sets)
            self.kept[key] = Holding(held, lists, snoozed(sets, tenant), labels)
        return self.kept[key]


def says(expression: str, found: RuleSet) -> Answer:
    """Return what a rule says; it sees the lists of its own set."""
    of = {one.name: one.of for one in found.lists}
    entries: Entries = {one.name: one.entries for one in found.lists}
    return answer(parsed(expression, UNITS, of), entries)


def snoozed(sets: Iterable[RuleSet], tenant: str) -> dict[str, int]:
    """Return until when each debtor of a tenant is snoozed."""
    found: dict[str, int] = {}
    for one in sets:
        for whose, account, until_us in one.snoozes:
            if whose == tenant:
                found[account] = max(until_us, found.get(account, 0))
    return found
