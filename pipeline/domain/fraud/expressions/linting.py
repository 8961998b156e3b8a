"""All that is wrong with a set of rules, as a whole: against a catalogue, and against the version before."""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.domain.fraud.expressions import reasons
from pipeline.domain.fraud.expressions.catalogue import Catalogue
from pipeline.domain.fraud.expressions.checking import problems_of
from pipeline.domain.fraud.expressions.contradictions import always_holds, never_holds
from pipeline.domain.fraud.expressions.formatting import text_of
from pipeline.domain.fraud.expressions.parsing import parse
from pipeline.domain.fraud.expressions.problems import (
    ERROR,
    WARNING,
    ExpressionError,
    Problem,
    caret,
    did_you_mean,
    line_and_column,
)
from pipeline.domain.fraud.expressions.rule_sets import PAUSED, Rule, RuleSet
from pipeline.domain.fraud.expressions.syntax import nodes_of
from pipeline.domain.fraud.expressions.units import TEXT

PARTS_MAX = 8_000
"""Most parts of all conditions of a set: each costs time for every payment. 40 for each of 200 rules."""
Part = Literal["expression", "reason", "list", "rule"]


class Finding(msgspec.Struct, frozen=True):
    """Something wrong with a set."""

    severity: str
    """`error`: the set cannot be used. `warning`: it can, and probably says what nobody means."""
    subject: str
    """The id of the rule, or the name of the list."""
    part: Part
    message: str
    at: int = 0
    """Of an expression or a reason: the characters that are meant."""
    until: int = 0

    def shown(self, text: str) -> str:
        """Return the finding with line, column and carets in the text of its part."""
        line, column = line_and_column(text, self.at)
        where = f"{self.subject}: {self.part}, line {line}, column {column}"
        return f"{where}: {self.message}\n{caret(text, self.at, self.until)}"


def lint(rules: RuleSet, catalogue: Catalogue) -> list[Finding]:
    """Return all that is wrong with a set, in the order of its lists and rules."""
    found = _of_lists(rules, catalogue)
    lists = {one.name: one.of for one in rules.lists}
    said: dict[str, str] = {}
    parts = 0
    for rule in rules.rules:
        for problem in reasons.problems_of(rule.reason, catalogue):
            found.append(_finding(rule.rule_id, "reason", problem))
        try:
            node = parse(rule.expression)
        except ExpressionError as error:
            found += [_finding(rule.rule_id, "expression", problem) for problem in error.problems]
            continue
        before, parts = parts, parts + sum(1 for _ in nodes_of(node))
        if before <= PARTS_MAX < parts:
            message = f"the conditions of the set have more than {PARTS_MAX} parts, up to here"
            found.append(_finding(rule.rule_id, "expression", Problem(message, 0, len(rule.expression))))
        problems = problems_of(node, catalogue, lists)
        found += [_finding(rule.rule_id, "expression", problem) for problem in problems]
        if problems:
            continue
        whole = len(rule.expression)
        for is_so, message in ((never_holds, "can never be true"), (always_holds, "is never false")):
            if is_so(node, catalogue):
                problem = Problem(f"the condition {message}", 0, whole, WARNING)
                found.append(_finding(rule.rule_id, "expression", problem))
                break
        text = text_of(node)
        if rule.state != PAUSED and text in said:
            problem = Problem(f"the same condition as {said[text]}", 0, whole, WARNING)
            found.append(_finding(rule.rule_id, "expression", problem))
        elif rule.state != PAUSED:
            said[text] = rule.rule_id
    return found


def _of_lists(rules: RuleSet, catalogue: Catalogue) -> list[Finding]:
    found: list[Finding] = []
    for one in rules.lists:
        feature = catalogue.get(one.of)
        if feature is None:
            near = did_you_mean(one.of, catalogue.names())
            found.append(Finding(ERROR, one.name, "list", f"unknown feature `{one.of[:64]}`{near}"))
        elif feature.unit != TEXT:
            message = f"a list has texts, and `{one.of}` is {feature.unit}"
            found.append(Finding(ERROR, one.name, "list", message))
        for entry in one.entries:
            if entry.expires_at_us is not None and entry.expires_at_us <= rules.effective_from_us:
                message = f"{entry.value!r} has expired before the set takes effect"
                found.append(Finding(WARNING, one.name, "list", message))
                break
    return found


def lint_change(before: RuleSet, after: RuleSet) -> list[Finding]:
    """Return what is wrong with a set that takes the place of another: versions that were not increased."""
    found: list[Finding] = []
    if after.version <= before.version:
        message = f"version {after.version} of the set does not follow {before.version}"
        found.append(Finding(ERROR, after.set_id, "rule", message))
    known = {rule.rule_id: rule for rule in map(_canonical, before.rules)}
    for rule in map(_canonical, after.rules):
        earlier = known.get(rule.rule_id)
        if earlier is not None and earlier != rule and rule.version <= earlier.version:
            message = f"it has changed since version {earlier.version}: increase its version"
            found.append(Finding(ERROR, rule.rule_id, "rule", message))
    return found


def _canonical(rule: Rule) -> Rule:
    """Return a rule with its canonical condition; as it is where that cannot be read, which `lint` says."""
    try:
        return msgspec.structs.replace(rule, expression=text_of(parse(rule.expression)))
    except ExpressionError:
        return rule


def _finding(subject: str, part: Part, problem: Problem) -> Finding:
    return Finding(problem.severity, subject, part, problem.message, problem.at, problem.until)
