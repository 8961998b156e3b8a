"""One payment and many are decided alike, whatever is in force."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.domain.fraud.deciding.deciding import APPROVED, DECLINED, REVIEWED, Decider
from pipeline.domain.fraud.deciding.facts import word_at, words_at
from pipeline.domain.fraud.deciding.in_force import Deciders
from pipeline.domain.fraud.deciding.models import ANOMALY, LIVE, SHADOW
from pipeline.domain.fraud.expressions.rule_sets import SHADOW as NOTED
from pipeline.domain.fraud.expressions.rule_sets import Snooze
from tests.fraud_deciding.payments import (
    AT_US,
    HOUR_US,
    fitted,
    random_facts,
    random_features,
    strange,
)
from tests.fraud_rules.sets import rule, rule_list, rule_set

COUNT = 400


def deciders(which: str) -> Deciders:
    """Return rules and models that change within the time of the payments, some of one tenant alone."""
    if which == "default":
        return Deciders()
    found = Deciders(
        rule_set(
            rule("large", "amount > 5_000 EUR", score=55),
            rule("many", "payments_1h > 100 and is_new_payee", score=30),
            rule("refused", "payments_1min > 1_000 and amount > 100_000 EUR", outcome="REJECT"),
            rule("noted", "payees_24h > 50", outcome="REVIEW", state=NOTED),
            rule("model", "model_score >= 30 % or anomaly_score > 40 %", score=25),
        )
    )
    if which == "own":
        lists = (rule_list("no", "block", "p1"), rule_list("yes", "allow", "p2", ("p3", AT_US + HOUR_US)))
        snoozes = (Snooze("south", "d1", AT_US + HOUR_US), Snooze("south", "d2", AT_US + 2 * HOUR_US))
        mine = rule("large", "amount > 50 EUR", score=90)
        found.publish(
            rule_set(mine, set_id="own", from_us=AT_US + HOUR_US // 2, lists=lists, tenant_id="north")
        )
        found.publish(rule_set(set_id="quiet", from_us=AT_US, snoozes=snoozes))
        later = rule_set(rule("large", "amount > 9 EUR", score=51), version=2, from_us=AT_US + HOUR_US)
        found.publish(later)
    if which in ("own", "models"):
        found.give(LIVE, None, AT_US, fitted(1))
        found.give(LIVE, None, AT_US + HOUR_US, fitted(2, 2_000))
        found.give(LIVE, "west", AT_US + HOUR_US, None)
        found.give(SHADOW, None, AT_US + HOUR_US // 3, fitted(3, 4_000))
        found.give(ANOMALY, "north", AT_US, strange(4))
    return found


@pytest.mark.parametrize("which", ["default", "rules", "models", "own"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_row_is_decided_as_its_column(which: str, seed: int) -> None:
    facts, features = random_facts(seed, COUNT), random_features(seed, COUNT)
    decider = Decider(deciders(which))
    many = decider.many(facts, features)
    for place in range(COUNT):
        words, tenant = words_at(facts, place), word_at(facts.tenant, place) or ""
        one = decider.one(features[:, place].tolist(), words, tenant, int(facts.at_us[place]))
        assert one == many[place]
    assert {APPROVED, REVIEWED, DECLINED} <= set(many.ranks.tolist())


@pytest.mark.parametrize("seed", [4, 5])
def test_how_payments_are_cut_changes_nothing(seed: int) -> None:
    facts, features = random_facts(seed, COUNT), random_features(seed, COUNT)
    decider = Decider(deciders("own"))
    whole = decider.many(facts, features)
    parts = decider.over(facts)
    chance = np.random.default_rng(seed)
    order, begin = chance.permutation(COUNT), 0
    while begin < COUNT:
        places = order[begin : begin + int(chance.integers(1, 40))]
        approved = parts(places, features[:, places])
        assert approved.tolist() == (whole.ranks[places] == APPROVED).tolist()
        begin += len(places)
    assert [parts[place] for place in range(COUNT)] == [whole[place] for place in range(COUNT)]


def test_each_alert_has_a_reason_and_names_what_decided() -> None:
    facts, features = random_facts(6, COUNT), random_features(6, COUNT)
    many = Decider(deciders("own")).many(facts, features)
    for place in np.flatnonzero(many.ranks).tolist():
        why = many.explain(place, features[:, place])
        assert why.reasons
        assert many.force(place).sets.startswith("default@")
    for place in range(COUNT):
        noted = many.explain(place, features[:, place]).shadow
        assert bool(noted) == many.noted[place]
