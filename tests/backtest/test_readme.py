"""The examples of the how-tos do what is said there."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

from tests.project.markdown import blocks

HOW_TOS = Path(__file__).parents[2] / "pipeline/cli/README.md"


def test_the_example_is_complete(tmp_path: Path) -> None:
    said = run_example("> payments.csv", tmp_path)
    assert said.startswith("4 payments from 2026-03-01 to 2026-03-03, 1 of them labelled as frauds")
    with (tmp_path / "decisions.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["outcome"] for row in rows] == ["APPROVE", "APPROVE", "REVIEW", "APPROVE"]
    assert "first_large_payment@" in rows[2]["reasons"]


def test_the_example_of_reconciliation_is_complete(tmp_path: Path) -> None:
    said = run_example("> postings.csv", tmp_path)
    assert said.startswith("3 postings and 3 lines from 2026-03-02 to 2026-03-31, scored by the default")
    with (tmp_path / "matches.csv").open(newline="") as opened:
        rows = [(row["line_id"], row["posting_ids"], row["tier"]) for row in csv.DictReader(opened)]
    assert rows == [("x1", "b1", "REFERENCE"), ("x2", "b2", "SCORED")]
    with (tmp_path / "breaks.csv").open(newline="") as opened:
        breaks = {(row["item"], row["kind"], row["resolved_at"]) for row in csv.DictReader(opened)}
    assert breaks == {("b3", "MISSING_EXTERNAL", ""), ("x3", "FEE", "")}


def run_example(part: str, folder: Path) -> str:
    """Run the one example of the how-tos that has a part; return what it prints."""
    (example,) = [block.text for block in blocks(HOW_TOS.read_text("utf-8")) if part in block.text]
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-e", "-c", example],
        cwd=folder,
        env={**os.environ, "PATH": programs},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout
