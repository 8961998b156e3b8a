"""`ledgerflow backtest`: what it takes, what it says, and its exit codes."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet
import pytest

from pipeline.cli.entry import main
from tests.backtest.files import csv_file, labels_file
from tests.fraud_deciding.payments import model_bytes, strange
from tests.fraud_rules.test_rule_files import HEAD, RULE

LARGE = {"amount_minor": 700_000_00, "debtor_account_id": "carol"}


def backtest(capsys: pytest.CaptureFixture[str], *options: str | Path) -> tuple[int, str, str]:
    """Run the command; return its exit code and what it wrote."""
    code = main(["backtest", *map(str, options)])
    written = capsys.readouterr()
    return code, written.out, written.err


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Return options that name payments and labels."""
    payments = csv_file(tmp_path / "p.csv", {}, LARGE, {"currency": "USD", "debtor_account_id": "dave"})
    labels = labels_file(
        tmp_path / "l.csv",
        ("p2", "FRAUD", "2026-03-05T00:00:00Z"),
        ("p9", "FRAUD", "2026-03-05T00:00:00Z"),
    )
    return ["--payments", str(payments), "--labels", str(labels), "--out", str(tmp_path / "o.parquet")]


def test_people_are_told_what_was_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    code, out, err = backtest(capsys, *files)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "3 payments from 2026-03-01 to 2026-03-01, 1 of them labelled as frauds"
    assert lines[1] == "rules: default@1; models: 0"
    assert lines[2].split() == [
        *("payments", "number", "alerts", "rate", "precision", "recall", "AP", "fraud", "found")
    ]
    assert lines[3].split() == [
        *("all", "3", "1", "33.33", "%", "100.0", "%", "100.0", "%", "1.000"),
        *("700,000.00", "EUR", "of", "700,000.00", "EUR"),
    ]
    assert lines[4].endswith("(1 alerts): 0 alerts gained (0 frauds), 0 lost (0 frauds)")
    assert any(line.startswith("first_large_payment@") for line in lines)
    assert lines[-1] == f"decisions: {tmp_path / 'o.parquet'}"
    assert "no rate, so amounts unknown: USD (1); give it by --rate" in err
    assert "1 labels name a payment that is not there" in err
    assert pyarrow.parquet.read_table(tmp_path / "o.parquet").column("outcome").to_pylist() == [
        "APPROVE",
        "REVIEW",
        "APPROVE",
    ]


def test_json_has_all_of_it(capsys: pytest.CaptureFixture[str], files: list[str]) -> None:
    code, out, _ = backtest(capsys, *files, "--json", "--rate", "USD=0.92")
    told = json.loads(out)
    assert code == 0
    assert (told["payments"], told["without_rate"]) == (3, {})
    assert told["labels"] == {
        "frauds": 1, "taken_back": 0, "genuine": 0, "unknown_payment": 1, "before_payment": 0, "left_out": 0,
    }  # fmt: skip
    assert told["all"]["recall"] == 1.0 and told["by_segment"][0]["segment"] == "retail"
    assert told["out"] == files[-1]


def test_a_file_of_rules_is_tried_by_the_group_of_rules_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(HEAD + RULE.format('"payments_1h > 10"'))
    given, out = files[:-1], [str(tmp_path / f"{number}.csv") for number in range(2)]
    _, told, _ = backtest(capsys, *given, out[0], "--rules", rules)
    assert main(["rules", "backtest", str(rules), *given, out[1]]) == 0
    assert capsys.readouterr().out == told.replace(out[0], out[1])
    assert Path(out[0]).read_bytes() == Path(out[1]).read_bytes()


def test_a_model_of_a_file_decides(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    path = tmp_path / "a.model"
    path.write_bytes(model_bytes(3))
    code, out, _ = backtest(capsys, *files, "--model", path, "--json")
    assert code == 0 and len(json.loads(out)["models"]) == 1
    names = pyarrow.parquet.read_table(files[-1]).column("model").to_pylist()
    assert names == [json.loads(out)["models"][0]["name"]] * 3
    path.write_bytes(strange(3, 1).data)
    code, out, _ = backtest(capsys, *files[:-1], tmp_path / "o.csv", "--model", path, "--json")
    assert code == 0 and json.loads(out)["all"]["alerts"] == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--out", "o.txt"], "o.txt: a name that ends in .parquet or .csv says what is written"),
        (["--rate", "USD"], "--rate 'USD': write a currency and what one of it is worth, such as USD=0.92"),
        (["--rate", "usd=1"], "--rate 'usd=1': write a currency"),
        (["--rate", "USD=-1"], "--rate 'USD=-1': write a currency"),
        (["--rate", "EUR=2"], "--rate 'EUR=2': amounts are compared in EUR, so that is 1"),
        (["--rate", "USD=0"], "--rate 'USD=0': that is no rate"),
        (["--rate", "USD=" + "9" * 30], "that is no rate"),
        (["--rate", "USD=0.9", "--rate", "USD=0.8"], "USD is given twice"),
        (["--train", "--model", "x"], "--train needs --labels, and makes models in the place of --model"),
    ],
)
def test_options_that_cannot_be_used_are_bad_input(
    capsys: pytest.CaptureFixture[str], files: list[str], options: list[str], said: str
) -> None:
    code, out, err = backtest(capsys, *files, *options)
    assert (code, out) == (2, "") and said in err
    assert not Path(files[-1]).exists()


def test_bad_files_are_bad_input_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    bad = csv_file(tmp_path / "bad.csv", {}, {"amount_minor": "0"})
    code, out, err = backtest(capsys, *files, "--payments", bad)
    assert (code, out, err) == (2, "", f"error: {bad}: row 2, column amount_minor: 0 is not above 0\n")
    rules = tmp_path / "rules.toml"
    rules.write_text(HEAD + RULE.format('"amont > 10 EUR"'))
    code, out, err = backtest(capsys, *files, "--rules", rules)
    assert (code, out) == (2, "")
    assert err == (
        f"error: {rules}:7:9: a: unknown feature `amont`, did you mean `amount`?"
        f" (`ledgerflow rules lint {rules}` shows all)\n"
    )
    model = tmp_path / "a.model"
    model.write_bytes(b"\0" * 5_000_000)
    code, out, err = backtest(capsys, *files, "--model", model)
    assert (code, out) == (2, "") and err.startswith(f"error: {model}: bytes: ")
    code, out, err = backtest(capsys, *files, "--payments", tmp_path / "none.csv")
    assert (code, err) == (1, f"error: No such file or directory: {tmp_path / 'none.csv'}\n")
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "a.model",
        "bad.csv",
        "l.csv",
        "p.csv",
        "rules.toml",
    ]


def test_an_existing_file_is_left_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    (tmp_path / "o.parquet").write_text("mine")
    code, out, err = backtest(capsys, *files)
    assert (code, out) == (2, "") and "exists, and nothing is overwritten" in err
    assert (tmp_path / "o.parquet").read_text() == "mine"


def test_without_xgboost_it_is_said_what_to_install(
    capsys: pytest.CaptureFixture[str], files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    code, out, err = backtest(capsys, *files, "--train")
    assert (code, out) == (1, "")
    assert err == "error: training needs xgboost: pip install 'ledgerflow[train]'\n"


@pytest.mark.skipif(
    find_spec("xgboost") is None, reason="xgboost is not installed: pip install '.[test,train]'"
)
def test_train_needs_labels_and_makes_no_model_of_too_few(
    capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    code, _, err = backtest(capsys, *files[:2], *files[4:], "--train")
    assert code == 2 and "--train needs --labels" in err
    code, out, _ = backtest(capsys, *files, "--train", "--json")
    assert code == 0 and json.loads(out)["models"] == []
