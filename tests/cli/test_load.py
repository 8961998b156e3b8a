"""`ledgerflow load` waits for the streams of the app that it is told of."""

from __future__ import annotations

import importlib
import signal
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.entry import main
from pipeline.loadgen import LoadReport
from pipeline.verify.streams import READERS

load = importlib.import_module("pipeline.cli.load")


def test_the_streams_of_the_app_are_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: dict[str, Any] = {}

    def run(*_: object, **named: Any) -> LoadReport:
        given.update(named)
        return LoadReport({}, {}, 0, 0, 0.0, None, True)

    for name in ("require_kafka", "require_registry"):
        monkeypatch.setattr(load, name, lambda _: None)
    monkeypatch.setattr(load, "run", run)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("LEDGERFLOW_APP_ID", "another")
    where = ["--data", str(tmp_path), "--bootstrap-servers", "127.0.0.1:1"]
    assert main(["load", "--count", "1", "--json", *where]) == 0
    assert (given["group"], given["readers"]) == ("another", READERS)
