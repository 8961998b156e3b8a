"""`ledgerflow keys create`: the roles of a key are those of the policy that the gateway has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli.entry import main
from pipeline.gateway.identity.keys import FILE_NAME, Keys

POLICY = '[roles.teller]\nabout = "Opens accounts."\ncommands = ["account_opened"]\n'


def made(capsys: pytest.CaptureFixture[str], folder: Path, role: str) -> tuple[int, str, str]:
    """Make a key of a role; return the exit code and what was said."""
    code = main(["keys", "create", "desk", "--role", role, "--json", "--data", str(folder)])
    written = capsys.readouterr()
    return code, written.out, written.err


def test_without_a_policy_file_the_roles_of_the_product_are_known(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = made(capsys, tmp_path, "north:upstream")
    assert code == 0 and Keys(tmp_path / FILE_NAME).principal(json.loads(out)["key"]).subject == "desk"
    code, _, err = made(capsys, tmp_path, "north:upstraem")
    assert code == 2 and "there is no role 'upstraem', did you mean `upstream`?" in err


def test_with_a_policy_file_its_roles_are_known_and_no_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    monkeypatch.setenv("LEDGERFLOW_POLICY_FILE", str(file))
    assert made(capsys, tmp_path, "north:teller")[0] == 0
    code, _, err = made(capsys, tmp_path, "north:upstream")
    assert code == 2 and "there is no role 'upstream'" in err


@pytest.mark.parametrize(("text", "said"), [(None, "No such file"), ("roles = 1", "roles")])
def test_a_policy_that_cannot_be_read_is_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
    said: str,
) -> None:
    file = tmp_path / "policy.toml"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("LEDGERFLOW_POLICY_FILE", str(file))
    code, out, err = made(capsys, tmp_path, "north:upstream")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"LEDGERFLOW_POLICY_FILE={file}: " in err and said in err
