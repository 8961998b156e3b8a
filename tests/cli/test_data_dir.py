"""`--data` names a stack: it is used, or refused; no default and no variable leads to another one."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from pipeline.cli import reach
from pipeline.cli.endpoints import Endpoints, WorkerEndpoint
from pipeline.cli.entry import main
from pipeline.cli.problems import BadInput

NOBODY = "127.0.0.1:1"
COMMANDS = (
    "topics",
    "tail postings",
    "balance north/alice",
    "statement north/alice",
    "payment north/p-1",
    "account open north/a EUR",
    "account fund north/a 1 EUR",
    "payment send north/a b 1 EUR",
    "export north --out here",
    "load --count 1",
    "verify",
    "worker",
    "snapshot",
    "rebuild",
    "switch",
    "migrate",
    "accept-loss payments/0 --up-to 1 --reason x",
    "quarantine payments/0/1 --reason x",
    "dead-letters list",
    "dead-letters show 0/1",
    "dead-letters redrive --yes",
    "dead-letters discard --all --yes --reason x",
    "transactions list",
    "transactions abort 1 --reason x",
    "acls apply",
    "acls check",
    "schemas check --registry",
    "schemas register",
)
NEED_NO_STACK = ("schemas list", "snapshot --list", "account open north/a EUR --dry-run")


@pytest.fixture(autouse=True)
def away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in an empty directory, where nothing of this machine's variables counts."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LEDGERFLOW_")]:
        monkeypatch.delenv(name)


def said(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    code = main(shlex.split(line))
    written = capsys.readouterr()
    return code, written.out, written.err


def runs(folder: Path, at: str = NOBODY) -> None:
    """Let a stack run on a directory, as far as its endpoints.json says."""
    folder.mkdir(exist_ok=True)
    worker = WorkerEndpoint(os.getpid(), f"http://{at}")
    Endpoints(at, f"http://{at}/apis/ccompat/v7", (worker,), os.getpid()).write(folder)


@pytest.mark.parametrize("line", [*COMMANDS, *NEED_NO_STACK])
def test_a_directory_that_is_not_there_is_refused_and_not_made(
    capsys: pytest.CaptureFixture[str], line: str
) -> None:
    code, out, err = said(capsys, f"{line} --data ledgerflow-dta")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no directory ledgerflow-dta" in err and "--data" in err
    assert not Path("ledgerflow-dta").exists()


@pytest.mark.parametrize("line", COMMANDS)
def test_a_directory_on_which_nothing_runs_is_refused_with_the_command_that_starts_it(
    capsys: pytest.CaptureFixture[str], line: str
) -> None:
    Path("my data").mkdir()
    code, out, err = said(capsys, f"{line} --data 'my data'")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "my data" in err and "ledgerflow up" in err


@pytest.mark.parametrize("line", NEED_NO_STACK)
def test_what_needs_no_stack_takes_a_directory_that_is_there(
    capsys: pytest.CaptureFixture[str], line: str
) -> None:
    Path("data").mkdir()
    assert said(capsys, f"{line} --data data")[0] == 0


def test_a_directory_that_a_variable_names_is_refused_as_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERFLOW_DATA_DIR", "ledgerflow-dta")
    code, _, err = said(capsys, "dead-letters redrive --yes")
    assert code == 2 and "LEDGERFLOW_DATA_DIR" in err


def test_a_restore_needs_the_directory_and_no_running_stack(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "no directory nowhere" in said(capsys, "restore --data nowhere")[2]
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "empty").mkdir()
    code, _, err = said(capsys, "restore snapshot --data empty")
    assert code == 1 and "no stack runs on empty" in err  # no local Kafka is there that could be started
    runs(tmp_path / "busy")
    code, _, err = said(capsys, "restore snapshot --worker 0 --data busy")
    assert (code, err.count("\n")) == (1, 1) and "worker 0" in err and "stop that first" in err


def test_addresses_that_are_said_need_no_running_stack(tmp_path: Path) -> None:
    away = tmp_path / "of-a-worker"  # its tables will be made there
    assert reach.settings_for(away, NOBODY).bootstrap_servers == NOBODY
    registry = f"http://{NOBODY}"
    found = reach.settings_for(away, None, registry, needs=reach.REGISTRY)
    assert found.schema_registry_url == registry


@pytest.mark.parametrize("name", ["BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "KAFKA_PORT", "REGISTRY_PORT"])
def test_a_variable_does_not_lead_from_the_named_stack_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    elsewhere = {"BOOTSTRAP_SERVERS": "127.0.0.1:7", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:7"}
    runs(tmp_path)
    monkeypatch.setenv(f"LEDGERFLOW_{name}", elsewhere.get(name, "7"))
    with pytest.raises(BadInput, match=f"LEDGERFLOW_{name} leads to .*:7"):
        reach.settings_for(tmp_path)


def test_an_option_leads_where_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(tmp_path)
    monkeypatch.setenv("LEDGERFLOW_KAFKA_PORT", "8")
    found = reach.settings_for(tmp_path, "127.0.0.1:7", "http://127.0.0.1:7")
    assert (found.bootstrap_servers, found.schema_registry_url) == ("127.0.0.1:7", "http://127.0.0.1:7")
