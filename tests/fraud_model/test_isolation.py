"""The isolation forest: what is strange stands out; integers, the same evaluator, the same seed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.domain.fraud.model.artefact import ISOLATION, LEAF, MISSING, Integers
from pipeline.domain.fraud.model.contributions import Explainer
from pipeline.domain.fraud.model.encoding import encode, name_of, parse
from pipeline.domain.fraud.model.evaluation import Evaluator
from pipeline.training.data import Input, Payments, TrainingError
from pipeline.training.isolation import STEP, Isolation, path_lengths, train_isolation
from pipeline.training.quality import auc_e6
from tests.fraud_model.models import plain_leaf, plain_margin, plain_trees

FEW = Isolation(trees=30, sample=64)


def payments(columns: Integers) -> Payments:
    """Return payments of which nothing but the features matters."""
    rows = columns.shape[1]
    inputs = tuple(Input(f"feature_{number}", "count", 0) for number in range(len(columns)))
    return Payments(inputs, columns, np.arange(rows), np.zeros(rows, np.int64), np.zeros(rows, np.int64))


def ordinary(rows: int, seed: int = 1) -> Integers:
    """Return four features that lie around 0, few of them missing."""
    chance = np.random.default_rng(seed)
    columns = np.round(chance.normal(0, 1_000, (4, rows))).astype(np.int64)
    columns[chance.random(columns.shape) < 0.05] = MISSING
    return columns


def test_path_lengths_are_those_of_the_paper() -> None:
    lengths = path_lengths(256)
    assert lengths[:3] == [0, 0, STEP] and len(lengths) == 257
    for n in range(3, 257):
        harmonic = math.fsum(1 / i for i in range(1, n))
        assert lengths[n] / STEP == pytest.approx(2 * harmonic - 2 * (n - 1) / n, abs=2e-6)


def test_strange_payments_stand_out_and_are_told_why() -> None:
    columns = ordinary(3_000)
    strange = np.zeros(3_000, np.bool_)
    strange[::100] = True
    columns[2, strange] = 9_000
    model = train_isolation(payments(columns), Isolation(alerts_e6=10_000))
    evaluator = Evaluator(model)
    margins = evaluator.margins(columns)
    assert auc_e6(margins, strange) > 990_000
    assert evaluator.scores(margins)[strange].min() > np.median(evaluator.scores(margins)) + 500
    explainer = Explainer(evaluator)
    values = columns[:, 100].tolist()
    (top,) = explainer.top(values, explainer.row(values), 1)
    assert top.feature == "feature_2" and "stranger" in top.text
    alerts = evaluator.scores(margins) >= model.review_from_bp
    assert 0 < alerts.sum() <= 30
    assert dict(model.figures)["alert_rate"] == 10**6 * int(alerts.sum()) // 3_000


def test_a_leaf_says_how_long_its_path_is_and_the_score_is_the_papers() -> None:
    columns = ordinary(500)
    model = train_isolation(payments(columns), FEW)
    depth_max = max(len(one) for one in plain_trees(model.trees)).bit_length()
    assert model.kind == ISOLATION and depth_max <= 8
    evaluator = Evaluator(model)
    mean_path = path_lengths(64)[64]
    for values in columns[:, :50].T.tolist():
        margin = plain_margin(model, values)
        assert evaluator.margin(values) == margin
        score = 10_000 * 2 ** (margin / len(model.trees.sizes) / mean_path)
        assert evaluator.score(values) == pytest.approx(score, abs=2)
    tree = plain_trees(model.trees)[0]
    end = plain_leaf(tree, columns[:, 0].tolist())
    assert -8 * STEP - path_lengths(64)[64] <= tree[end]["value"] <= 0


def test_the_same_seed_makes_the_same_bytes_and_another_one_others() -> None:
    columns = ordinary(300)
    data = encode(train_isolation(payments(columns), FEW))
    assert data == encode(train_isolation(payments(columns), FEW))
    assert data != encode(train_isolation(payments(columns), Isolation(trees=30, sample=64, seed=1)))
    assert encode(parse(data, name_of(data))) == data


def test_payments_that_are_all_alike_are_isolated_by_nothing() -> None:
    model = train_isolation(payments(np.full((2, 50), 7)), FEW)
    assert (model.trees.feature == LEAF).all()
    scores = Evaluator(model).scores(Evaluator(model).margins(np.array([[7, MISSING], [7, 0]])))
    assert scores[0] == scores[1]
    assert parse(encode(model)).kind == ISOLATION


def test_values_from_one_end_of_int64_to_the_other_can_be_divided() -> None:
    columns = np.array([[-(2**63) + 1, 2**63 - 1] * 20, [MISSING] * 40])
    model = train_isolation(payments(columns), FEW)
    margins = Evaluator(model).margins(columns)
    assert margins.tolist() == [plain_margin(model, row) for row in columns.T.tolist()]
    assert parse(encode(model)).features[1].bins.shares_e6 == (0, 1_000_000)


@pytest.mark.parametrize(("rows", "sample"), [(1, 64), (50, 1), (500, 257)])
def test_too_few_and_too_many_payments_are_refused(rows: int, sample: int) -> None:
    with pytest.raises(TrainingError, match="a tree sees 2 to 256"):
        train_isolation(payments(ordinary(rows)), Isolation(sample=sample))
