"""The example of the how-to does what is said there."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

from tests.project.markdown import blocks

HOW_TOS = Path(__file__).parents[2] / "pipeline/cli/README.md"


def test_the_example_is_complete(tmp_path: Path) -> None:
    (example,) = [
        block.text for block in blocks(HOW_TOS.read_text("utf-8")) if "> payments.csv" in block.text
    ]
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-e", "-c", example],
        cwd=tmp_path,
        env={**os.environ, "PATH": programs},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("4 payments from 2026-03-01 to 2026-03-03, 1 of them labelled as frauds")
    with (tmp_path / "decisions.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["outcome"] for row in rows] == ["APPROVE", "APPROVE", "REVIEW", "APPROVE"]
    assert "first_large_payment@" in rows[2]["reasons"]
