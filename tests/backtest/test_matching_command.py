"""`ledgerflow reconcile` and `ledgerflow matching`: what they take and say, and their exit codes."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from pipeline.cli.entry import main
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from tests.backtest.matching_files import lines_file, pairs_file, postings_file


def ledgerflow(capsys: pytest.CaptureFixture[str], *given: str | Path) -> tuple[int, str, str]:
    """Run a command; return its exit code and what it wrote."""
    code = main([*map(str, given)])
    written = capsys.readouterr()
    return code, written.out, written.err


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Return options that name postings and lines: a clean pair, and one item of each side."""
    postings = postings_file(tmp_path / "p.csv", {"reference": "R1"}, {"amount_minor": 500})
    lines = lines_file(tmp_path / "l.csv", {"reference": "R1"}, {"amount_minor": 700})
    return ["--postings", str(postings), "--lines", str(lines)]


def test_people_are_told_what_was_matched(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    labels = pairs_file(tmp_path / "labels.csv", ("p1", "l1"))
    out = tmp_path / "o.csv"
    code, said, err = ledgerflow(capsys, "reconcile", *files, "--labels", labels, "--out", out)
    assert code == 0
    lines = said.splitlines()
    assert lines[0].startswith("learned from 1 labelled pairs, 0 of which needed a score: weights ")
    assert lines[1].startswith("2 postings and 2 lines from 2026-03-02 to 2026-03-03, scored by weights ")
    assert lines[2] == "matched: 1 lines, 1 postings (by tier: REFERENCE 1)"
    assert lines[3] == "open: 1 lines, 0 of them with suggestions; 1 postings"
    assert lines[5].split() == [
        *("19.50", "EUR", "12.50", "EUR", "64.1", "%", "17.50", "EUR", "12.50", "EUR")
    ]
    assert [line.split() for line in lines[7:9]] == [
        ["MISSING_EXTERNAL", "1", "1"],
        ["MISSING_INTERNAL", "1", "1"],
    ]
    assert lines[9] == "labels: of 1 pairs 1 confirmed, 0 suggested, 0 matched otherwise, 0 open"
    assert lines[10] == f"matches: {out}"
    assert err == ""
    with out.open(newline="") as opened:
        (row,) = csv.DictReader(opened)
    assert row == {
        "line_id": "l1",
        "posting_ids": "p1",
        "tier": "REFERENCE",
        "outcome": "confirmed",
        "score": "",
        "decided_at": "2026-03-03T20:00:00Z",
    }


def test_json_and_parquet_have_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    out = tmp_path / "o.parquet"
    code, said, err = ledgerflow(capsys, "reconcile", *files, "--out", out, "--json")
    told = json.loads(said)
    assert (code, err) == (0, "")
    assert told["matched_by_tier"] == {"REFERENCE": 1}
    assert told["weights_sha256"] == DEFAULT_WEIGHTS.hash() and "labels" not in told
    assert pyarrow.parquet.read_table(out).to_pylist() == [
        {
            "line_id": "l1",
            "posting_ids": ["p1"],
            "tier": "REFERENCE",
            "outcome": "confirmed",
            "score": None,
            "decided_at": datetime(2026, 3, 3, 20, tzinfo=UTC),
        }
    ]


@pytest.mark.parametrize("end", ["csv", "parquet"])
def test_breaks_are_a_file_of_their_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str], end: str
) -> None:
    breaks = tmp_path / f"b.{end}"
    code, said, _ = ledgerflow(capsys, "reconcile", *files, "--out", tmp_path / "o.csv", "--breaks", breaks)
    assert code == 0 and said.splitlines()[-1] == f"breaks: {breaks}"
    if end == "csv":
        with breaks.open(newline="") as opened:
            rows: list[dict[str, Any]] = list(csv.DictReader(opened))
    else:
        rows = pyarrow.parquet.read_table(breaks).to_pylist()
    nothing = "" if end == "csv" else None
    assert list(rows[0]) == ["item", "side", "kind", "difference_minor", "opened_at", "resolved_at"]
    assert [
        (row["item"], row["side"], row["kind"], int(row["difference_minor"]), row["resolved_at"])
        for row in rows
    ] == [
        ("p2", "posting", "MISSING_EXTERNAL", -500, nothing),
        ("l2", "line", "MISSING_INTERNAL", 700, nothing),
    ]


def test_two_files_are_written_or_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, breaks = tmp_path / "o.csv", tmp_path / "b.csv"
    code, _, err = ledgerflow(capsys, "reconcile", *files, "--out", out, "--breaks", tmp_path / "." / "o.csv")
    assert (code, err.count("\n")) == (2, 1) and "--out and --breaks both name" in err
    breaks.write_text("mine", "utf-8")
    code, _, err = ledgerflow(capsys, "reconcile", *files, "--out", out, "--breaks", breaks)
    assert (code, err.count("\n"), breaks.read_text("utf-8")) == (2, 1, "mine")
    breaks.unlink()

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.cli.reconcile.run", interrupted)
    code, said, err = ledgerflow(capsys, "reconcile", *files, "--out", out, "--breaks", breaks)
    assert (code, said, err) == (130, "", "error: stopped\n")
    assert not list(tmp_path.glob("o.csv*")) and not list(tmp_path.glob("b.csv*"))


def test_accounts_that_only_one_file_has_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    postings = postings_file(tmp_path / "p.csv", {}, {"account_id": "nostro "})
    lines = lines_file(tmp_path / "l.csv", {})
    given = ("reconcile", "--postings", postings, "--lines", lines, "--out")
    code, said, _ = ledgerflow(capsys, *given, tmp_path / "o.csv")
    assert code == 0
    assert "accounts of postings alone, so nothing of them is matched: 'nostro '\n" in said
    assert "accounts of lines alone" not in said
    code, said, _ = ledgerflow(capsys, *given, tmp_path / "2.csv", "--json")
    assert json.loads(said)["accounts"] == {"both": 1, "postings_alone": ["nostro "], "lines_alone": []}


def test_nothing_is_overwritten_and_nothing_is_left_over(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    out = tmp_path / "o.csv"
    out.write_text("mine", "utf-8")
    code, _, err = ledgerflow(capsys, "reconcile", *files, "--out", out)
    assert (code, len(err.splitlines()), out.read_text("utf-8")) == (2, 1, "mine")
    bad = lines_file(tmp_path / "bad.csv", {"amount_minor": "x"})
    code, _, err = ledgerflow(capsys, "reconcile", *files[:2], "--lines", bad, "--out", tmp_path / "new.csv")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "bad.csv: row 1, column amount_minor: 'x' is not an integer" in err
    assert not list(tmp_path.glob("new.csv*"))


@pytest.mark.parametrize("end", ["o.txt", "o"])
def test_the_end_of_the_name_says_what_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str], end: str
) -> None:
    code, _, err = ledgerflow(capsys, "reconcile", *files, "--out", tmp_path / end)
    assert code == 2 and ".parquet or .csv" in err


def test_a_label_of_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    labels = pairs_file(tmp_path / "labels.csv", ("p1", "l1"), ("p7", "l2"))
    code, out, err = ledgerflow(capsys, "reconcile", *files, "--labels", labels, "--out", tmp_path / "o.csv")
    assert (code, out) == (2, "")
    assert "labels.csv: row 2, column posting_id: 'p7' is not in the file of postings" in err


def test_weights_are_learned_shown_and_taken(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    labels = pairs_file(tmp_path / "labels.csv", ("p1", "l1"))
    weights = tmp_path / "weights.json"
    code, out, _ = ledgerflow(
        capsys, "matching", "learn", *files, "--labels", labels, "--out", weights, "--json"
    )
    made = json.loads(out)
    assert (code, made["pairs"], made["sha256"]) == (0, 1, DEFAULT_WEIGHTS.hash())
    assert weights.read_bytes() == DEFAULT_WEIGHTS.canonical()
    code, out, _ = ledgerflow(capsys, "matching", "show", weights)
    assert code == 0
    assert out.splitlines()[0].split() == ["feature", "says", "weight", "default"]
    assert f"sha256 {DEFAULT_WEIGHTS.hash()}" in out
    code, out, _ = ledgerflow(capsys, "matching", "show", "--json")
    assert json.loads(out) == {"sha256": DEFAULT_WEIGHTS.hash(), **json.loads(weights.read_bytes())}
    given = ("--rules", weights, "--labels", labels, "--out", tmp_path / "o.csv", "--json")
    code, out, _ = ledgerflow(capsys, "reconcile", *files, *given)
    told = json.loads(out)
    assert (code, told["weights_sha256"], told["labels"]["confirmed"]) == (0, made["sha256"], 1)
    assert "learned" not in told


def test_what_are_no_weights_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    weights = tmp_path / "weights.json"
    weights.write_text('{"version": 2}', "utf-8")
    for given in (
        ("matching", "show", str(weights)),
        ("reconcile", *files, "--rules", str(weights), "--out", str(tmp_path / "o.csv")),
    ):
        code, out, err = ledgerflow(capsys, *given)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert "weights.json: the weights are not of version 1" in err
