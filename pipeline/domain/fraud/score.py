"""From findings to a verdict. Another `Scorer`, such as a trained model, can replace the rules."""

from __future__ import annotations

from typing import Protocol

import msgspec

from pipeline.domain.fraud.preselection import preselect_by
from pipeline.domain.fraud.profile import Attempt, Profile
from pipeline.domain.fraud.settings import FraudRules

SCORE_MAX = 100


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The result of scoring a payment, and the version of the scorer."""

    outcome: str
    """APPROVE, REVIEW or DECLINE."""
    score: int
    """0 (harmless) to 100."""
    reasons: tuple[tuple[str, str], ...]
    """Pairs of rule and detail."""
    version: str


class Scorer(Protocol):
    """Scores payments."""

    @property
    def version(self) -> str:
        """Identifies the scorer and its parameters; every decision states it."""
        ...

    def score(self, profile: Profile, attempt: Attempt) -> Verdict:
        """Return the verdict; the profile does not count the payment yet, and is not changed."""
        ...


class RuleScorer:
    """Scores by the fraud rules: the sum of their weights, at most SCORE_MAX."""

    def __init__(self, rules: FraudRules) -> None:
        self._rules = rules
        self._preselect = preselect_by(rules)
        self.version = rules.version
        self._harmless = Verdict("APPROVE", 0, (), self.version)

    def score(self, profile: Profile, attempt: Attempt) -> Verdict:
        """Return the verdict of all rules, reasons in their order."""
        rules = self._rules
        total = 0
        reasons: list[tuple[str, str]] = []
        for rule in self._preselect(profile, attempt):
            finding = rule(profile, attempt, rules)
            if finding is not None and finding.weight:
                total += finding.weight
                reasons.append((finding.rule, finding.detail))
        if not reasons:
            return self._harmless
        score = min(total, SCORE_MAX)
        return Verdict(outcome_of(score, rules), score, tuple(reasons), self.version)


def outcome_of(score: int, rules: FraudRules) -> str:
    """Return the outcome of a score (0..100): APPROVE, REVIEW or DECLINE."""
    if score >= rules.decline_score_min:
        return "DECLINE"
    return "REVIEW" if score >= rules.review_score_min else "APPROVE"
