"""Restoring: what is put in place is what was copied, and only where the changelog's tail makes it whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from pipeline.runtime.app import create_app
from pipeline.runtime.folders import TABLES as TABLES_FOLDER
from pipeline.runtime.folders import own_folder, worker_folder
from pipeline.runtime.manifests import Manifest, SnapshotError, WorkerSnapshot
from pipeline.runtime.settings import SettingsError
from pipeline.runtime.signing import trusted_parts
from pipeline.runtime.store.restoring import Changelog, Chosen, check, choose, restore
from tests.runtime.snapshot_bench import KEY, Bench, rows_in

FIRST, SECOND = "20261122T090000Z", "20261122T090001Z"
DAY = timedelta(days=1)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    built = Bench(tmp_path / "here", monkeypatch)
    built.commit("ledger", 0, {b"a": b"1"}, 4)
    built.commit("ledger", 1, {b"b": b"2"}, 6)
    built.take(FIRST)
    yield built
    built.close()


def chosen_of(bench: Bench, name: str = FIRST) -> list[Chosen]:
    return choose(trusted_parts(bench.settings.snapshots_dir / name, KEY), frozenset({"ledger"}))


def cluster_of(
    first: int = 0, end: int = 10, kept: timedelta = DAY, topic_id: str | None = None
) -> dict[str, Changelog]:
    name = "ledgerflow-ledger-changelog"
    offsets = {0: (first, end), 1: (first, end)}
    return {name: Changelog(topic_id or f"id-{name}", kept, offsets)}


def taken_at(bench: Bench) -> datetime:
    return trusted_parts(bench.settings.snapshots_dir / FIRST, KEY)[0].manifest.taken_at


def put(bench: Bench, target: Path, *, replace: bool = False) -> int:
    target.mkdir(parents=True, exist_ok=True)
    copied: list[int] = []
    restore(chosen_of(bench), target, replace=replace, on_bytes=copied.append)
    return sum(copied)


def test_a_restored_database_is_the_one_that_was_copied(bench: Bench, tmp_path: Path) -> None:
    bench.commit("ledger", 0, {b"a": b"9"}, 8)
    copied = put(bench, tmp_path / "there")
    assert rows_in(tmp_path / "there" / "ledger-0.rocks") == ({b"a": b"1"}, 4)
    assert rows_in(tmp_path / "there" / "ledger-1.rocks") == ({b"b": b"2"}, 6)
    assert copied == sum(copy.size for _, copy in chosen_of(bench))
    assert {path.name for path in (tmp_path / "there").iterdir()} == {"ledger-0.rocks", "ledger-1.rocks"}


def test_a_snapshot_can_be_restored_again_after_its_copy_was_written_to(bench: Bench, tmp_path: Path) -> None:
    for where in ("one", "two"):
        put(bench, tmp_path / where)
        assert rows_in(tmp_path / where / "ledger-0.rocks") == ({b"a": b"1"}, 4)


def test_tables_are_replaced_only_where_that_is_said(bench: Bench, tmp_path: Path) -> None:
    put(bench, tmp_path / "there")
    with pytest.raises(SnapshotError, match="--replace"):
        put(bench, tmp_path / "there")
    put(bench, tmp_path / "there", replace=True)


@pytest.mark.parametrize("damage", ["changed", "shorter", "missing", "more"])
def test_a_damaged_copy_is_refused_and_changes_nothing(bench: Bench, tmp_path: Path, damage: str) -> None:
    there = tmp_path / "there"
    put(bench, there)
    part, copy = chosen_of(bench)[1]
    file = next((part.folder / copy.folder).glob("*.sst"))
    content = file.read_bytes()
    file.unlink()  # a link to the worker's own file: writing to it would damage that, too
    if damage == "changed":
        file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif damage == "shorter":
        file.write_bytes(content[:-1])
    elif damage == "more":
        file.write_bytes(content)
        file.with_name("more.sst").write_bytes(b"")
    with pytest.raises(SnapshotError, match="damaged"):
        put(bench, there, replace=True)
    assert rows_in(there / "ledger-0.rocks") == ({b"a": b"1"}, 4)
    assert {path.name for path in there.iterdir()} == {"ledger-0.rocks", "ledger-1.rocks"}


def test_the_newest_copy_of_a_partition_is_chosen(bench: Bench) -> None:
    bench.commit("ledger", 1, {b"b": b"3"}, 9)
    bench.take(SECOND)
    parts = [
        *trusted_parts(bench.settings.snapshots_dir / SECOND, KEY),
        *trusted_parts(bench.settings.snapshots_dir / FIRST, KEY),
    ]
    assert [copy.changelog_offset for _, copy in choose(parts, frozenset({"ledger"}))] == [4, 9]
    assert len(choose(parts)) == 4


def test_a_snapshot_whose_changelogs_have_the_rest_is_taken(bench: Bench) -> None:
    now = taken_at(bench) + DAY / 2
    check(chosen_of(bench), bench.settings, cluster_of(), now)
    check(chosen_of(bench), bench.settings, cluster_of(first=4), now)  # the next one to read is still there


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({}, "no topic"),
        (cluster_of(topic_id="another"), "another topic"),
        (cluster_of(first=5), "5 to 10"),
        (cluster_of(end=5), "0 to 5"),
        (cluster_of(kept=DAY / 3), "deleted rows would come back"),
    ],
)
def test_a_snapshot_that_the_changelogs_do_not_complete_is_refused(
    bench: Bench, cluster: dict[str, Changelog], said: str
) -> None:
    with pytest.raises(SnapshotError, match=said):
        check(chosen_of(bench), bench.settings, cluster, taken_at(bench) + DAY / 4)


def test_an_old_snapshot_is_taken_where_nothing_came_since(bench: Bench) -> None:
    only = [one for one in chosen_of(bench) if one.copy.partition == 1]
    check(only, bench.settings, cluster_of(end=6), taken_at(bench) + 90 * DAY)


@pytest.mark.parametrize(
    ("field", "value", "said"), [("app_id", "other", "APP_ID"), ("partitions", 3, "PARTITIONS")]
)
def test_a_snapshot_of_another_application_is_refused(
    bench: Bench, field: str, value: object, said: str
) -> None:
    def of_another(part: WorkerSnapshot) -> WorkerSnapshot:
        manifest: Manifest = msgspec.structs.replace(part.manifest, **{field: value})
        return part._replace(manifest=manifest)

    chosen = [Chosen(of_another(part), copy) for part, copy in chosen_of(bench)]
    with pytest.raises(SnapshotError, match=said):
        check(chosen, bench.settings, cluster_of(), taken_at(bench))


def test_the_folder_of_a_worker_that_runs_is_left_alone(bench: Bench) -> None:
    with own_folder(bench.settings, 0, 0.0), pytest.raises(SettingsError, match="another worker uses"):
        own_folder(bench.settings, 0, 0.0)
    own_folder(bench.settings, 0, 0.0).close()


def test_tables_are_where_faust_keeps_them(bench: Bench) -> None:
    app = create_app(bench.settings, cast(Any, SimpleNamespace()), worker=1)
    assert Path(app.conf.tabledir) == (worker_folder(bench.settings, 1) / TABLES_FOLDER).absolute()
