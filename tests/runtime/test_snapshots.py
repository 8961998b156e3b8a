"""Snapshots: each copy is its partition as of one commit, the manifest says so, and old ones go."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.cli.entry import main
from pipeline.runtime.manifests import MANIFEST, SnapshotError, names, parts_of
from pipeline.runtime.snapshots import begun_at, sha256_of
from tests.runtime.snapshot_bench import PARTITIONS, RULES, TABLES, WORKER, Bench, rows_in

FIRST, SECOND, THIRD = "20261122T090000Z", "20261122T090001Z", "20261122T090002Z"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    built = Bench(tmp_path, monkeypatch)
    yield built
    built.close()


def test_a_copy_holds_what_was_committed_and_nothing_that_came_later(bench: Bench) -> None:
    bench.commit("ledger", 1, {b"a": b"1", b"b": b"2"}, 7)
    bench.stores["ledger", 1].put(b"c", b"not committed")
    bench.take(FIRST)
    bench.commit("ledger", 1, {b"a": b"9", b"b": None}, 9)
    assert rows_in(bench.folder(FIRST) / "ledger-1.rocks") == ({b"a": b"1", b"b": b"2"}, 7)
    assert bench.stores["ledger", 1].committed_get(b"a") == b"9"


def test_the_manifest_names_every_partition_with_its_offsets_and_files(bench: Bench) -> None:
    bench.commit("fraud", 0, {b"a": b"1"}, 5)
    told = bench.take(FIRST)
    (part,) = parts_of(bench.settings.snapshots_dir / FIRST)
    assert part.manifest == told
    assert (told.app_id, told.worker, told.partitions) == ("ledgerflow", WORKER, PARTITIONS)
    assert told.rules == RULES
    assert {(copy.table, copy.partition) for copy in told.copies} == set(bench.stores)
    (copy,) = (copy for copy in told.copies if copy.folder == "fraud-0.rocks")
    assert (copy.changelog, copy.changelog_id) == (
        "ledgerflow-fraud-changelog",
        "id-ledgerflow-fraud-changelog",
    )
    assert (copy.changelog_offset, copy.source, copy.source_offset) == (5, "fraud-log", 100)
    files = {
        path.name: (path.stat().st_size, sha256_of(path)) for path in (part.folder / copy.folder).iterdir()
    }
    assert {file.name: (file.size, file.sha256) for file in copy.files} == files
    assert copy.size == sum(size for size, _ in files.values()) > 0


def test_every_stream_of_a_log_is_copied_up_to_where_it_is_itself(bench: Bench) -> None:
    """Of two streams on one log the one that was added later reads it from its beginning."""
    (task,) = (t for tp, t in bench.tasks.running.items() if tp == ("ledger-log", 0))
    task.machines = [
        SimpleNamespace(spec=SimpleNamespace(table="ledger", source="ledger-log"), start=150),
        SimpleNamespace(spec=SimpleNamespace(table="fraud", source="ledger-log"), start=0),
        SimpleNamespace(spec=SimpleNamespace(table=None, source="ledger-log"), start=0),
    ]
    bench.tasks.running = {("ledger-log", 0): task}
    found = {copy.table: (copy.source, copy.source_offset) for copy in bench.take(FIRST).copies}
    assert found == {"ledger": ("ledger-log", 150), "fraud": ("ledger-log", 100)}


def test_only_the_named_tables_are_copied(bench: Bench) -> None:
    assert {copy.table for copy in bench.take(FIRST, "fraud").copies} == {"fraud"} < set(TABLES)


def test_the_newest_are_kept_and_other_workers_let_alone(bench: Bench) -> None:
    other = bench.settings.snapshots_dir / FIRST / "another-worker"
    bench.take(FIRST)
    other.mkdir()
    for name in (SECOND, THIRD):
        bench.take(name)
    assert [bench.folder(name).exists() for name in (FIRST, SECOND, THIRD)] == [False, True, True]
    assert other.exists()
    other.rmdir()
    bench.take("20261122T090003Z")
    assert names(bench.settings.snapshots_dir) == [
        FIRST,
        THIRD,
        "20261122T090003Z",
    ]  # FIRST: not ours to delete


def test_what_a_failed_snapshot_left_goes_with_the_next_and_never_counts(bench: Bench) -> None:
    bench.take(FIRST)
    left = bench.folder(SECOND).with_name(f"{WORKER}.partial")
    shutil.copytree(bench.folder(FIRST), left)
    assert parts_of(left.parent) == []
    bench.take(THIRD)
    assert not left.exists() and bench.folder(FIRST).exists()


@pytest.mark.parametrize(
    "name", ["", "..", "../../etc", "20261122T090000Z/x", "20261122T090000z", "２" * 16, "20261322T090000Z"]
)
def test_a_name_can_be_no_path(bench: Bench, name: str) -> None:
    assert begun_at(name) is None
    with pytest.raises(SnapshotError, match="no snapshot"):
        asyncio.run(bench.snapshots.take(frozenset(), join=name))
    assert names(bench.settings.snapshots_dir) == []


def test_a_second_one_of_the_same_second_has_a_number(bench: Bench) -> None:
    bench.take(FIRST)
    second = asyncio.run(bench.snapshots.take(frozenset())).name
    assert (second, names(bench.settings.snapshots_dir)) == (f"{FIRST}-0002", [FIRST, f"{FIRST}-0002"])
    assert begun_at(second) == begun_at(FIRST)


def test_a_snapshot_is_never_written_twice(bench: Bench) -> None:
    bench.take(FIRST)
    with pytest.raises(SnapshotError, match="already"):
        asyncio.run(bench.snapshots.take(frozenset(), join=FIRST))
    assert parts_of(bench.settings.snapshots_dir / FIRST)


def test_another_worker_joins_a_snapshot_that_was_just_begun(bench: Bench) -> None:
    bench.take(FIRST)
    bench.host.transactional_id = "ledgerflow-127.0.0.1-1"
    bench.now += timedelta(minutes=3)
    assert asyncio.run(bench.snapshots.take(frozenset(), join=FIRST)).name == FIRST
    assert len(parts_of(bench.settings.snapshots_dir / FIRST)) == 2


def test_partitions_that_move_while_it_is_taken_end_it_without_a_trace(bench: Bench) -> None:
    tasks = list(bench.tasks.running.values())
    store = bench.host.store

    def moving(table: str, partition: int) -> object:
        bench.tasks.running = dict(enumerate(tasks))
        bench.host.store = store
        return store(table, partition)

    bench.host.store = moving
    with pytest.raises(SnapshotError, match="moved"):
        bench.take(FIRST)
    assert list((bench.settings.snapshots_dir / FIRST).iterdir()) == []
    assert bench.take(SECOND).copies


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1', "\udcff"])
def test_a_damaged_manifest_is_refused(bench: Bench, text: str) -> None:
    bench.take(FIRST)
    (bench.folder(FIRST) / MANIFEST).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SnapshotError, match="damaged"):
        parts_of(bench.settings.snapshots_dir / FIRST)


def test_a_manifest_of_a_later_format_is_refused(bench: Bench) -> None:
    bench.take(FIRST)
    path = bench.folder(FIRST) / MANIFEST
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(SnapshotError, match="format 2"):
        parts_of(bench.settings.snapshots_dir / FIRST)


def test_names_are_times_and_sort_by_them() -> None:
    assert begun_at(FIRST) == datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    assert sorted([SECOND, f"{FIRST}-0002", FIRST]) == [FIRST, f"{FIRST}-0002", SECOND]


def test_the_command_lists_what_there_is(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.take(FIRST)
    bench.take(SECOND, "fraud")
    data = ["--data", str(bench.settings.data_dir)]
    assert main(["snapshot", "--list", "--json", *data]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["workers"], one["partitions"], one["tables"]) for one in listed] == [
        (FIRST, 1, 4, ["fraud", "ledger"]),
        (SECOND, 1, 2, ["fraud"]),
    ]
    assert main(["snapshot", "--list", *data]) == 0
    told = capsys.readouterr()
    assert FIRST in told.out and told.out.count("\n") == 3 and "2 snapshots in" in told.err
