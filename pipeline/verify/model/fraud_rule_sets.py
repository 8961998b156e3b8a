"""Sets of fraud rules: read from their head and the parts of their lists, and which of them hold.

    head, parts -> read_set -> RuleSet -> Published.holding(time, tenant, segment) -> rules, lists, snoozes

From the contract: sets, bounds and the events in the README of the rules. What breaks it is a `FalseSet`.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.verify.model.fraud_answers import worded
from pipeline.verify.model.fraud_catalogue import UNITS
from pipeline.verify.model.fraud_conditions import Part, parsed
from pipeline.verify.model.fraud_words import FalseCondition

DEFAULT_RULES = Path(__file__).parents[2] / "domain/fraud/expressions/default_rules.toml"
"""The rules of the package: data, as its README prints them."""
RULES_MAX, LISTS_MAX, SNOOZES_MAX, CONDITIONS_MAX = 200, 32, 10_000, 8_000
ENTRIES_MAX, ALL_ENTRIES_MAX, PART_ENTRIES, PARTS_MAX = 100_000, 200_000, 2_000, 512
HEAD_BYTES_MAX, PART_BYTES_MAX = 640 * 1024, 512 * 1024
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


def wanted(holds: bool, why: str) -> None:
    if not holds:
        raise FalseSet(why)


def packed(value: Any) -> bytes:
    """Return canonical JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Reference(NamedTuple):
    """A list as the head of a set names it."""

    name: str
    kind: str
    of: str
    entries: int
    sha256: str


Parts = Mapping[tuple[str, int], list[list[Any]]]
"""The entries that are known, by the hash of their list and the number of the part."""


def read_head(head: bytes) -> tuple[RuleSet, list[Reference]]:
    """Return the set of a head, its lists without entries, and the lists by their hashes. Raises FalseSet."""
    wanted(len(head) <= HEAD_BYTES_MAX, "too large")
    try:
        form, content, lists = json.loads(head)
        wanted(form == 1, "form")
        named = [Reference(name, kind, of, count, sha256) for name, kind, of, count, sha256 in lists]
        wanted(all(is_reference(one) for one in named), "a list")
        wanted(sum(one.entries for one in named) <= ALL_ENTRIES_MAX, "entries")
        found = set_of(content, [RuleList(one.name, one.kind, one.of, {}) for one in named])
        canonical = [1, [*content[:4], [list(one) for one in found.rules], [], content[6]], lists]
        wanted(packed(canonical) == head, "not canonical")
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, AttributeError) as error:
        raise FalseSet(str(error)) from None
    found.sha256 = hashlib.sha256(head).hexdigest()
    return found, named


def is_reference(one: Reference) -> bool:
    counted = type(one.entries) is int and 0 <= one.entries <= ENTRIES_MAX
    return bool(NAME.fullmatch(one.name)) and one.kind in KINDS and UNITS.get(one.of) == "text" and counted


def read_set(head: bytes, parts: Parts) -> RuleSet:
    """Return the set of a head, with the entries of its lists. Raises FalseSet."""
    found, named = read_head(head)
    found.lists = tuple(list_of(one, parts) for one in named)
    return found


def list_of(named: Reference, parts: Parts) -> RuleList:
    """Return a list that a head names by its hash. Raises FalseSet."""
    numbers = sorted(number for sha256, number in parts if sha256 == named.sha256)
    entries = [one for number in numbers for one in parts[named.sha256, number]]
    wanted(len(entries) == named.entries, "entries")
    wanted(hashlib.sha256(packed(entries)).hexdigest() == named.sha256, "entries")
    wanted(all(low[0] < high[0] for low, high in pairwise(entries)), "entries in order")
    return RuleList(named.name, named.kind, named.of, {one[0]: one[1] for one in entries})


def read_part(part: bytes) -> tuple[str, int, list[list[Any]]]:
    """Return which list a part is of, its number, and its entries. Raises FalseSet."""
    wanted(len(part) <= PART_BYTES_MAX, "too large")
    try:
        found = json.loads(part)
        sha256, number, entries = found
        wanted(packed(found) == part, "not canonical")
        wanted(isinstance(sha256, str) and type(number) is int, "a part")
        wanted(0 <= number < PARTS_MAX and 1 <= len(entries) <= PART_ENTRIES, "a part")
        for value, until_us in entries:
            wanted(1 <= len(value) <= 256 and "\0" not in value, "an entry")
            wanted(until_us is None or is_long(until_us, 0), "an entry")
    except (ValueError, TypeError, RecursionError, AttributeError) as error:
        raise FalseSet(str(error)) from None
    return sha256, number, entries


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
