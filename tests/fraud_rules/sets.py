"""Short ways to write rules and sets in tests."""

from __future__ import annotations

from typing import Any

from pipeline.domain.fraud.expressions.rule_sets import Entry, Rule, RuleList, RuleSet


def rule(rule_id: str, expression: str = "payments_1h > 10", **changes: Any) -> Rule:
    """Return a rule with a score of 10, if nothing else is said."""
    values: dict[str, Any] = {"version": 1, "reason": "because"}
    if "outcome" not in changes:
        values["score"] = 10
    return Rule(rule_id=rule_id, expression=expression, **(values | changes))


def rule_list(name: str, kind: str, *entries: str | tuple[str, int], of: str = "payee") -> RuleList:
    """Return a list; an entry is a value, or a value and when it expires."""
    made = [Entry(one) if isinstance(one, str) else Entry(*one) for one in entries]
    return RuleList(name=name, kind=kind, of=of, entries=tuple(sorted(made, key=lambda one: one.value)))


def rule_set(
    *rules: Rule, set_id: str = "default", version: int = 1, from_us: int = 0, **changes: Any
) -> RuleSet:
    """Return a set."""
    return RuleSet(set_id=set_id, version=version, effective_from_us=from_us, rules=rules, **changes)
