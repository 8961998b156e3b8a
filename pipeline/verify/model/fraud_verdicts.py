"""The decision about a payment: of its features, by the rules that hold and the models that are in use.

From the contract: the README of deciding. Ranks: 0 approve, 1 review, 2 decline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.verify.model.fraud_answers import for_people
from pipeline.verify.model.fraud_catalogue import DECIMALS, ONLY_RULES, UNITS
from pipeline.verify.model.fraud_holding import Holding, Published
from pipeline.verify.model.fraud_rule_sets import PLACE, Rule
from pipeline.verify.model.fraud_trees import ISOLATION, FalseModel, Trees

APPROVE, REVIEW, DECLINE = 0, 1, 2
OUTCOMES = ("APPROVE", "REVIEW", "DECLINE")
RANKS = {None: APPROVE, "REVIEW": REVIEW, "REJECT": DECLINE}
REVIEW_FROM, DECLINE_FROM = 50, 80
REASONS_OF_MODEL = 3
VALUE_CHARS_MAX = 64
ROLES = ("LIVE", "SHADOW", "ANOMALY")


class Decision(NamedTuple):
    """What is decided."""

    rank: int
    score_bp: int
    reasons: tuple[tuple[str, str], ...]
    """Of an alert: labels and texts."""
    noted: tuple[str, ...]
    """Labels of rules that fired and do not count."""
    shadow_rank: int
    models: tuple[Trees | None, Trees | None, Trees | None]
    """By ROLES."""
    scores: tuple[int | None, int | None, int | None]
    sets: tuple[str, ...]
    beside: tuple[tuple[str, bool], ...]
    """Labels of rules in state shadow that fired, and whether an alert would have come of it that did not."""


class Use(NamedTuple):
    """A model in a role from a time on."""

    from_us: int
    number: int
    """Of two for one time the one that came last holds."""
    model: Trees | None


@dataclass
class Models:
    """Which models are in use."""

    uses: dict[tuple[str, str | None], list[Use]] = field(default_factory=dict)
    given: int = 0

    def give(self, role: str, tenant: str | None, from_us: int, model: Trees | None) -> None:
        """Put a model into use, or none. Raises FalseModel for one that the role or the catalogue refuses."""
        if model is not None:
            check_role(role, model)
            check_features(model)
        self.given += 1
        self.uses.setdefault((role, tenant), []).append(Use(from_us, self.given, model))

    def at(self, role: str, tenant: str, at_us: int) -> Trees | None:
        """Return the model in a role: of the tenant's own whose time has come, else of all tenants'."""
        for whose in (tenant, None):
            begun = [one for one in self.uses.get((role, whose), ()) if one.from_us <= at_us]
            if begun:
                return max(begun, key=lambda one: (one.from_us, one.number)).model
        return None


def check_role(role: str, model: Trees) -> None:
    """Raise FalseModel for a model of another kind than its role."""
    if (model.kind == ISOLATION) != (role == "ANOMALY"):
        raise FalseModel("its kind is not of the role")


def check_features(model: Trees) -> None:
    """Raise FalseModel for a model of features that are not these."""
    for one in model.features:
        unit = UNITS.get(one.name)
        if one.name in ONLY_RULES or unit != one.unit or DECIMALS.get(unit, 0) != one.decimals:
            raise FalseModel(f"feature {one.name}")


@dataclass
class Judge:
    """Rules and models together."""

    published: Published = field(default_factory=Published)
    models: Models = field(default_factory=Models)
    review_from: int = REVIEW_FROM
    decline_from: int = DECLINE_FROM
    """From how many points of the rules on; where rules alone decide, the least score of these outcomes."""

    def decide(
        self,
        features: Mapping[str, int | None],
        words: Mapping[str, str | None],
        tenant: str,
        at_us: int,
        said: tuple[str, int] | None = None,
    ) -> Decision:
        """Decide a payment; `words`: its texts, among them debtor and segment.

        `said`: outcome and score where they are known, since points come to an outcome by settings.
        """
        holding = self.published.holding(at_us, tenant, words["segment"] or "")
        used = [self.models.at(role, tenant, at_us) for role in ROLES]
        scores = [None if one is None else one.score(values_for(one, features)) for one in used]
        row: dict[str, Any] = {**features, **words, "model_score": scores[0], "anomaly_score": scores[2]}
        row |= {name: features[name] == 1 for name in BOOLEANS if features[name] is not None}
        ruled = self.ruling(holding, row, at_us)
        live, shadow, strange = (
            APPROVE if ruled.excused else rank_of(*one) for one in zip(used, scores, strict=True)
        )
        rank, reasons = max(ruled.rank, live, strange), list(ruled.reasons)
        if said is not None:
            rank = max(OUTCOMES.index(said[0]), ruled.outcome, live, strange)
        score_bp = self.score_of(scores[0], ruled, rank, None if said is None else said[1])
        for prefix, model in (("model", used[0]), ("anomaly", used[2] if strange else None)):
            reasons += [] if model is None else moved(prefix, model, features)
        return Decision(
            rank,
            score_bp,
            tuple(reasons) if rank else (),
            ruled.noted,
            max(ruled.rank, shadow, strange),
            (used[0], used[1], used[2]),
            (scores[0], scores[1], scores[2]),
            holding.labels,
            tuple((one.label, not rank and self.would_alert(one, ruled)) for one in ruled.shadow),
        )

    def would_alert(self, rule: Rule, ruled: Ruling) -> bool:
        """Whether a rule in state shadow, if it were active, would make an alert of a payment."""
        if rule.outcome == "REJECT":
            return True
        reaches = rule.outcome is not None or ruled.points + (rule.score or 0) >= self.review_from
        return reaches and not ruled.excused

    def score_of(self, live_bp: int | None, ruled: Ruling, rank: int, said: int | None) -> int:
        """Return the score; of those that settings may make of it the one that was `said`, if it is one."""
        if live_bp is None:
            if said is not None and ruled.points <= said <= 100 and rank > APPROVE:
                return said * 100
            return 100 * max(ruled.points, (0, self.review_from, self.decline_from)[rank])
        # The odds s / (10,000 - s) twenty times as high.
        alerted_bp = 10_000 * 20 * live_bp // (20 * live_bp + 10_000 - live_bp)
        by_rules = ruled.rank > APPROVE
        if said is not None and ruled.outcome == APPROVE and ruled.points:
            by_rules = said == alerted_bp // 100
        return alerted_bp if by_rules else live_bp

    def ruling(self, holding: Holding, row: Mapping[str, Any], at_us: int) -> Ruling:
        """Return what the rules and lists that hold say of a payment."""
        on = [one for one in holding.lists if is_on(one.entries, row.get(one.of), at_us)]
        snoozed = at_us < holding.snoozed_us.get(row["debtor"], at_us)
        excused = snoozed or any(one.kind == "allow" for one in on)
        points, rank = 0, APPROVE
        reasons: list[tuple[str, str]] = []
        noted: list[str] = []
        shadow: list[Rule] = []
        for rule, says in holding.rules:
            if says(row, at_us) is not True:
                continue
            if rule.state == "shadow" or (excused and rule.outcome != "REJECT"):
                noted.append(rule.label)
                shadow += [rule] if rule.state == "shadow" else []
                continue
            points += rule.score or 0
            rank = max(rank, RANKS[rule.outcome])
            reasons.append((rule.label, filled(rule.reason, row)))
        for one in on:
            if one.kind == "block":
                rank = DECLINE
                text = f"{one.of} {row.get(one.of)} is on the list {one.name}"
                reasons.append((f"list:{one.name}", text))
        points = min(points, 100)
        of_points = (
            DECLINE if points >= self.decline_from else REVIEW if points >= self.review_from else APPROVE
        )
        return Ruling(points, rank, max(rank, of_points), excused, tuple(reasons), tuple(noted), shadow)


class Ruling(NamedTuple):
    """What the rules say."""

    points: int
    outcome: int
    """Of rules and lists that have one."""
    rank: int
    """With what the points come to."""
    excused: bool
    reasons: tuple[tuple[str, str], ...]
    noted: tuple[str, ...]
    shadow: list[Rule]
    """Of these, those in state shadow."""


BOOLEANS = tuple(name for name, unit in UNITS.items() if unit == "boolean")


def is_on(entries: Mapping[str, int | None], value: str | None, at_us: int) -> bool:
    """Whether a value is on a list; at its time an entry is over."""
    if value is None or value not in entries:
        return False
    until_us = entries[value]
    return until_us is None or at_us < until_us


def rank_of(model: Trees | None, bp: int | None) -> int:
    if model is None or bp is None:
        return APPROVE
    return DECLINE if bp >= model.decline_from_bp else REVIEW if bp >= model.review_from_bp else APPROVE


def values_for(model: Trees, features: Mapping[str, int | None]) -> list[int | None]:
    """Return the features that a model asks for, in its order."""
    return [features[one.name] for one in model.features]


def filled(reason: str, row: Mapping[str, Any]) -> str:
    """Return a reason with the values of a payment."""

    def of(place: re.Match[str]) -> str:
        name = place.group(1)
        return place.group()[0] if name is None else said(name, row.get(name))

    return PLACE.sub(of, reason)


def said(name: str, value: Any) -> str:
    """Return a value for people."""
    unit = UNITS[name]
    if value is None:
        return "unknown"
    if unit == "boolean":
        return "yes" if value else "no"
    return str(value)[:VALUE_CHARS_MAX] if unit == "text" else for_people(value, unit)


def moved(prefix: str, model: Trees, features: Mapping[str, int | None]) -> list[tuple[str, str]]:
    """Return the features that moved a model's score most, in words."""
    added = model.added(values_for(model, features))
    whole = sum(abs(one) for one in added)
    places = sorted(range(len(added)), key=lambda place: -abs(added[place]))
    found = []
    for place in places[:REASONS_OF_MODEL]:
        if added[place]:
            name = model.features[place].name
            percent = (200 * abs(added[place]) + whole) // (2 * whole)
            ways = ("more usual", "stranger") if model.kind == ISOLATION else ("safer", "riskier")
            way = ways[added[place] > 0]
            text = f"{name} {said(name, features[name])}: {way} ({percent} % of what moved the score)"
            found.append((f"{prefix}:{name}", text))
    return found
