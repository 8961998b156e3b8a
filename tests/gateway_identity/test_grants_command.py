"""`ledgerflow grants`: a role is given, listed and taken away; what cannot be is told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import entry
from pipeline.cli.entry import main

RUNNER = CliRunner()
ISSUER = "https://id.example"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEDGERFLOW_DATA_DIR", str(tmp_path))
    return tmp_path


def said(*arguments: str) -> str:
    answer = RUNNER.invoke(entry.app, ["grants", *arguments])
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def listed() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(said("list", "--json"))
    return found


def test_a_role_is_given_listed_and_taken_away() -> None:
    made = json.loads(
        said("add", "ann", "--issuer", ISSUER, "--role", "north:auditor", "--days", "30", "--json")
    )
    assert made["made_by"].startswith("command line, ")
    said("add", "erp", "--issuer", ISSUER, "--role", "*:upstream", "--program")
    said("add", "cy", "--issuer", ISSUER, "--role", "north:customer", "--account", "a1", "--account", "a2")
    rows = {row["subject"]: (row["of"], row["tenant"], row["role"], row["accounts"]) for row in listed()}
    assert rows == {
        "ann": ("person", "north", "auditor", []),
        "erp": ("program", "*", "upstream", []),
        "cy": ("person", "north", "customer", ["a1", "a2"]),
    }
    assert f"person ann of {ISSUER}  north:auditor  until 20" in said("list")
    assert f"person cy of {ISSUER}  north:customer of a1, a2  without an end" in said("list")
    assert said("remove", made["grant_id"]).endswith("is removed\n")
    assert {row["subject"] for row in listed()} == {"erp", "cy"}


def test_the_provider_of_the_settings_vouches_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERFLOW_OIDC_ISSUER", ISSUER)
    monkeypatch.setenv("LEDGERFLOW_OIDC_CLIENT_ID", "gateway")
    said("add", "ann", "--role", "north:analyst")
    assert [row["issuer"] for row in listed()] == [ISSUER]


def test_the_operators_own_policy_says_which_roles_there_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "policy.toml").write_text('[roles.teller]\nabout = "x"\ngrant_days_max = 7\n')
    monkeypatch.setenv("LEDGERFLOW_POLICY_FILE", str(folder / "policy.toml"))
    said("add", "ann", "--issuer", ISSUER, "--role", "north:teller", "--days", "7")
    assert main(["grants", "add", "ann", "--issuer", ISSUER, "--role", "north:analyst"]) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["add", "ann", "--role", "north:analyst"], "--issuer"),
        (["add", "ann", "--issuer", ISSUER, "--role", "north"], "TENANT:ROLE"),
        (["add", "ann", "--issuer", ISSUER, "--role", "north:auditr"], "did you mean `auditor`"),
        (["add", "ann", "--issuer", ISSUER, "--role", "north:auditor"], "366 days at most"),
        (["remove", "0123"], "no grant 0123"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grants", *arguments]) == 2
    shown = capsys.readouterr().err
    assert told in " ".join(shown.split())
    assert listed() == []


def test_a_file_that_cannot_be_used_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "gateway-identity.sqlite").write_bytes(b"no database" * 100)
    assert main(["grants", "list"]) == 1
    assert "cannot be used" in capsys.readouterr().err
