"""`ledgerflow train`: a model of a file's payments, and what is said of it."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet
import pytest

from pipeline.backtest.fitting import now_us
from pipeline.backtest.reading import read_labels, read_payments
from pipeline.cli.entry import main
from pipeline.domain.fraud.deciding.models import Fitted
from tests.backtest.files import csv_file, labels_file
from tests.benchmarks.fraud_data.frozen import generated

DAY_US = 86_400_000_000
needs_xgboost = pytest.mark.skipif(
    find_spec("xgboost") is None, reason="xgboost is not installed: pip install '.[test,train]'"
)


@cache
def handbook() -> tuple[object, object]:
    """Return payments and labels of some weeks."""
    made = generated("handbook", "small", 21)
    payments = made.payments.filter(pc.greater(made.payments["amount_minor"], 0))  # some are of 0.00
    return payments.slice(0, 9_000), made.labels


def train(folder: Path, *options: str) -> tuple[int, str, str]:
    """Run the command on them; return its exit code and what it wrote to stdout and stderr."""
    payments, labels = handbook()
    pyarrow.parquet.write_table(payments, folder / "p.parquet")
    pyarrow.parquet.write_table(labels, folder / "l.parquet")
    files = ["--payments", str(folder / "p.parquet"), "--labels", str(folder / "l.parquet")]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["train", *files, "--out", str(folder / "a.model"), *options])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trained")


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    """Return what is told of the model in `folder`: alerts cost what they do by default."""
    code, out, _ = train(folder, "--json")
    assert code == 0
    said: dict[str, Any] = json.loads(out)
    return said


@needs_xgboost
def test_a_model_is_one_file_that_a_backtest_takes(
    told: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Fitted((folder / "a.model").read_bytes())
    assert told["name"] == model.name and told["bytes"] == len(model.data)
    assert told["figures"]["ap"] > 0.3 and told["frauds"] > 100
    assert told["review_from_bp"] == model.model.review_from_bp
    code = main(
        [
            *("backtest", "--payments", str(folder / "p.parquet"), "--labels", str(folder / "l.parquet")),
            *("--model", str(folder / "a.model"), "--out", str(folder / "o.csv"), "--json"),
        ]
    )
    found = json.loads(capsys.readouterr().out)
    assert code == 0 and found["all"]["average_precision"] > 0.3
    assert found["models"] == [{"name": model.name}]


@needs_xgboost
def test_dear_alerts_are_fewer(told: dict[str, Any], tmp_path: Path) -> None:
    code, out, _ = train(tmp_path, "--alert-minor", "20000", "--json")
    dear = json.loads(out)
    assert code == 0 and told["review_from_bp"] < dear["review_from_bp"]
    assert told["figures"]["alert_rate"] > dear["figures"]["alert_rate"]


@needs_xgboost
def test_people_are_told_how_good_it_is(tmp_path: Path) -> None:
    code, out, err = train(tmp_path)
    assert (code, err) == (0, "")
    learned, held, threshold, name = out.splitlines()
    assert " payments, " in learned and "average precision 0." in held
    assert threshold.startswith("review from ") and name.startswith("model ")


@needs_xgboost
def test_without_frauds_there_is_no_model_and_no_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    payments = csv_file(tmp_path / "p.csv", {}, {})
    labels = labels_file(tmp_path / "l.csv")
    out = tmp_path / "a.model"
    code = main(["train", "--payments", str(payments), "--labels", str(labels), "--out", str(out)])
    assert code == 1
    assert "before the held-out days: 0 known frauds among 0 payments" in capsys.readouterr().err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["l.csv", "p.csv"]


def test_it_is_trained_at_the_last_label_and_a_delay_after_the_last_payment_at_most(tmp_path: Path) -> None:
    history = read_payments(csv_file(tmp_path / "p.csv", {}))
    at_us = int(history.at_us[0])
    for label, days in (
        ("2026-03-01T10:00:00Z", 0.5 / 24),
        ("2026-03-05T09:30:00Z", 4),
        ("2099-01-01T00:00:00Z", 7),
    ):
        labels = read_labels(labels_file(tmp_path / "l.csv", ("p1", "FRAUD", label)), history)
        assert now_us(history, labels, 7 * DAY_US) == at_us + int(np.round(days * DAY_US)) + 1
