"""What rules and models come to, a case each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.domain.fraud.deciding.deciding import Decider
from pipeline.domain.fraud.deciding.decision import Decision
from pipeline.domain.fraud.deciding.in_force import Deciders
from pipeline.domain.fraud.deciding.models import ANOMALY, LIVE, SHADOW, Fitted, Models
from pipeline.domain.fraud.deciding.settings import Thresholds
from pipeline.domain.fraud.expressions.rule_sets import RuleSetError, Snooze
from pipeline.domain.fraud.expressions.units import BOOLEAN
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.features.catalogue import COMPUTED, INPUTS, NAMES
from pipeline.domain.fraud.model.artefact import (
    BOOSTED,
    ISOLATION,
    LEAF,
    NEVER_BP,
    Bins,
    Calibration,
    Feature,
    Model,
    Trees,
)
from pipeline.domain.fraud.model.encoding import encode
from pipeline.domain.fraud.model.refusals import ModelRefused
from tests.fraud_deciding.payments import AT_US, HOUR_US, fitted, model_bytes, strange
from tests.fraud_model.models import random_model
from tests.fraud_rules.sets import rule, rule_list, rule_set

WORDS = {"debtor": "alice", "payee": "bob", "segment": "retail"}
NOTHING = rule_set()


def features(**given: int) -> list[int]:
    """Return the features of a payment of which little is known."""
    found = [0 if one.unit == BOOLEAN or not one.nullable else MISSING for one in COMPUTED]
    for name, value in given.items():
        found[NAMES.index(name)] = value
    return found


def said(score_bp: int, review_bp: int = 500, decline_bp: int = NEVER_BP, kind: int = BOOSTED) -> Fitted:
    """Return a model that says one score of amounts above 100 EUR, and 1 of others."""
    amount = Feature(*INPUTS[NAMES.index("amount")], Bins((), (1_000_000, 0)))
    columns = (np.array(one, np.int64) for one in ([3], [0, LEAF, LEAF], [100_00, 0, 0]))
    sizes, feature, cut = columns
    trees = Trees(sizes, feature, cut, np.array([False] * 3), np.array([0, 0, 1_000], np.int64))
    model: Model = replace(
        random_model(1), kind=kind, features=(amount,), trees=trees, base=0, review_from_bp=review_bp,
        decline_from_bp=decline_bp, calibration=Calibration((0, 1_000), (1, score_bp)),
    )  # fmt: skip
    return Fitted(encode(model))


def decided(deciders: Deciders, at_us: int = AT_US, tenant: str = "north", **given: int) -> Decision:
    """Return the decision about a payment of 150 EUR."""
    return Decider(deciders).one(features(**({"amount": 150_00} | given)), WORDS, tenant, at_us)


def by(*rules: object, **changes: object) -> Deciders:
    """Return deciders with rules in the place of the default set."""
    return Deciders(rule_set(*rules, **changes))  # type: ignore[arg-type]


def test_points_are_reviewed_from_50_and_declined_from_80() -> None:
    for points, outcome in ((49, "APPROVE"), (50, "REVIEW"), (79, "REVIEW"), (80, "DECLINE")):
        found = decided(by(rule("one", "amount > 1 EUR", score=points)))
        assert (found.outcome, found.score_bp) == (outcome, points * 100)


def test_thresholds_are_settings() -> None:
    decider = Decider(by(rule("one", "amount > 1 EUR", score=20)), Thresholds(review_score_min=20))
    assert decider.one(features(amount=150_00), WORDS, "north", AT_US).outcome == "REVIEW"
    with pytest.raises(ValueError, match="must hold"):
        Thresholds(review_score_min=81)


def test_an_outcome_of_rules_has_at_least_the_score_that_it_stands_for() -> None:
    for outcome, expected in (("REVIEW", ("REVIEW", 5_000)), ("REJECT", ("DECLINE", 8_000))):
        found = decided(by(rule("one", "amount > 1 EUR", outcome=outcome)))
        assert (found.outcome, found.score_bp) == expected


def test_the_default_set_holds_until_one_of_its_id_does() -> None:
    deciders = Deciders()
    assert decided(deciders, amount=10_000_000_37).outcome == "REVIEW"
    deciders.publish(rule_set(rule("one", "amount < 0 EUR"), set_id="more", from_us=AT_US - 1))
    assert decided(deciders, amount=10_000_000_37).outcome == "REVIEW"
    deciders.publish(replace_id(from_us=AT_US + 1))
    assert decided(deciders, amount=10_000_000_37).outcome == "REVIEW"
    assert decided(deciders, AT_US + 1, amount=10_000_000_37).outcome == "APPROVE"


def replace_id(from_us: int) -> object:
    """Return a set in the place of the default one, without a rule."""
    return rule_set(set_id="default", version=7, from_us=from_us)


def test_a_live_models_score_ranks_and_its_threshold_makes_alerts() -> None:
    deciders = by()
    deciders.give(LIVE, None, AT_US, said(600))
    found = decided(deciders)
    assert (found.outcome, found.score_bp, found.live_bp, found.points) == ("REVIEW", 600, 600, 0)
    assert decided(deciders, amount=50_00).outcome == "APPROVE"
    before = decided(deciders, AT_US - 1)
    assert (before.outcome, before.score_bp, before.live_bp) == ("APPROVE", 0, MISSING)


def test_a_rules_alert_is_one_whatever_the_model_says() -> None:
    deciders = by(rule("one", "amount > 1 EUR", outcome="REVIEW"))
    deciders.give(LIVE, None, 0, said(2))
    found = decided(deciders)
    assert (found.outcome, found.score_bp, found.live_bp) == ("REVIEW", 39, 2)


@pytest.mark.parametrize(
    ("points", "model_bp", "score_bp"),
    [(50, 2, 39), (90, 2, 39), (50, 1_000, 6_896), (50, 10_000, 10_000), (49, 2, 2), (49, 700, 700)],
)
def test_an_alert_of_rules_is_evidence_and_points_below_are_none(
    points: int, model_bp: int, score_bp: int
) -> None:
    deciders = by(rule("one", "amount > 1 EUR", score=points))
    deciders.give(LIVE, None, 0, said(model_bp))
    assert decided(deciders).score_bp == score_bp


def test_a_model_may_decline() -> None:
    deciders = by()
    deciders.give(LIVE, None, 0, said(9_500, decline_bp=9_000))
    assert decided(deciders).outcome == "DECLINE"


def test_rules_ask_for_what_models_say() -> None:
    deciders = by(rule("one", "model_score >= 6 %", score=10), rule("two", "anomaly_score > 30 %", score=20))
    assert decided(deciders).points == 0
    deciders.give(LIVE, None, 0, said(600))
    assert decided(deciders).points == 10
    deciders.give(ANOMALY, None, 0, said(4_000, NEVER_BP, kind=ISOLATION))
    assert decided(deciders).points == 30


def test_a_shadow_model_changes_nothing_and_is_noted() -> None:
    deciders = by()
    deciders.give(SHADOW, None, 0, said(700))
    found = decided(deciders)
    assert (found.outcome, found.score_bp, found.shadow_bp, found.shadow_rank) == ("APPROVE", 0, 700, 1)


def test_a_shadow_rule_changes_nothing_and_is_noted() -> None:
    decider = Decider(by(rule("one", "amount > 1 EUR", outcome="REJECT", state="shadow")))
    found = decider.one(features(amount=150_00), WORDS, "north", AT_US)
    assert (found.outcome, found.score_bp, found.noted) == ("APPROVE", 0, True)
    assert decider.explain(features(amount=150_00), WORDS, "north", AT_US).shadow == ("one@1",)


def test_the_anomaly_model_alerts_beside_the_live_one() -> None:
    deciders = by()
    deciders.give(LIVE, None, 0, said(2))
    deciders.give(ANOMALY, None, 0, said(7_000, 6_000, kind=ISOLATION))
    found = decided(deciders)
    assert (found.outcome, found.score_bp, found.anomaly_bp) == ("REVIEW", 2, 7_000)


@pytest.mark.parametrize(
    "changes",
    [{"snoozes": (Snooze("north", "alice", AT_US + 1),)}, {"lists": (rule_list("ok", "allow", "bob"),)}],
)
def test_who_is_excused_is_declined_by_rejections_alone(changes: dict[str, object]) -> None:
    deciders = by(
        rule("one", "amount > 1 EUR", outcome="REVIEW"),
        rule("two", "amount > 1_000 EUR", outcome="REJECT"),
        **changes,
    )
    deciders.give(LIVE, None, 0, said(9_500, decline_bp=9_000))
    found = decided(deciders)
    assert (found.outcome, found.score_bp, found.noted) == ("APPROVE", 9_500, True)
    assert decided(deciders, amount=2_000_00).outcome == "DECLINE"
    assert decided(deciders, tenant="south").outcome == ("DECLINE" if "snoozes" in changes else "APPROVE")


def test_a_snooze_is_over_at_its_time() -> None:
    snoozes = (Snooze("north", "alice", AT_US + 1),)
    deciders = by(rule("one", "amount > 1 EUR", outcome="REVIEW"), snoozes=snoozes)
    assert [decided(deciders, at_us).outcome for at_us in (AT_US, AT_US + 1)] == ["APPROVE", "REVIEW"]


def test_a_tenants_own_model_holds_and_none_is_one() -> None:
    deciders = by()
    deciders.give(LIVE, None, 0, said(600))
    deciders.give(LIVE, "north", AT_US, None)
    assert decided(deciders).outcome == "APPROVE"
    assert decided(deciders, AT_US - 1).outcome == "REVIEW"
    assert decided(deciders, tenant="south").outcome == "REVIEW"
    deciders.give(LIVE, "north", AT_US + HOUR_US, said(700))
    assert decided(deciders, AT_US + HOUR_US).score_bp == 700


def test_what_is_compiled_is_shared_by_tenants_without_anything_of_their_own() -> None:
    deciders = Deciders()
    assert deciders.at(AT_US, "north", "retail") is deciders.at(AT_US + HOUR_US, "south", "retail")
    deciders.publish(rule_set(set_id="own", tenant_id="south"))
    assert deciders.at(AT_US, "south", "retail").sets == "default@1, south/own@1"
    assert deciders.at(AT_US, "north", "retail").sets == "default@1"


def test_reasons_are_of_rules_and_of_the_models_in_words() -> None:
    deciders = by(rule("one", "amount > 1 EUR", outcome="REVIEW", reason="{amount} is much"))
    deciders.give(LIVE, None, 0, said(600))
    why = Decider(deciders).explain(features(amount=150_00), WORDS, "north", AT_US)
    assert [(one.label, one.text) for one in why.reasons] == [
        ("one@1", "150.00 EUR is much"),
        ("model:amount", "amount 150.00 EUR: riskier (100 % of what moved the score)"),
    ]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": "amount_in_moon"}, "feature 0: amount_in_moon is none of this release"),
        ({"unit": "USD"}, "feature 0: .*USD.* in this release"),
        ({"decimals": 3}, "feature 0: .*decimals=3"),
    ],
)
def test_a_model_of_other_features_is_refused(change: dict[str, object], where: str) -> None:
    model = said(600).model
    with pytest.raises(ModelRefused, match=where):
        Fitted(encode(replace(model, features=(model.features[0]._replace(**change),))))


def test_hostile_bytes_are_refused_and_the_model_before_stays() -> None:
    deciders, good = by(), model_bytes(1)
    deciders.give(LIVE, None, 0, said(600))
    for data in (b"", b"\0" * 70, good[:-1], good[:40] + b"\1" + good[41:], good + b"\0", b"x" * 5_000_000):
        with pytest.raises(ModelRefused):
            deciders.give(LIVE, None, AT_US, Fitted(data))
    with pytest.raises(ModelRefused):
        deciders.give(LIVE, None, AT_US, Fitted(good, "0" * 64))
    assert decided(deciders).score_bp == 600


def test_a_model_has_the_kind_of_its_role() -> None:
    models = Models()
    for role, model in ((LIVE, strange(1)), (SHADOW, strange(1)), (ANOMALY, fitted(1)), ("OTHER", None)):
        with pytest.raises(ModelRefused):
            models.give(role, None, 0, model)


def test_a_set_that_cannot_be_compiled_is_refused() -> None:
    deciders = by()
    with pytest.raises(RuleSetError, match="unknown feature `amounts`"):
        deciders.publish(rule_set(rule("one", "amounts > 1 EUR")))
    with pytest.raises(RuleSetError, match="another content"):
        deciders.publish(rule_set(rule("one", "amount > 1 EUR"), set_id="s"))
        deciders.publish(rule_set(rule("one", "amount > 2 EUR"), set_id="s"))
