"""What is decided about payments: rules that hold, and models, for many payments and for one.

outcome   the worse of what the rules say and what the live and the anomaly model say
score     basis points: the live model's, its odds times ALERT_ODDS where rules make an alert; without a model
          that of the rules, at least what the outcome stands for
excused   snoozed, or on an `allow` list: of the rules only rejections count, and no model does

A rule's alert is an alert whatever a model says, and it is evidence: what no label has told the model yet is
not the last that people look at. Among alerts of rules, and among other payments, the model ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.domain.fraud.deciding.beside import Beside, of_row
from pipeline.domain.fraud.deciding.decision import Decision
from pipeline.domain.fraud.deciding.facts import (
    ANOMALY_SCORE,
    MODEL_SCORE,
    SEGMENT,
    Facts,
    Integers,
    batch_of,
    some,
    word_at,
    words_at,
)
from pipeline.domain.fraud.deciding.in_force import Deciders, InForce
from pipeline.domain.fraud.deciding.models import Fitted
from pipeline.domain.fraud.deciding.reasons import Explained, explained
from pipeline.domain.fraud.deciding.settings import Thresholds
from pipeline.domain.fraud.expressions.by_row import Row
from pipeline.domain.fraud.expressions.rule_sets import REJECT
from pipeline.domain.fraud.features.asked import row_of
from pipeline.domain.fraud.features.bounds import MISSING

APPROVED, REVIEWED, DECLINED = range(3)
BP_OF_POINT = 100
SURE_BP = 10_000
ALERT_ODDS = 20
"""So many times as likely, by odds, is fraud where rules make an alert; measured (README)."""
ROWS_MAX = 4
"""Up to so many payments are decided one by one: it is quicker."""
_THRESHOLDS = Thresholds()


class Decider:
    """Decides, by what is in force."""

    def __init__(self, deciders: Deciders | None = None, thresholds: Thresholds = _THRESHOLDS) -> None:
        self.deciders = Deciders() if deciders is None else deciders
        self.thresholds = thresholds

    def one(
        self, features: Sequence[int], words: Mapping[str, str | None], tenant_id: str, at_us: int
    ) -> Decision:
        """Return the decision about one payment.

        `features`: integers of Python, in the order of `catalogue.NAMES`; `words`: texts by name.
        """
        return self._row(self.force(tenant_id, words, at_us), features, words, at_us)

    def many(self, facts: Facts, features: Integers) -> Decisions:
        """Return the decisions about many payments; `features`: a row each, as `tables.pay` gives them."""
        found = self.over(facts)
        found(np.arange(len(facts.at_us)), features)
        return found

    def over(self, facts: Facts) -> Decisions:
        """Return what decides these payments when it is called, some after the other: `tables.pay` does."""
        return Decisions(self, facts)

    def force(self, tenant_id: str, words: Mapping[str, str | None], at_us: int) -> InForce:
        """Return what decides about a payment."""
        return self.deciders.at(at_us, tenant_id, words.get(SEGMENT) or "")

    def explain(
        self,
        features: Sequence[int],
        words: Mapping[str, str | None],
        tenant_id: str,
        at_us: int,
        scores_bp: tuple[int, int] | None = None,
    ) -> Explained:
        """Return why a payment is decided as it is; it is meant for alerts, and where rules are noted.

        `scores_bp`: of the live and of the anomaly model, as the decision has them; None: not known yet.
        """
        force = self.force(tenant_id, words, at_us)
        live, anomaly = scores_bp or _both_scores(force, features)
        ruling = force.rules.judge(_row_of(features, words, live, anomaly), at_us)
        strange = force.anomaly is not None and anomaly >= force.anomaly.model.review_from_bp
        return explained(force, ruling, features, strange)

    def _row(
        self, force: InForce, features: Sequence[int], words: Mapping[str, str | None], at_us: int
    ) -> Decision:
        live, anomaly = _both_scores(force, features)
        ruling = force.rules.judge(_row_of(features, words, live, anomaly), at_us)
        shadow = _score(force.shadow, features)
        ruled = self._points_rank(ruling.score)
        if ruling.outcome is not None:
            ruled = max(ruled, DECLINED if ruling.outcome == REJECT else REVIEWED)
        said = [_rank(force.live, live), _rank(force.anomaly, anomaly), _rank(force.shadow, shadow)]
        beside = [label for label in ruling.shadow if label in force.rules.shadow]
        excused = (any(said) or bool(beside)) and force.rules.excuses(
            _row_of(features, words, live, anomaly), at_us
        )
        if excused:
            said = [APPROVED] * 3
        rank = max(ruled, said[0], said[1])
        shadow_rank = rank if force.shadow is None else max(ruled, said[2], said[1])
        if force.live is None:
            score = max(ruling.score * BP_OF_POINT, self.least_bp[rank])
        else:
            score = _with_alert(live) if ruled else live
        least = self.thresholds.review_score_min
        would = of_row(force.rules, beside, ruling.score, excused, rank == APPROVED, least) if beside else ()
        noted = bool(ruling.shadow)
        return Decision(rank, score, ruling.score, live, shadow, anomaly, shadow_rank, noted, would)

    def _points_rank(self, points: int) -> int:
        thresholds = self.thresholds
        return (points >= thresholds.review_score_min) + (points >= thresholds.decline_score_min)

    @property
    def least_bp(self) -> tuple[int, int, int]:
        """The least score of each outcome where rules alone decide."""
        thresholds = self.thresholds
        return 0, thresholds.review_score_min * BP_OF_POINT, thresholds.decline_score_min * BP_OF_POINT


class Decisions:
    """Decisions about payments as columns. Called with places and their features it decides these."""

    def __init__(self, decider: Decider, facts: Facts) -> None:
        count = len(facts.at_us)
        self._decider, self.facts = decider, facts
        self.ranks, self.shadow_ranks = np.zeros((2, count), np.int64)
        self.scores_bp, self.points = np.zeros((2, count), np.int64)
        self.live_bp, self.shadow_bp, self.anomaly_bp = np.full((3, count), MISSING, np.int64)
        self.noted = np.zeros(count, bool)
        self.beside = Beside(count)

    def __len__(self) -> int:
        return len(self.ranks)

    def __call__(self, places: Integers, features: Integers) -> Integers:
        """Decide about the payments at some places; return which are approved: bool."""
        if len(places) <= ROWS_MAX:
            for place, values in zip(places.tolist(), features.T.tolist(), strict=True):
                words, tenant, at_us = self._given(place)
                self._put(place, self._decider.one(values, words, tenant, at_us))
        else:
            for force, here in self.groups(places):
                whole = len(here) == len(places)
                self._decide(force, places[here], features if whole else features[:, here])
        approved: Integers = self.ranks[places] == APPROVED
        return approved

    def __getitem__(self, place: int) -> Decision:
        """Return the decision about one payment."""
        return Decision(
            rank=int(self.ranks[place]),
            score_bp=int(self.scores_bp[place]),
            points=int(self.points[place]),
            live_bp=int(self.live_bp[place]),
            shadow_bp=int(self.shadow_bp[place]),
            anomaly_bp=int(self.anomaly_bp[place]),
            shadow_rank=int(self.shadow_ranks[place]),
            noted=bool(self.noted[place]),
            beside=self.beside.of(place),
        )

    def force(self, place: int) -> InForce:
        """Return what decided about one payment: names of rules and models."""
        words, tenant, at_us = self._given(place)
        return self._decider.force(tenant, words, at_us)

    def explain(self, place: int, features: Integers) -> Explained:
        """Return why; `features`: those of this payment, a value each."""
        scores_bp = int(self.live_bp[place]), int(self.anomaly_bp[place])
        return self._decider.explain(features.tolist(), *self._given(place), scores_bp)

    def _given(self, place: int) -> tuple[dict[str, str | None], str, int]:
        tenant = word_at(self.facts.tenant, place) or ""
        return words_at(self.facts, place), tenant, int(self.facts.at_us[place])

    def _put(self, place: int, one: Decision) -> None:
        self.ranks[place], self.scores_bp[place], self.points[place] = one.rank, one.score_bp, one.points
        self.live_bp[place], self.shadow_bp[place] = one.live_bp, one.shadow_bp
        self.anomaly_bp[place], self.shadow_ranks[place] = one.anomaly_bp, one.shadow_rank
        self.noted[place] = one.noted
        self.beside.put(place, one.beside)

    def groups(self, places: Integers | None = None) -> Iterator[tuple[InForce, Integers]]:
        """Yield what is in force with the places, among `places`, about which it decides; None: all."""
        facts, deciders = self.facts, self._decider.deciders
        places = np.arange(len(self)) if places is None else places
        tenants = [deciders.whose(tenant) for tenant in facts.tenant.words]
        numbers = {tenant: number for number, tenant in enumerate(dict.fromkeys(tenants))}
        of_tenant = np.array([numbers[tenant] for tenant in tenants], np.int64)
        segment = facts.texts.get(SEGMENT)
        segments: Sequence[str] = ("",) if segment is None or not segment.words else segment.words
        codes = of_tenant[facts.tenant.values[places]] * len(segments)
        if segment is not None and segment.words:
            codes = codes + segment.values[places]
        names = list(numbers)
        for code in np.unique(codes).tolist():
            left = np.flatnonzero(codes == code)
            whose, which = names[code // len(segments)], segments[code % len(segments)]
            while len(left):
                times = facts.at_us[places[left]]
                force = deciders.at(int(times[0]), whose, which)
                inside = times >= force.from_us
                if force.until_us is not None:
                    inside &= times < force.until_us
                yield force, left[inside]
                left = left[~inside]

    def _decide(self, force: InForce, places: Integers, features: Integers) -> None:
        facts, decider = some(self.facts, places), self._decider
        live, anomaly = (_scores(model, features) for model in (force.live, force.anomaly))
        shadow = _scores(force.shadow, features)
        scores = {MODEL_SCORE: live, ANOMALY_SCORE: anomaly}
        rulings = force.rules.judge_all(batch_of(features, facts.texts, scores, facts.at_us))
        review, decline = decider.thresholds.review_score_min, decider.thresholds.decline_score_min
        ruled = np.maximum((rulings.scores >= review) + (rulings.scores >= decline) * 1, rulings.outcomes)
        counts = ~rulings.excused * 1
        said = [
            _ranks(model, bp) * counts
            for model, bp in ((force.live, live), (force.anomaly, anomaly), (force.shadow, shadow))
        ]
        ranks = np.maximum(np.maximum(ruled, said[0]), said[1])
        self.ranks[places] = ranks
        if force.shadow is None:
            self.shadow_ranks[places] = ranks
        else:
            self.shadow_ranks[places] = np.maximum(np.maximum(ruled, said[2]), said[1])
        least = np.array(decider.least_bp, np.int64)
        by_rules = np.maximum(rulings.scores * BP_OF_POINT, least[ranks])
        by_model = np.where(ruled > 0, _with_alert(np.maximum(live, 0)), live)
        self.scores_bp[places] = by_rules if force.live is None else by_model
        self.points[places] = rulings.scores
        self.live_bp[places], self.shadow_bp[places], self.anomaly_bp[places] = live, shadow, anomaly
        self.noted[places] = (rulings.fired & ~rulings.counted).any(axis=0)
        self.beside.note(force.rules, rulings, ranks == APPROVED, review, places)


def _with_alert(bp: Any) -> Any:
    """Return a model's score where rules make an alert: its odds times ALERT_ODDS, rounded down."""
    return bp * ALERT_ODDS * SURE_BP // (SURE_BP + bp * (ALERT_ODDS - 1))


def _row_of(features: Sequence[int], words: Mapping[str, str | None], live: int, anomaly: int) -> Row:
    row = dict(row_of(list(features), words))
    row[MODEL_SCORE] = None if live == MISSING else live
    row[ANOMALY_SCORE] = None if anomaly == MISSING else anomaly
    return row


def _both_scores(force: InForce, features: Sequence[int]) -> tuple[int, int]:
    """Return the scores of the live and of the anomaly model."""
    return _score(force.live, features), _score(force.anomaly, features)


def _score(model: Fitted | None, features: Sequence[int]) -> int:
    return MISSING if model is None else model.score(features)


def _scores(model: Fitted | None, features: Integers) -> Integers:
    return np.full(features.shape[1], MISSING, np.int64) if model is None else model.scores(features)


def _rank(model: Fitted | None, bp: int) -> int:
    if model is None:
        return APPROVED
    return (bp >= model.model.review_from_bp) + (bp >= model.model.decline_from_bp)


def _ranks(model: Fitted | None, bp: Integers) -> Integers:
    if model is None:
        return np.zeros(len(bp), np.int64)
    ranks: Integers = (bp >= model.model.review_from_bp) * 1 + (bp >= model.model.decline_from_bp)
    return ranks
