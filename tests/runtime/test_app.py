"""The app as its parts know it: a host of the runtime, and a worker to views and audit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.runtime.app import App, create_app
from pipeline.runtime.settings import Settings
from pipeline.runtime.streams import StreamSpec


@pytest.fixture
def app(tmp_path: Path) -> App:
    codec: Any = SimpleNamespace()
    built = create_app(Settings(data_dir=tmp_path, partitions=2), codec, worker=1)
    rules: Any = None
    built.add_stream(StreamSpec("counting", "words", rules, "counts"))
    return built


def test_the_parts_of_an_app_are_put_together_once(app: App) -> None:
    assert app.transport.positions is app.tables.tasks is app.tasks
    assert (app.group, app.partitions) == ("ledgerflow", 2)
    assert app.transactional_id.startswith("ledgerflow-127.0.0.1-")
    assert app.address.startswith("http://") and not app.address.endswith("/")
    assert app.table_names == {"counts"}


def test_partitions_are_owned_by_the_worker_of_the_last_assignment(app: App) -> None:
    changelog = "ledgerflow-counts-changelog"
    app.assignor.table_metadata = lambda topic: {
        "http://10.0.0.1:6066/": {changelog: [0]},
        "http://10.0.0.2:6066": {changelog: [1], "another": [0]},
        "http://10.0.0.3:6066": {},
    }
    assert app.owners("counts") == {0: "http://10.0.0.1:6066", 1: "http://10.0.0.2:6066"}


def test_only_the_partitions_of_logs_are_assigned_to_tasks(app: App) -> None:
    places = {TP("words", 0), TP("ledgerflow-counts-changelog", 0)}
    app.assignor.assigned_actives = lambda: places
    assert app.assigned == {TP("words", 0)}


def test_a_database_is_open_once_a_stream_has_its_partition(app: App, tmp_path: Path) -> None:
    assert app.open_store("counts", 1) is None
    store = app.store("counts", 1)
    assert app.open_store("counts", 1) is store
    store.close()
