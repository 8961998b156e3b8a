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

from pipeline.domain.fraud.stream import FraudStream
from pipeline.domain.kernel import events as ev
from tests.benchmarks.__main__ import main
from tests.benchmarks.fraud_data import mixture
from tests.benchmarks.fraud_data.frozen import VERSION
from tests.benchmarks.fraud_data.tables import DataSet
from tests.benchmarks.fraud_quality.comparison import PLANS, paired
from tests.benchmarks.fraud_quality.features import Columns, columns_of, features
from tests.benchmarks.fraud_quality.judge import Judge
from tests.benchmarks.fraud_quality.scorers import Scores, _event, looked_ahead, present_stream
from tests.kernel.side_by_side import Replay

PLAN = PLANS["mixture", "small"]
needs_xgboost = pytest.mark.skipif(
    find_spec("xgboost") is None, reason="xgboost is not installed: pip install '.[test,train]'"
)


@pytest.fixture(scope="module")
def made() -> DataSet:
    return mixture.generate(1, mixture.SMALL)


@pytest.fixture(scope="module")
def columns(made: DataSet) -> Columns:
    return columns_of(made.payments, made.labels)


def test_the_stream_decides_as_it_does_by_rows(made: DataSet) -> None:
    payments = made.payments.slice(0, 600)
    said = present_stream(payments, made.labels)
    replay = Replay(FraudStream(), partitions=1)
    events = [_event(payments, place) for place in range(len(payments))]
    replay.by_rows([(event, event.occurred_at) for event in events])
    decided = [event for _, event in replay.said["ledger-commands"] if isinstance(event, ev.PaymentDecided)]
    assert said.outcome == [event.outcome for event in decided]
    assert said.score.tolist() == [event.score for event in decided]
    assert said.reasons == [tuple(reason.rule for reason in event.reasons) for event in decided]
    assert {*said.outcome} > {"APPROVE"}
    assert {event.channel for event in events} > {"app", "card"}
    assert {event.device_id is None for event in events} == {True, False}


def test_a_scorer_that_looks_ahead_is_found(made: DataSet) -> None:
    def of_labels(payments: pa.Table, labels: pa.Table) -> Scores:
        known = pc.is_in(payments["payment_id"], labels["payment_id"].combine_chunks()).to_numpy()
        return Scores(known.astype(int), ["APPROVE"] * len(known), [()] * len(known))

    def of_all_amounts(payments: pa.Table, labels: pa.Table) -> Scores:
        amount = payments["amount_minor"].to_numpy()
        return Scores(amount * 100 // amount.max(), ["APPROVE"] * len(amount), [()] * len(amount))

    assert looked_ahead(of_labels, made.payments, made.labels) > 0
    assert looked_ahead(of_all_amounts, made.payments.slice(0, 600), made.labels) > 0
    assert looked_ahead(present_stream, made.payments.slice(0, 1_500), made.labels) == 0


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
