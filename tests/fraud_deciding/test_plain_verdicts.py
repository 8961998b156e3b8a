"""The judge's plain decisions and the product's: the same outcome, score, reasons and notes."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from pipeline.domain.fraud.deciding.deciding import Decider
from pipeline.domain.fraud.deciding.facts import Facts, word_at, words_at
from pipeline.domain.fraud.deciding.in_force import Deciders
from pipeline.domain.fraud.deciding.models import ANOMALY, LIVE, SHADOW, Fitted
from pipeline.domain.fraud.expressions.canonical import head_bytes, parts_of
from pipeline.domain.fraud.expressions.rule_sets import PAUSED, RuleSet, Snooze
from pipeline.domain.fraud.expressions.rule_sets import SHADOW as NOTED
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.features.catalogue import CATALOGUE, COMPUTED, NAMES
from pipeline.domain.fraud.model.artefact import ISOLATION
from pipeline.verify.model.fraud_catalogue import UNITS
from pipeline.verify.model.fraud_holding import Published
from pipeline.verify.model.fraud_rule_sets import FalseSet, default_set, read_set
from pipeline.verify.model.fraud_trees import FalseModel, read
from pipeline.verify.model.fraud_verdicts import Judge, Models
from tests.fraud_deciding.payments import AT_US, HOUR_US, model_bytes, random_facts, random_features
from tests.fraud_rules.sets import rule, rule_list, rule_set

COUNT = 250
OWN_LISTS = (
    rule_list("no", "block", "p1"),
    rule_list("yes", "allow", "p2", ("p3", AT_US + HOUR_US)),
    rule_list("seen", "watch", "p4", ("d1", AT_US + HOUR_US)),
)
WATCHED = rule("watched", 'payee in list("seen") or debtor in list("seen")', score=45)
SETS = (
    rule_set(
        rule("large", "amount > 5_000 EUR", score=55, reason="{amount} {{of}} {is_new_payee}"),
        rule("many", "payments_1h > 100 and is_new_payee", score=30, reason="{payee} {silence} {segment}"),
        rule("refused", "payments_1min > 1_000 and amount > 100_000 EUR", outcome="REJECT"),
        rule("noted", "payees_24h > 50", outcome="REVIEW", state=NOTED),
        rule("model", "model_score >= 30 % or anomaly_score > 40 %", score=25, reason="{model_score}"),
        rule("pay", "amount < 5 EUR", score=90, segments=("payroll", "treasury")),
        from_us=AT_US + HOUR_US // 3,
    ),
    rule_set(
        rule("large", "amount > 50 EUR", score=90),
        WATCHED,
        set_id="own",
        from_us=AT_US + HOUR_US // 2,
        lists=OWN_LISTS,
        tenant_id="north",
    ),
    rule_set(
        set_id="quiet",
        from_us=AT_US,
        snoozes=(Snooze("south", "d1", AT_US + HOUR_US), Snooze("south", "d2", AT_US + 2 * HOUR_US)),
    ),
    rule_set(
        rule("large", "amount > 9 EUR", score=51),
        rule("many", "amount > 1 EUR", score=5, effective_from_us=AT_US + HOUR_US * 3 // 2),
        rule("watch", "known(device_id) or not known(country)", state=PAUSED),
        version=2,
        from_us=AT_US + HOUR_US,
    ),
)
MODELS = (
    (LIVE, None, AT_US, model_bytes(1)),
    (LIVE, None, AT_US + HOUR_US, model_bytes(2, 2_000)),
    (LIVE, "west", AT_US + HOUR_US, None),
    (SHADOW, None, AT_US + HOUR_US // 3, model_bytes(3, 4_000)),
    (ANOMALY, "north", AT_US, model_bytes(4, 3_000, 10_001, kind=ISOLATION)),
)


def plain_parts(rules: RuleSet) -> dict[tuple[str, int], list[list[object]]]:
    """Return the parts of a set's lists as the judge keeps them."""
    found = {}
    for one in parts_of(rules):
        sha256, number, entries = json.loads(one)
        found[sha256, number] = entries
    return found


def both(sets: bool, models: bool) -> tuple[Deciders, Judge]:
    """Return the product and the judge, who know the same."""
    product, plain = Deciders(), Judge()
    for one in SETS if sets else ():
        product.publish(one)
        plain.published.add(read_set(head_bytes(one), plain_parts(one)))
    for role, tenant, from_us, data in MODELS if models else ():
        product.give(role, tenant, from_us, None if data is None else Fitted(data))
        plain.models.give(role, tenant, from_us, None if data is None else read(data))
    return product, plain


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("sets", "models"), [(False, False), (True, False), (False, True), (True, True)])
def test_the_judge_decides_as_the_product(sets: bool, models: bool, seed: int) -> None:
    product, plain = both(sets, models)
    decider, ranks = Decider(product), set()
    facts, columns = random_facts(seed, COUNT), random_features(seed, COUNT)
    for place in range(COUNT):
        words, tenant, at_us = (
            words_at(facts, place),
            word_at(facts.tenant, place) or "",
            int(facts.at_us[place]),
        )
        values = columns[:, place].tolist()
        features = {n: None if v == MISSING else v for n, v in zip(NAMES, values, strict=True)}
        theirs, why = (
            decider.one(values, words, tenant, at_us),
            decider.explain(values, words, tenant, at_us),
        )
        ours = plain.decide(features, words, tenant, at_us)
        assert (ours.rank, ours.score_bp, ours.shadow_rank) == (
            theirs.rank,
            theirs.score_bp,
            theirs.shadow_rank,
        )
        assert ours.noted == why.shadow
        if ours.rank:
            assert ours.reasons == tuple((one.label, one.text) for one in why.reasons)
        ranks.add(ours.rank)
    assert ranks == {0, 1, 2}


def test_the_judge_knows_the_catalogue_and_the_default_set() -> None:
    assert {one.name: str(one.unit.currency or one.unit.kind) for one in CATALOGUE} == UNITS
    assert len(COMPUTED) == len(UNITS) - 8
    assert len(default_set().rules) > 20
    assert Facts.of is not None


def test_false_sets_are_refused() -> None:
    """What is not canonical, not whole, or asks for what is not there."""
    good = SETS[1]
    head, parts = head_bytes(good), plain_parts(good)
    assert read_set(head, parts).sha256
    for old, new in (
        (b"amount > 50", b"amount  > 50"),
        (b"amount > 50", b"amont > 50"),
        (b"amount > 50 EUR", b"amount > 50 s"),
        (b'"active"', b'"asleep"'),
        (b",90,null", b',90,"REVIEW"'),
        (b",90,null", b",101,null"),
        (b'"large"', b'"watched"'),
        (b'[1,["own"', b'[2,["own"'),
        (b'"own"', b'"Own"'),
        (b'"because"', b'"{because}"'),
        (b'list(\\"seen\\")', b'list(\\"sean\\")'),
    ):
        assert old in head
        with pytest.raises(FalseSet):
            read_set(head.replace(old, new, 1), parts)
    for missing in parts:
        with pytest.raises(FalseSet):
            read_set(head, {key: one for key, one in parts.items() if key != missing})


def test_a_version_has_one_content() -> None:
    published = Published()
    first = read_set(head_bytes(SETS[0]), {})
    assert published.add(first)
    assert not published.add(first)
    other = rule_set(rule("large", "amount > 1 EUR"), from_us=AT_US)
    with pytest.raises(FalseSet):
        published.add(read_set(head_bytes(other), {}))


def test_false_models_are_refused() -> None:
    boosted, isolation = read(model_bytes(1)), read(model_bytes(4, 3_000, 10_001, kind=ISOLATION))
    for role, model in (("LIVE", isolation), ("ANOMALY", boosted)):
        with pytest.raises(FalseModel):
            Models().give(role, None, 0, model)
    for feature in pairwise([*boosted.features, boosted.features[0]]):
        boosted.features[0] = feature[0]._replace(unit="count" if feature[0].unit != "count" else "sd")
        with pytest.raises(FalseModel):
            Models().give("LIVE", None, 0, boosted)
