"""The catalogue fits the rules' language and the models."""

from __future__ import annotations

from pathlib import Path

import pipeline.domain.fraud.expressions as expressions
from pipeline.domain.fraud.expressions.by_column import ColumnProgram, texts
from pipeline.domain.fraud.expressions.by_row import row_function
from pipeline.domain.fraud.expressions.checking import check
from pipeline.domain.fraud.expressions.parsing import parse
from pipeline.domain.fraud.expressions.rule_files import read_file
from pipeline.domain.fraud.features import bounds
from pipeline.domain.fraud.features.asked import batch_of, row_of
from pipeline.domain.fraud.features.catalogue import CATALOGUE, COMPUTED, INPUTS, NAMES
from pipeline.domain.fraud.model import artefact
from tests.fraud_features.histories import fresh, random_payments, settle
from tests.fraud_rules.sample import SAMPLE

DEFAULT_RULES = Path(expressions.__path__[0]) / "default_rules.toml"
MORE = (
    "share_leaving_24h >= 80 % and since_largest_inflow < 6 h",
    "near_amount_3d > 20_000 EUR or near_threshold_3d >= 3",
    "is_new_device and not known(since_pair)",
    "amount_deviations > 1 sd and usual_hours < 40 %",
    "payee_labels_7d >= 2 or payee_fraud_risk_30d > 10 %",
)


def test_the_default_rules_ask_for_nothing_else() -> None:
    found = read_file(DEFAULT_RULES.read_text("utf-8"), CATALOGUE)
    assert found.problems == []


def test_what_the_sample_has_is_here_with_the_same_unit() -> None:
    for one in SAMPLE:
        ours = CATALOGUE.get(one.name)
        assert ours is not None and ours.unit == one.unit, one.name


def test_a_model_can_take_all_of_it() -> None:
    assert len(INPUTS) == len(NAMES) <= artefact.FEATURES_MAX
    assert bounds.MISSING == artefact.MISSING
    for name, unit, decimals in INPUTS:
        assert len(name) <= artefact.NAME_LENGTH_MAX and name.isascii()
        assert 0 < len(unit) <= artefact.NAME_LENGTH_MAX
        assert 0 <= decimals <= artefact.DECIMALS_MAX
    assert ("amount", "EUR", 2) in INPUTS and ("share_passed_on", "share", 2) in INPUTS


def test_every_feature_says_what_it_means() -> None:
    for one in CATALOGUE:
        assert 5 <= len(one.meaning) <= 90, one.name
    assert len(set(NAMES)) == len(COMPUTED)


def test_rules_say_the_same_of_rows_and_columns() -> None:
    tables = fresh()
    for seed in range(3):
        of = random_payments(seed, 150)
        judged = tables.pay(of)
        settle(tables, of, judged)
    features = judged.features
    rules = [parse(text) for text in MORE]
    program = ColumnProgram(CATALOGUE, {})
    for text, node in zip(MORE, rules, strict=True):
        check(node, text, CATALOGUE, {})
        program.add(node)
    names = {"debtor": [str(one) for one in of.debtor], "segment": ["retail"] * 150}
    batch = batch_of(features, {name: texts(words) for name, words in names.items()}, of.at_s * 10**6)
    fired = program.fired(batch)
    functions = [row_function(node, CATALOGUE, {}) for node in rules]
    for place, values in enumerate(features.T.tolist()):
        row = row_of(values, {name: words[place] for name, words in names.items()})
        said = [function(row, int(of.at_s[place]) * 10**6) is True for function in functions]
        assert said == fired[:, place].tolist()
    assert fired.any(axis=1).sum() >= 3
