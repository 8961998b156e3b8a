"""Evaluation: rows, columns and a plain walk give the same integers; contributions add up to the margin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.model.artefact import ISOLATION, LEAF, MISSING, PRESENT_MAX, Calibration, Trees
from pipeline.domain.fraud.model.contributions import Explainer, value_text
from pipeline.domain.fraud.model.evaluation import ROWS_MAX, Evaluator
from pipeline.domain.fraud.model.scores import Scale
from tests.fraud_model.models import model_of, plain_margin, random_columns, random_model

SEEDS = st.integers(0, 2**32)


def one_question(cut: int, *, missing_right: bool) -> Evaluator:
    """Return the evaluator of one tree: feature 0 below a cut says -1, else 1."""
    trees = Trees(
        np.array([3]),
        np.array([0, LEAF, LEAF]),
        np.array([cut, 0, 0]),
        np.array([missing_right, False, False]),
        np.array([0, -1, 1]),
    )
    return Evaluator(replace(model_of(trees, 1), base=0))


@pytest.mark.parametrize("cut", [4, -3, 0, PRESENT_MAX, MISSING + 1])
@pytest.mark.parametrize("missing_right", [False, True])
def test_below_the_cut_goes_left_and_the_cut_itself_right(cut: int, missing_right: bool) -> None:
    evaluator = one_question(cut, missing_right=missing_right)
    asked = [MISSING, cut, *([cut - 1] if cut - 1 != MISSING else []), PRESENT_MAX]
    expected = [1 if missing_right else -1, 1, *([-1] if cut - 1 != MISSING else []), 1]
    assert [evaluator.margin([x]) for x in asked] == expected
    many = np.array([asked * ROWS_MAX])
    assert evaluator.margins(many).tolist() == expected * ROWS_MAX


@given(SEEDS, st.integers(1, 9), st.integers(0, 8), st.sampled_from([0, 1, ROWS_MAX, ROWS_MAX + 1, 60]))
def test_rows_and_columns_say_what_a_plain_walk_says(
    seed: int, trees: int, depth: int, payments: int
) -> None:
    model = random_model(seed, trees=trees, depth=min(depth, 8))
    columns = random_columns(seed + 1, payments)
    evaluator = Evaluator(model)
    rows = columns.T.tolist()
    expected = [plain_margin(model, row) for row in rows]
    margins = evaluator.margins(columns)
    assert margins.tolist() == expected
    assert [evaluator.margin(row) for row in rows] == expected
    assert evaluator.scores(margins).tolist() == [evaluator.score(row) for row in rows]


def test_a_batch_of_several_chunks_is_judged_as_its_payments_are() -> None:
    model = random_model(1, trees=400, depth=3)
    evaluator = Evaluator(model)
    columns = random_columns(2, 3 * evaluator.chunk + 5)
    assert evaluator.margins(columns).tolist() == [evaluator.margin(row) for row in columns.T.tolist()]


def test_columns_need_not_lie_together() -> None:
    evaluator = Evaluator(random_model(1))
    columns = random_columns(2, 40)
    assert (evaluator.margins(columns[:, ::2]) == evaluator.margins(columns)[::2]).all()


@given(SEEDS, st.integers(1, 30))
def test_contributions_and_base_are_the_margin(seed: int, payments: int) -> None:
    evaluator = Evaluator(random_model(seed, depth=5))
    explainer = Explainer(evaluator)
    columns = random_columns(seed + 1, payments)
    moved = explainer.columns(columns)
    assert (moved.sum(axis=0) + explainer.base == evaluator.margins(columns)).all()
    for payment, row in enumerate(columns.T.tolist()):
        assert explainer.row(row) == moved[:, payment].tolist()


def test_contributions_are_told_in_words_strongest_first() -> None:
    explainer = Explainer(Evaluator(random_model(3)))
    values = [125_000, MISSING, -5]
    told = explainer.top(values, [-300, 600, 100], 2)
    assert [(one.feature, one.margin) for one in told] == [("amount_1h", 600), ("amount_0h", -300)]
    assert told[0].text == "amount_1h unknown: riskier (60 % of what moved the score)"
    assert told[1].text == "amount_0h 1,250.00 EUR: safer (30 % of what moved the score)"
    assert explainer.top(values, [0, 0, 0], 2) == []
    equal = explainer.top(values, [5, -5, 5], 3)
    assert [one.feature for one in equal] == ["amount_0h", "amount_1h", "amount_2h"]


def test_a_forest_tells_of_what_is_strange() -> None:
    explainer = Explainer(Evaluator(replace(random_model(3), kind=ISOLATION)))
    assert [one.text.split(": ")[1][:8] for one in explainer.top([1, 2, 3], [3, -2, 0], 3)] == [
        "stranger", "more usu",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(-5, 2, "-0.05 EUR"), (0, 0, "0 EUR"), (1_234_567, 3, "1,234.567 EUR"), (MISSING, 2, "unknown")],
)
def test_a_value_is_written_in_its_unit(value: int, decimals: int, text: str) -> None:
    feature = random_model(1).features[0]._replace(decimals=decimals)
    assert value_text(feature, value) == text


def test_scores_lie_on_lines_between_knots_and_are_level_outside() -> None:
    scale = Scale(Calibration((-10, 0, 1_000), (5, 15, 10_000)))
    expected = {-99: 5, -10: 5, -9: 6, -1: 14, 0: 15, 1: 24, 999: 9_990, 1_000: 10_000, 2**41: 10_000}
    assert {margin: scale.score(margin) for margin in expected} == expected
    assert scale.scores(np.array(list(expected))).tolist() == list(expected.values())


@given(
    st.dictionaries(st.integers(-(2**41), 2**41), st.integers(0, 10_000), min_size=1, max_size=9),
    st.lists(st.integers(-(2**41), 2**41), max_size=30),
)
def test_a_score_never_falls_with_the_margin_and_rows_are_columns(
    knots: dict[int, int], margins: list[int]
) -> None:
    scale = Scale(Calibration(tuple(sorted(knots)), tuple(sorted(knots.values()))))
    asked = sorted([*margins, *knots])
    scores = [scale.score(margin) for margin in asked]
    assert scores == sorted(scores)
    assert scale.scores(np.array(asked, np.int64)).tolist() == scores


def test_no_number_of_the_evaluation_is_a_float() -> None:
    evaluator = Evaluator(random_model(4))
    columns = random_columns(5, 20)
    margins = evaluator.margins(columns)
    for array in (margins, evaluator.scores(margins), Explainer(evaluator).columns(columns)):
        assert array.dtype == np.int64
    assert all(type(evaluator.margin(row)) is int for row in columns.T.tolist())
