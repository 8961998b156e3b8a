"""`ledgerflow switch` against an `up` that is played: workers with rules, ended and started again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline import domain
from pipeline.cli import switch
from pipeline.cli.endpoints import Endpoints, WorkerEndpoint
from pipeline.cli.entry import main
from pipeline.runtime.rules import rules_version

OLD = "0123456789ab"


class Up:
    """Two workers with old rules. Whoever is ended comes back with those installed; `lost`: it does not."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.rules = {"http://w0": OLD, "http://w1": OLD}
        self.pids = {"http://w0": 1_000_001, "http://w1": 1_000_002}
        self.ended: list[int] = []
        self.lost = False
        self._write()
        patch.setattr(switch, "_end", self._end)
        patch.setattr(switch, "_ready", self._ready)
        patch.setattr(switch, "_LOOK_EVERY_S", 0.001)
        patch.setattr(switch, "READY_WITHIN_S", 0.05)

    def _write(self) -> None:
        workers = tuple(WorkerEndpoint(pid, url) for url, pid in self.pids.items())
        Endpoints("127.0.0.1:1", "http://127.0.0.1:1", workers, os.getpid()).write(self.folder)

    def _end(self, pid: int) -> None:
        (url,) = (url for url, known in self.pids.items() if known == pid)
        assert all(rules == rules_version() for other, rules in self.rules.items() if other < url)
        self.ended.append(pid)
        if not self.lost:
            self.pids[url], self.rules[url] = pid + 10, rules_version()
            self._write()

    def _ready(self, url: str) -> dict[str, Any]:
        return {"rules": self.rules[url]}


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Up:
    return Up(tmp_path, monkeypatch)


def test_one_worker_after_another_goes_on_with_the_rules_installed(
    up: Up, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["switch", "--data", str(up.folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rules"] == rules_version()
    assert [(one["url"], one["rules_before"]) for one in told["switched"]] == [
        ("http://w0", OLD),
        ("http://w1", OLD),
    ]
    assert up.ended == [1_000_001, 1_000_002]


def test_workers_that_run_them_already_are_left_alone(up: Up, capsys: pytest.CaptureFixture[str]) -> None:
    up.rules["http://w0"] = rules_version()
    assert main(["switch", "--data", str(up.folder)]) == 0
    assert up.ended == [1_000_002]
    assert main(["switch", "--data", str(up.folder)]) == 0
    assert up.ended == [1_000_002]
    assert "already" in capsys.readouterr().out
    assert main(["switch", "--again", "--data", str(up.folder)]) == 0
    assert len(up.ended) == 3


def test_it_ends_at_the_first_worker_that_does_not_come_back(
    up: Up, capsys: pytest.CaptureFixture[str]
) -> None:
    up.lost = True
    assert main(["switch", "--data", str(up.folder)]) == 1
    assert up.ended == [1_000_001]
    said = capsys.readouterr().err
    assert "worker 0 did not come back" in said and OLD in said and said.count("\n") == 1


def test_without_a_running_up_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["switch", "--data", str(tmp_path)]) == 1
    assert "ledgerflow up" in capsys.readouterr().err


def test_the_version_of_the_rules_follows_their_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = [rules_version()]
    nested = tmp_path / "ledger" / "batch"
    nested.mkdir(parents=True)
    monkeypatch.setattr("pipeline.domain.__path__", [str(tmp_path)])
    for name, source in (("fees.py", "fee = 1"), ("fees.py", "fee = 2"), ("charges.py", "fee = 2")):
        (nested / name).write_text(source)
        versions.append(rules_version())
    nested.rename(tmp_path / "ledger" / "columns")
    versions.append(rules_version())
    assert len(set(versions)) == 5


def test_the_version_of_the_rules_covers_every_installed_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "domain"
    shutil.copytree(domain.__path__[0], installed, ignore=shutil.ignore_patterns("__pycache__"))
    before = rules_version()
    monkeypatch.setattr("pipeline.domain.__path__", [str(installed)])
    assert rules_version() == before
    for source in sorted(installed.rglob("*.py")):
        text = source.read_text("utf-8")
        source.write_text(text + "# changed")
        assert rules_version() != before, source
        source.write_text(text)
