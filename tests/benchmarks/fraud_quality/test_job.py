"""The fraud-quality job on small data: peer, our scorer, what is judged, the command without a broker."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.backtest.features import features_of
from tests.benchmarks.__main__ import main
from tests.benchmarks.fraud_data import mixture
from tests.benchmarks.fraud_data.frozen import VERSION
from tests.benchmarks.fraud_data.population import Form
from tests.benchmarks.fraud_data.tables import DataSet
from tests.benchmarks.fraud_quality.ablation import VARIANTS, decided, lines
from tests.benchmarks.fraud_quality.comparison import PLANS, paired
from tests.benchmarks.fraud_quality.features import Columns, columns_of, features
from tests.benchmarks.fraud_quality.judge import Judge
from tests.benchmarks.fraud_quality.ours import RATES, backtest, history_of
from tests.benchmarks.fraud_quality.scorers import Scores, looked_ahead

PLAN = PLANS["mixture", "small"]
FORM = Form(people=160, days=56, instances=4, payrolls=2, largest_payroll=60)
OTHER_SEED = 12
"""The default rules were made by seeds from 11 on; nothing is chosen by what 1 to 4 say."""
needs_xgboost = pytest.mark.skipif(
    find_spec("xgboost") is None, reason="xgboost is not installed: pip install '.[test,train]'"
)


@pytest.fixture(scope="module")
def made() -> DataSet:
    return mixture.generate(1, mixture.SMALL)


@pytest.fixture(scope="module")
def columns(made: DataSet) -> Columns:
    return columns_of(made.payments, made.labels)


@pytest.fixture(scope="module")
def other() -> DataSet:
    return mixture.generate(OTHER_SEED, FORM)


def test_rules_alone_find_each_typology_and_disturb_few(
    other: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.benchmarks.fraud_quality.ours.find_spec", lambda name: None)
    said = backtest(other.payments, other.labels)
    found = Judge(other, columns_of(other.payments, other.labels), PLAN).alerts(said.alert)
    assert all(part["found"] == part["of"] > 0 for part in found["recall"].values())
    assert found["alert_precision"] > 0.8 and found["payroll_share"] == 0
    names = {name for place in said.alert.nonzero()[0].tolist() for name in said.reasons[place]}
    typologies = ("structuring_7d", "fan_in", "fan_out", "cycle", "pass_through", "dormant_then_active")
    assert {f"{name}@1" for name in typologies} < names
    assert looked_ahead(backtest, other.payments.slice(0, 3_000), other.labels) == 0


@needs_xgboost
def test_with_models_ours_is_above_the_peer_and_knows_nothing_before_its_time(other: DataSet) -> None:
    from tests.benchmarks.fraud_quality import peer

    columns = columns_of(other.payments, other.labels)
    judge = Judge(other, columns, PLAN)
    said = backtest(other.payments, other.labels)
    theirs = judge.ranking(peer.scores(features(columns), columns, PLAN))
    # Here .84 and .39; xgboost's floats differ by a little from machine to machine.
    assert judge.ranking(said.score)["average_precision"] > theirs["average_precision"] + 0.2
    found = judge.alerts(said.alert)
    assert found["alert_precision"] > 0.5
    assert all(part["found"] == part["of"] for part in found["recall"].values())
    assert any(name.startswith("model:") for reasons in said.reasons for name in reasons)

    def quickly(payments: pa.Table, labels: pa.Table) -> Scores:
        return said if len(payments) == len(other.payments) else backtest(payments, labels)

    assert looked_ahead(quickly, other.payments, other.labels) == 0
    history, known = history_of(other.payments, other.labels)
    scores, alert = decided(
        history, known, list(features_of(history, known, RATES)), VARIANTS["features, rules and model"]
    )
    assert scores.tolist() == said.score.tolist() and alert.tolist() == said.alert.tolist()


def test_variants_take_away_what_they_say(other: DataSet) -> None:
    history, known = history_of(other.payments, other.labels)
    parts = list(features_of(history, known, RATES))
    ruled = VARIANTS["features and rules"]
    _, every = decided(history, known, parts, ruled)
    _, fewer = decided(history, known, parts, replace(ruled, without=("near_threshold",)))
    assert 0 < fewer.sum() < every.sum() and not (fewer & ~every).any()
    _, none = decided(history, known, parts, replace(ruled, rules=False))
    assert not none.any()
    judge = Judge(other, columns_of(other.payments, other.labels), PLAN)
    said = judge.ranking(every.astype(int)) | judge.alerts(every)
    assert lines("mixture", [dict.fromkeys(VARIANTS, said)])[0].endswith(" | none |")


def test_a_scorer_that_looks_ahead_is_found(made: DataSet) -> None:
    def of_labels(payments: pa.Table, labels: pa.Table) -> Scores:
        known = pc.is_in(payments["payment_id"], labels["payment_id"].combine_chunks()).to_numpy()
        return Scores(known.astype(int), ["APPROVE"] * len(known), [()] * len(known))

    def of_all_amounts(payments: pa.Table, labels: pa.Table) -> Scores:
        amount = payments["amount_minor"].to_numpy()
        return Scores(amount * 100 // amount.max(), ["APPROVE"] * len(amount), [()] * len(amount))

    assert looked_ahead(of_labels, made.payments, made.labels) > 0
    assert looked_ahead(of_all_amounts, made.payments.slice(0, 600), made.labels) > 0


def test_recall_counts_what_begins_in_the_test_weeks_and_is_alerted_in_time(
    made: DataSet, columns: Columns
) -> None:
    judge = Judge(made, columns, PLAN)
    fraud = made.truth["fraud"].to_numpy()
    everything = judge.alerts(fraud)
    assert everything["alert_precision"] == 1.0 and everything["payroll_share"] == 0.0
    assert all(part["found"] == part["of"] for part in everything["recall"].values())
    first = made.instances["first_at"].cast(pa.int64()).to_numpy()
    counted = sum(part["of"] for part in everything["recall"].values())
    assert 0 < counted == (first >= columns.at[judge.tested[0]]).sum() < len(first)
    nothing = judge.alerts(~fraud)
    assert nothing["alert_precision"] == 0.0 and nothing["payroll_share"] > 0
    assert sum(part["found"] for part in nothing["recall"].values()) == 0


def test_a_perfect_score_is_perfect_and_the_most_suspicious_are_one_in_a_hundred(
    made: DataSet, columns: Columns
) -> None:
    judge = Judge(made, columns, PLAN)
    score = made.truth["fraud"].to_numpy().astype(float)
    found = judge.ranking(score)
    assert (found["average_precision"], found["auc"]) == (1.0, 1.0) and found["card_precision_100"] > 0
    assert judge.ranking(1 - score)["auc"] == 0.0
    assert 0.009 < judge.alerts(judge.most_suspicious(score))["alert_rate"] <= 0.01
    curves = judge.curves(score, 1.0)
    assert curves["precision_recall"][-1] == [1.0, 1.0]
    assert [point[:2] for point in curves["reliability"]] == [[0.0, 0.0], [1.0, 1.0]]


@needs_xgboost
def test_the_peer_knows_no_label_before_its_time(made: DataSet, columns: Columns) -> None:
    from tests.benchmarks.fraud_quality import peer

    found = peer.scores(features(columns), columns, PLAN)
    weeks = list(PLAN.over(columns))
    assert np.isnan(found[: weeks[0].test[0]]).all() and not np.isnan(found[weeks[0].test[0] :]).any()
    start = weeks[2].start_us
    other = replace(
        columns, labelled_at=np.where(columns.labelled_at > start, start + 1, columns.labelled_at)
    )
    again = peer.scores(features(other), other, PLAN)
    before = np.concatenate([week.test for week in weeks[:2]])
    assert found[before].tolist() == again[before].tolist()
    assert found[weeks[3].test].tolist() != again[weeks[3].test].tolist()


def test_differences_are_paired_by_seed() -> None:
    def seed(ours: float, theirs: float | None) -> dict[str, object]:
        names = ("average_precision", "auc", "card_precision_100")
        peer = None if theirs is None else dict.fromkeys(names, theirs)
        return {"ours": dict.fromkeys(names, ours), "peer": peer}

    found = paired({"1": seed(0.5, 0.4), "2": seed(0.2, 0.4), "3": seed(0.9, None)})
    assert found["auc"] == {"mean": -0.05, "min": -0.2, "max": 0.1}
    assert paired({"1": seed(0.5, None)}) == {}


def test_the_command_needs_no_broker_and_keeps_table_and_plot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def quick(payments: pa.Table, labels: pa.Table) -> Scores:
        amount = payments["amount_minor"].to_numpy()
        outcome = ["REVIEW" if one >= 8_500_00 else "APPROVE" for one in amount]
        reasons = [() if one == "APPROVE" else ("large",) for one in outcome]
        return Scores(np.minimum(amount // 100_00, 100), outcome, reasons)

    def no_stack(*_: object) -> None:
        raise AssertionError("a stack was started")

    monkeypatch.setattr("tests.benchmarks.fraud_quality.comparison.OURS", quick)
    monkeypatch.setattr("tests.benchmarks.__main__.LocalStack", no_stack)
    asked = ["--job", "fraud-quality", "--small", "--seeds", "1", "--results", str(tmp_path), "--json"]
    assert main(asked) == 0
    found = json.loads(capsys.readouterr().out)
    (run,) = found["rounds"]["fraud_quality"]
    assert (run["form"], run["version"]) == ("small", VERSION)
    ours = run["data_sets"]["mixture"]["seeds"]["1"]["ours"]
    recall, tested = ours["recall"], run["data_sets"]["mixture"]["seeds"]["1"]["tested"]
    assert ours["reasons"] == {"large": round(ours["alert_rate"] * tested)}
    assert recall["structuring"]["found"] == recall["structuring"]["of"] > 0
    assert found["met"]["fraud_alert_rate"] in (True, False)
    assert (found["met"]["fraud_average_precision_above_peer"] is None) == (find_spec("xgboost") is None)
    files = sorted(path.suffix for path in tmp_path.iterdir())
    assert files == [".json", ".md", ".png"]
    (text,) = (path.read_text() for path in tmp_path.glob("*.md"))
    assert "| mixture, 1 seeds | ours |" in text and "| ours | " in text
