"""A tenant's days: what shadow rules and models would have done, drift of the live model, and their end."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from pipeline.domain.fraud import tenant_days
from pipeline.domain.fraud.day_rows import (
    DAYS_KEPT,
    RULES_MAX,
    Day,
    Days,
    ShadowModel,
    ShadowRule,
    day_key,
    days_key,
    read_day,
    read_days,
)
from pipeline.domain.fraud.day_views import DAYS
from pipeline.domain.fraud.deciding.models import Fitted
from pipeline.domain.fraud.expressions.rule_sets import SHADOW
from pipeline.domain.fraud.features.catalogue import INPUTS
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.fraud.model.artefact import LEAF, Bins, Calibration, Feature, Model, Trees
from pipeline.domain.fraud.model.drift import counts, psi_e6
from pipeline.domain.fraud.model.encoding import encode
from pipeline.domain.kernel import events as ev
from tests.fraud.judged_log import judged_log
from tests.fraud.log_traffic import opened
from tests.fraud.logs import DAY, HOUR, NOON
from tests.fraud.plain_log import Product, assert_agreed, records
from tests.fraud.test_log import NO_RULES, Story, payment
from tests.fraud_model.models import model_of
from tests.fraud_publishing.publishing import in_role, list_parts, model_parts, published
from tests.fraud_rules.sets import rule, rule_list, rule_set
from tests.kernel.side_by_side import Log, assert_alike

TODAY = NOON // DAY
BY_NAME = {one.name: one for one in INPUTS}


def stump(cut: int, low: int, high: int, review_bp: int, *spread: Bins) -> bytes:
    """Return a model of one question, whether an amount is below `cut` cents: its score is low or high."""
    trees = Trees(
        np.array([3], np.int64),
        np.array([0, LEAF, LEAF], np.int64),
        np.array([cut, 0, 0], np.int64),
        np.array([False] * 3),
        np.array([0, low, high], np.int64),
    )
    of_amount, of_score = spread or (Bins((), (1_000_000, 0)), Bins((), (1_000_000, 0)))
    model: Model = replace(
        model_of(trees, 1),
        features=(Feature(*BY_NAME["amount"], of_amount),),
        score_bins=of_score,
        base=0,
        calibration=Calibration((0, 10_000), (0, 10_000)),
        review_from_bp=review_bp,
        decline_from_bp=10_001,
    )
    return encode(model)


def given(data: bytes | None, role: str, from_us: int = 0) -> list[Any]:
    """Return the events that give a model a role."""
    parts = [] if data is None else model_parts(data, len(data))
    return [*parts, in_role(data, len(parts), role, None, from_us)]


def day_of(story: Story, day: int = TODAY) -> Day | None:
    """Return a day of the tenant."""
    row = story.replay.rows.get(day_key("acme", day, 0))
    return None if row is None else read_day(row)


def test_a_shadow_rule_is_counted_and_so_are_the_alerts_that_it_would_have_added() -> None:
    story = Story(
        rule("points", "amount >= 100 EUR", score=30),
        rule("held", "amount >= 900 EUR", outcome="REVIEW"),
        rule("tried", "amount >= 50 EUR", score=20, state=SHADOW),
        rule("strict", "amount >= 700 EUR", outcome="REJECT", state=SHADOW),
        rule("silent", "amount >= 9_000 EUR", outcome="REVIEW", state=SHADOW),
    )
    for number, euros in enumerate((10, 50, 100, 100, 700, 900)):
        story.tell(payment(number, euros * 100, NOON + number))
    # 50 points are an alert. tried: 20 of 50 EUR; 30 + 20 of 100 twice and of 700; 900 is one already.
    # strict: 700; 900 is an alert, though no rejection.
    assert day_of(story) == Day(rules=[ShadowRule("strict@1", 2, 1), ShadowRule("tried@1", 5, 3)])
    story.tell(payment(0, 1_000, NOON + 9))  # a repeat
    assert day_of(story) == Day(rules=[ShadowRule("strict@1", 2, 1), ShadowRule("tried@1", 5, 3)])


def test_a_snoozed_account_would_have_no_alert_by_a_shadow_rule_but_by_a_rejection() -> None:
    rules = rule_set(
        rule("tried", "amount >= 50 EUR", outcome="REVIEW", state=SHADOW),
        rule("strict", "amount >= 50 EUR", outcome="REJECT", state=SHADOW),
        lists=(rule_list("known", "allow", "bob"),),
        set_id="tried",
    )
    story = Story()
    story.tell(*list_parts(rules), published(rules))
    story.tell(payment(1, 60_00))
    assert day_of(story) == Day(rules=[ShadowRule("strict@1", 1, 1), ShadowRule("tried@1", 1, 0)])


def test_the_shadow_model_is_compared_with_what_was_decided() -> None:
    story, live, shadow = Story(), stump(100_00, 0, 9_000, 5_000), stump(50_00, 9_000, 0, 5_000)
    story.tell(*given(live, "LIVE"), *given(shadow, "SHADOW"))
    for number, euros in enumerate((10, 20, 60, 70, 80, 100)):
        story.tell(payment(number, euros * 100, NOON + number))
    # Live holds 100; the shadow would hold 10 and 20, and let 100 go.
    found = day_of(story)
    assert found is not None and found.shadow == ShadowModel(Fitted(shadow).name, 6, 2, 2, 1)
    assert found.live is not None and (found.live.payments, found.live.counts) == (6, [6, 0, 6, 0])
    other = stump(50_00, 0, 1, 5_000)
    story.tell(*given(other, "SHADOW", NOON - HOUR), payment(7, 1_000, NOON + 9))
    found = day_of(story)  # another model: its count begins anew
    assert found is not None and found.shadow == ShadowModel(Fitted(other).name, 1, 0, 0, 0)
    story.tell(*given(None, "SHADOW", NOON + HOUR), payment(8, 1_000, NOON + 10))
    after = day_of(story)
    assert after is not None and after.shadow == found.shadow  # who has lost the role is not counted


def test_nothing_is_kept_where_nothing_is_beside() -> None:
    story = Story()
    story.tell(*(payment(number, 1_000, NOON + number * DAY) for number in range(3)))
    assert not [key for key in story.replay.rows.data if key[:1] in b"DB"]


def drifting(monkeypatch: pytest.MonkeyPatch) -> tuple[Story, str]:
    """Return a story whose live model knows amounts below 100 EUR, half of them below 50."""
    monkeypatch.setattr(tenant_days, "PAYMENTS_MIN", 4)
    of_amount, of_score = Bins((50_00, 100_00), (500_000, 500_000, 0, 0)), Bins((1,), (1_000_000, 0, 0))
    story, data = Story(), stump(100_00, 0, 10, 5_000, of_amount, of_score)
    story.tell(*given(data, "LIVE"))
    return story, Fitted(data).name


def test_a_day_whose_payments_are_spread_otherwise_is_an_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    story, model = drifting(monkeypatch)
    for number, euros in enumerate((10, 60, 60, 60)):
        story.tell(payment(number, euros * 100, NOON + number))
    found = day_of(story)
    assert found is not None and found.live is not None and found.live.counts == [1, 3, 0, 0, 4, 0, 0]
    (said,) = story.of(ev.FraudModelDrifted, payment(9, 1_000, NOON + DAY))
    # .5 and .5 became .25 and .75: .25 ln 2 + .25 ln 1.5 = .173287 + .101366 = .274653
    assert said.drifted == (ev.FeatureDrift("amount", 2_746),)
    assert (said.model_sha256, said.day, said.payments, said.partition) == (model, TODAY * DAY, 4, 0)
    assert said.causation_id == "e9"
    found = day_of(story)
    assert found is not None and found.is_over and found.live is not None
    assert (found.live.counts, found.live.moved) == ([], [("amount", 2_746)])
    assert not story.of(ev.FraudModelDrifted, payment(10, 1_000, NOON + DAY))


def test_few_payments_and_a_model_that_has_gone_say_nothing_of_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    story, _ = drifting(monkeypatch)
    for number in range(3):
        story.tell(payment(number, 999_00, NOON + number))
    assert not story.of(ev.FraudModelDrifted, payment(9, 999_00, NOON + DAY))
    for number in range(3):
        story.tell(payment(20 + number, 999_00, NOON + DAY + number))
    story.tell(*given(None, "LIVE", NOON + DAY + HOUR))
    assert not story.of(ev.FraudModelDrifted, payment(19, 999_00, NOON + 2 * DAY))
    found = day_of(story, TODAY + 1)
    assert found is not None and found.is_over and found.live is not None and found.live.moved is None


def test_days_are_kept_for_35_days() -> None:
    story = Story(rule("tried", "amount >= 1 EUR", outcome="REVIEW", state=SHADOW))
    for number in range(40):
        story.tell(payment(number, 1_000, NOON + number * DAY))
        assert len([key for key in story.replay.rows.data if key[:1] == b"D"]) == min(number + 1, DAYS_KEPT)
    story.tell(payment(50, 1_000, NOON + 200 * DAY))
    row = story.replay.rows.get(days_key("acme"))
    assert row is not None and read_days(row) == Days([TODAY + 200])
    assert [key for key in story.replay.rows.data if key[:1] == b"D"] == [day_key("acme", TODAY + 200, 0)]


def test_of_very_many_rules_the_first_by_label_are_counted() -> None:
    many = [rule(f"r{number:03}", "amount >= 1 EUR", state=SHADOW) for number in range(RULES_MAX + 20)]
    story = Story(*many)
    story.tell(payment(1), payment(2))
    found = day_of(story)
    assert found is not None
    assert found.rules == [ShadowRule(f"r{number:03}@1", 2, 0) for number in range(RULES_MAX)]


def test_the_view_shows_days(monkeypatch: pytest.MonkeyPatch) -> None:
    story, model = drifting(monkeypatch)
    for number in range(4):
        story.tell(payment(number, 60_00, NOON + number))
    story.tell(payment(9, 60_00, NOON + DAY))
    shown = []
    for key, row in sorted(story.replay.rows.data.items()):
        if key[:1] == b"D":
            view = DAYS.show(None, tuple(key.decode().split("\0")[1:]), row)  # type: ignore[arg-type]
            assert view is not None and tuple(view) == DAYS.columns
            shown.append((view["day"], view["is_over"], view["live_model"], view["live_payments"]))
            moved = view["moved"]
            assert moved is None or moved[0]["feature"] == "amount"
    assert shown == [("2026-01-01T00:00:00Z", True, model, 4), ("2026-01-02T00:00:00Z", False, model, 1)]


@pytest.mark.parametrize("seed", range(3))
def test_columns_count_what_rows_count(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_days, "PAYMENTS_MIN", 2)
    chance, stream = Random(seed), FraudLog()
    log: Log = [(event, NOON) for event in given(stump(1_00, 0, 9_000, 9_999), "LIVE")]
    log += judged_log(chance, 150, scheduled=0.05 * (seed % 2), links=0.05 * (seed % 2))
    replay = assert_alike(stream, FraudLogBatch(stream), log, sorted(chance.sample(range(1, len(log)), 9)))
    found = [read_day(row) for key, row in replay.rows.data.items() if key[:1] == b"D"]
    assert any(one.rules for one in found) and any(one.live for one in found)
    assert any(one.shadow for one in found) or seed == 0


def test_columns_and_the_judge_say_the_drift_of_a_day_as_rows_do() -> None:
    of_amount, of_score = Bins((50_00,), (600_000, 400_000, 0)), Bins((1,), (900_000, 100_000, 0))
    data = stump(60_00, 0, 10, 5_000, of_amount, of_score)
    log: Log = [(event, NOON) for event in (opened("alice"), NO_RULES, *given(data, "LIVE"))]
    chance, amounts = Random(7), []
    for number in range(tenant_days.PAYMENTS_MIN):
        amounts.append(chance.choice([10_00, 55_00, 60_00, 70_00]))
        log.append((payment(number, amounts[-1], NOON + number, debtor_account_id="alice"), NOON + number))
    log.append((payment(9_999, 10_00, NOON + DAY), NOON + DAY))
    stream = FraudLog()
    replay = assert_alike(stream, FraudLogBatch(stream), log, [500])
    ((key, said),) = [one for one in replay.said["fraud-alerts"] if type(one[1]) is ev.FraudModelDrifted]
    assert key == f"acme/{Fitted(data).name}" and replay.in_columns > 900
    values = np.array(amounts, np.int64)
    scores = np.where(values < 60_00, 0, 10)
    wanted = [
        (name, psi_e6(bins, counts(bins, column).tolist()) // 100)
        for name, bins, column in (("amount", of_amount, values), ("score", of_score, scores))
    ]
    assert [(one.feature, one.psi_bp) for one in said.drifted] == [one for one in wanted if one[1] >= 2_500]
    found = assert_agreed(records(log), None, Product(stream))
    assert [one.fields["drifted"] for one in found if one.event == "FraudModelDrifted"] == [
        [{"feature": one.feature, "psi_bp": one.psi_bp} for one in said.drifted]
    ]
