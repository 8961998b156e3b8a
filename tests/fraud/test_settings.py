"""The settings of the fraud rules: read from text, checked, and named by their content."""

from __future__ import annotations

import pytest

from pipeline.domain.fraud.settings import FraudRules, FraudRulesError, parse_rules


def test_the_version_names_the_values_and_not_the_text() -> None:
    assert parse_rules("# nothing\n").version == parse_rules("{}", "json").version == FraudRules().version
    changed = parse_rules("weight_night = 0\nreview_score_min = 40\n")
    assert changed == parse_rules('{"review_score_min": 40, "weight_night": 0}', "json")
    assert changed.version != FraudRules().version


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weight_nigth = 3", "unknown setting `weight_nigth`, did you mean `weight_night`"),
        ("zzz = 3", "unknown setting `zzz`"),
        ("weight_night = 101", "weight_night must be from 0 to 100, not 101"),
        ("weight_night = 1.5", "Expected `int`"),
        ("weight_night = true", "Expected `int`"),
        ("review_score_min = 90", "review_score_min must not be above decline_score_min"),
        ("payees_per_day_max = 32", "payees_per_day_max must be below 32"),
        ("round_amount_unit_minor = 0", "round_amount_unit_minor must be from 1"),
        ("weight_night", "fraud rules:"),
    ],
)
def test_settings_that_are_wrong_are_named(text: str, message: str) -> None:
    with pytest.raises(FraudRulesError) as failure:
        parse_rules(text)
    assert message in str(failure.value)
