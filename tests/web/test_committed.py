"""Reading while partitions come and go: views have a thread of their own, so a row may be read too late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from rocksdict import DbClosedError

from pipeline.domain.ledger.rows import Account, account_key
from pipeline.runtime.store.database import StoreClosed
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.web.committed import CommittedRows, Partition
from pipeline.web.problems import Problem
from tests.cli.fake_worker import Worker

KEY = account_key("t", "a")


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    running = Worker(tmp_path)
    running.commit("ledger", {KEY: Account(0, "EUR").pack()}, 0)
    yield running
    with suppress(DbClosedError):
        running.close()


def rows_of(worker: Any) -> CommittedRows:
    return Partition(worker, 0).rows("ledger")


def test_a_row_of_an_owned_partition_is_read(worker: Any) -> None:
    assert rows_of(worker).get(KEY) == Account(0, "EUR").pack()
    assert [key for key, _ in rows_of(worker).scan(b"a")] == [KEY]


@pytest.mark.parametrize("how", ["gone", "given back"])
def test_a_row_that_was_read_of_a_partition_that_has_moved_does_not_count(worker: Any, how: str) -> None:
    rows = rows_of(worker)
    del worker.tasks.running[TP("ledger", 0)]
    if how == "given back":
        again = SimpleNamespace(spec=SimpleNamespace(name="ledger", source="ledger", table="ledger"))
        worker.tasks.running[TP("ledger", 0)] = SimpleNamespace(partition=0, machines=[again])
    for read in (lambda: rows.get(KEY), lambda: list(rows.scan(b"a"))):
        with pytest.raises(Problem, match="moving to another worker") as caught:
            read()
        assert caught.value.status == 503


def test_a_database_that_is_closed_meanwhile_is_a_partition_that_moves(worker: Any) -> None:
    rows = rows_of(worker)
    worker.stores["ledger", 0].close()
    for read in (lambda: rows.get(KEY), lambda: list(rows.scan(b"a"))):
        with pytest.raises(Problem, match="moving to another worker") as caught:
            read()
        assert caught.value.status == 503


def test_a_closed_database_says_so(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "table.rocks")
    store.close()
    with pytest.raises(StoreClosed):
        store.committed_get(b"a")
    with pytest.raises(StoreClosed):
        list(store.committed_scan(b"a"))
