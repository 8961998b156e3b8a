"""`ledgerflow rules lint`: what is printed, where problems go, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli.entry import main
from pipeline.domain.fraud.expressions.canonical import name_of
from pipeline.domain.fraud.expressions.rule_files import read_file
from tests.fraud_rules.sample import SAMPLE
from tests.fraud_rules.test_rule_files import HEAD, RULE, WHOLE


def lint(capsys: pytest.CaptureFixture[str], path: Path, *options: str) -> tuple[int, str, str]:
    """Run the command; return its exit code and what it wrote."""
    code = main(["rules", "lint", str(path), *options])
    written = capsys.readouterr()
    return code, written.out, written.err


def test_a_good_file_is_printed_as_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(HEAD + RULE.format('"payments_1h>10"'))
    code, out, err = lint(capsys, path)
    rules = read_file(path.read_text(), SAMPLE).rules
    assert rules is not None
    assert (code, err) == (0, "")
    header, row, last = out.splitlines()
    assert header.split() == ["rule", "counts", "state", "segments", "condition"]
    assert row.split(maxsplit=4) == ["a@1", "+5", "active", "all", "payments_1h > 10"]
    assert last.startswith("mine@2 of all tenants: 1 rules") and last.endswith(name_of(rules))


def test_problems_go_to_standard_error_with_their_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(HEAD + RULE.format('"amont > 10 EUR"'))
    code, out, err = lint(capsys, path)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"{path}:7:9: error: a: unknown feature `amont`, did you mean `amount`?",
        '  when = "amont > 10 EUR"',
        "          ^^^^^",
        f"error: {path}: 1 error",
    ]


def test_warnings_alone_are_no_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(HEAD + RULE.format('"payments_1h > 5 and payments_1h < 3"'))
    code, out, err = lint(capsys, path)
    assert code == 0 and out and ":7:9: warning: a: the condition can never be true" in err


def test_json_says_the_same_for_programs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(WHOLE)
    code, out, _ = lint(capsys, path, "--json")
    told = json.loads(out)
    assert (code, told["ok"], told["set"], told["rules"][0]["label"]) == (0, True, "mine", "a@1")
    assert told["rules"][0]["expression"] == "payments_1h > 10" and len(told["sha256"]) == 64
    assert [one["severity"] for one in told["problems"]] == ["warning"]
    path.write_text(HEAD + "x = 1\n")
    code, out, err = lint(capsys, path, "--json")
    told = json.loads(out)
    assert (code, told["ok"], err) == (1, False, "")
    assert (told["problems"][0]["line"], told["problems"][0]["severity"]) == (4, "error")


def test_a_file_that_cannot_be_read_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = lint(capsys, tmp_path / "nothing.toml")
    assert code == 1 and err.count("\n") == 1 and "nothing.toml" in err
    (tmp_path / "bytes.toml").write_bytes(b'set = "\xff"')
    code, _, err = lint(capsys, tmp_path / "bytes.toml")
    assert code == 1 and err.count("\n") == 1 and "not UTF-8: byte 8" in err


def test_what_a_terminal_would_obey_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(HEAD + RULE.format('"a\\u001b[2J > 1"').replace("score", "sco\\u202ere"))
    _, out, err = lint(capsys, path)
    assert "\x1b" not in out + err and "\u202e" not in out + err
    path.write_text(HEAD + RULE.format('"amount > 1 EUR"').replace('id = "a"', 'id = "a\\u001b[2J"'))
    assert "\x1b" not in lint(capsys, path)[2]
