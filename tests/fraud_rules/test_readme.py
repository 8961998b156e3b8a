"""The README of the rules: what it shows is what comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

import pipeline.domain.fraud.expressions as package
from pipeline.cli.entry import main
from pipeline.domain.fraud.expressions.rule_files import read_file
from tests.fraud_rules.sample import SAMPLE
from tests.project.markdown import blocks

README = (Path(package.__path__[0]) / "README.md").read_text("utf-8")


def shown(language: str) -> str:
    """Return the one block of a language."""
    (found,) = [block.text for block in blocks(README) if block.language == language]
    return found


def test_the_example_is_a_set_without_problems() -> None:
    found = read_file(shown("toml"), SAMPLE)
    assert found.problems == [] and found.rules is not None


def test_the_errors_are_those_that_are_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = {
        "busy": '"""\npayments_1h > 10\nand amont_24h > 950 EUR\n"""',
        "many": '"payments_1h > 10 EUR"',
        "odd": '"payments_1h > 5 and payments_1h < 3"',
    }
    rules = [
        f'[[rules]]\nid = "{name}"\nversion = 1\nwhen = {when}\nscore = 1'
        for name, when in conditions.items()
    ]
    text = 'set = "mine"\nversion = 1\neffective_from = 2026-12-01T00:00:00Z\n\n'
    (tmp_path / "rules.toml").write_text(text + "\n".join(f'{one}\nreason = "x"' for one in rules))
    monkeypatch.chdir(tmp_path)
    assert main(["rules", "lint", "rules.toml"]) == 1
    said = capsys.readouterr().err
    assert shown("text") + "error: rules.toml: 2 errors\n" == said
