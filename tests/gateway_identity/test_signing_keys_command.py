"""`ledgerflow signing-keys` and `grants first`: what they print, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from pipeline.cli import entry
from pipeline.cli.entry import main

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEDGERFLOW_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def key_file(folder: Path) -> Path:
    file, private = folder / "erp.pem", Ed25519PrivateKey.generate()
    file.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return file


def said(*arguments: str) -> str:
    answer = RUNNER.invoke(entry.app, list(arguments))
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_a_key_is_taken_listed_and_removed(key_file: Path) -> None:
    key_id = said("signing-keys", "add", "erp", str(key_file)).strip()
    (row,) = json.loads(said("signing-keys", "list", "--json"))
    assert (row["key_id"], row["subject"], row["issuer"]) == (key_id, "erp", "ledgerflow-keys")
    assert row["pem"] == key_file.read_text()
    assert said("signing-keys", "list").startswith(f"{key_id}  erp of ledgerflow-keys  until 20")
    assert said("signing-keys", "remove", key_id) == f"{key_id} is removed\n"
    assert said("signing-keys", "list") == ""
    assert main(["signing-keys", "remove", key_id]) == 2


@pytest.mark.parametrize("content", [None, b"no key", b"\xff"])
def test_a_file_that_is_no_key_is_told(
    folder: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (folder / "x.pem").write_bytes(content)
    assert main(["signing-keys", "add", "erp", str(folder / "x.pem")]) == 2
    assert capsys.readouterr().err.count("\n") <= 3


def test_a_link_for_the_first_administrator_is_printed_while_there_is_none(folder: Path) -> None:
    assert said("grants", "first").startswith("http://localhost:8080/first-administrator#")
    said("grants", "add", "ann", "--issuer", "https://id.example", "--role", "*:administrator")
    assert main(["grants", "first"]) == 1
