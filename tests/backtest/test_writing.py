"""Decisions are written whole or not at all, and never over another file."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet
import pytest

from pipeline.backtest.history import History, no_labels
from pipeline.backtest.problems import FileRefused
from pipeline.backtest.reading import read_payments
from pipeline.backtest.running import Outcome, Setup, run
from pipeline.backtest.writing import check_end, new_file, write
from pipeline.domain.fraud.features.amounts import Rates
from tests.backtest.files import csv_file
from tests.fraud_rules.sets import rule, rule_set

RULES = rule_set(
    rule("large", "amount >= 100 EUR", outcome="REVIEW", reason="{amount} of {debtor}"),
    rule("one", "amount >= 50 EUR", score=7),
    rule("noted", "amount >= 1 EUR", outcome="REVIEW", state="shadow"),
    version=2,
)


def decided(folder: Path) -> tuple[History, Outcome]:
    """Return decisions about three payments; the first of the file comes last."""
    rows = [
        {"payment_id": "=1+1", "amount_minor": 200_00, "occurred_at": "2026-03-09T00:00:00Z"},
        {"debtor_account_id": "@carol", "amount_minor": 60_00},
        {"debtor_account_id": "dave", "amount_minor": 7},
    ]
    history = read_payments(csv_file(folder / "in.csv", *rows))
    return history, run(history, no_labels(), Setup(Rates(), RULES))


def test_parquet_has_a_row_for_each_payment_in_the_order_of_the_file(tmp_path: Path) -> None:
    history, found = decided(tmp_path)
    path = tmp_path / "out.parquet"
    with new_file(path) as target:
        write(target, path, history, found)
    rows = pyarrow.parquet.read_table(path).to_pylist()
    assert rows == [
        {
            "payment_id": "=1+1",
            "score": 50,
            "score_bp": 5_000,
            "outcome": "REVIEW",
            "reasons": [
                {"rule": "large@1", "text": "200.00 EUR of alice"},
                {"rule": "one@1", "text": "because"},
            ],
            "shadow_rules": ["noted@1"],
            "model": None,
        },
        {
            "payment_id": "p2",
            "score": 7,
            "score_bp": 700,
            "outcome": "APPROVE",
            "reasons": [],
            "shadow_rules": ["noted@1"],
            "model": None,
        },
        {
            "payment_id": "p3",
            "score": 0,
            "score_bp": 0,
            "outcome": "APPROVE",
            "reasons": [],
            "shadow_rules": [],
            "model": None,
        },
    ]


def test_csv_says_the_same_and_has_no_formulas(tmp_path: Path) -> None:
    history, found = decided(tmp_path)
    path = tmp_path / "out.csv"
    with new_file(path) as target:
        write(target, path, history, found)
    with path.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert rows[0] == {
        "payment_id": "'=1+1",
        "score": "50",
        "score_bp": "5000",
        "outcome": "REVIEW",
        "reasons": "large@1: 200.00 EUR of alice; one@1: because",
        "shadow_rules": "noted@1",
        "model": "",
    }
    assert [row["payment_id"] for row in rows] == ["'=1+1", "p2", "p3"]


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with pytest.raises(RuntimeError), new_file(path) as target:
        target.write(b"half")
        assert not path.exists()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with new_file(path) as target:
        target.write(b"whole")
    assert path.read_bytes() == b"whole" and list(tmp_path.iterdir()) == [path]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with pytest.raises(FileRefused, match="nothing is overwritten"), new_file(path):
        raise AssertionError
    path.unlink()
    with pytest.raises(FileRefused, match="nothing is overwritten"), new_file(path) as target:
        target.write(b"ours")
        path.write_text("theirs")
    assert path.read_text() == "theirs" and list(tmp_path.iterdir()) == [path]
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileRefused, match="nothing is overwritten"), new_file(path):
        raise AssertionError


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with new_file(path), pytest.raises(FileRefused, match="another run is writing it"), new_file(path):
        raise AssertionError
    assert path.exists()


def test_the_end_of_a_name_says_what_is_written() -> None:
    check_end(Path("a.parquet"))
    for name in ("a", "a.json", "a.csv.gz", "a.CSV"):
        with pytest.raises(FileRefused, match=r"\.parquet or \.csv"):
            check_end(Path(name))
