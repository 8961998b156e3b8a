"""The judge's model of the fraud stream and the product say the same of any log, record by record."""

from __future__ import annotations

from random import Random

import pytest

from pipeline.domain.fraud.deciding.settings import Thresholds
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.terms import Terms
from tests.fraud.judged_log import judged_log
from tests.fraud.log_traffic import whole_log
from tests.fraud.plain_log import Product, assert_agreed, assert_agreed_as_said, records


@pytest.mark.parametrize("seed", range(4))
def test_model_and_product_answer_each_record_alike(seed: int) -> None:
    chance = Random(seed)
    log = whole_log(chance, 120, scheduled=0.05 * (seed % 2), links=0.05 * (seed % 2))
    found = assert_agreed(records(log))
    outcomes = {one.fields["outcome"] for one in found if one.event == "PaymentDecided"}
    assert outcomes == {"APPROVE", "REVIEW", "DECLINE"}
    assert {"FundsReceived", "PayeeFraudConfirmed", "PayeeRiskChanged"} <= {one.event for one in found}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_published_they_answer_alike(seed: int) -> None:
    log = judged_log(Random(seed), 200, scheduled=0.05 * (seed % 2), links=0.05 * (seed % 2))
    found = assert_agreed(records(log))
    versions = {one.fields["rules_version"] for one in found if one.event == "PaymentDecided"}
    assert len(versions) > 5 and any("; model " in one for one in versions)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("review_from", [20, 50])
def test_a_model_that_knows_no_settings_takes_outcomes_as_they_were_said(seed: int, review_from: int) -> None:
    log = records(judged_log(Random(seed), 70, scheduled=0.05 * (seed % 2), links=0.05))
    terms = Terms(thresholds=Thresholds(review_score_min=review_from))
    found = assert_agreed_as_said(log, Product(FraudLog(terms)))
    assert {"FundsReceived", "PayeeRiskChanged", "FraudAlertRaised"} <= {one.event for one in found}
