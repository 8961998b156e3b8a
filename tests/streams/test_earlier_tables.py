"""Today's streams go on where an earlier commit has stopped: on its logs, its tables and its changelogs.

What is kept of an earlier commit (tests/contract/earlier.py) are its topics up to their end, and its tables
as of some events before. So today's streams take the tables, apply the rest of their logs, and must come to
the rows that the earlier commit came to.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord

from pipeline.domain.history import rows as history
from pipeline.domain.invariants import rows as invariants
from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger import rows as ledger
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.manifests import Copy, parts_of
from pipeline.runtime.settings import load_settings
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import StreamSpec
from tests.contract.earlier import changelogs, commits, read_topics, tenants_file, unpack_tables
from tests.contract.row_kinds import kinds
from tests.runtime.fixed_registry import FixedRegistry
from tests.streams.earlier_rows import Rows, as_kept_earlier, new_rows
from tests.streams.stream_bench import StreamBench, applied_by_columns
from topologies.app import specs
from topologies.configuration import Configuration

SETTINGS = {commit: load_settings(partitions=2, tenants=tenants_file(commit)) for commit in commits()}
TABLES = {
    commit: [spec for spec in specs(Configuration(given)) if spec.table is not None]
    for commit, given in SETTINGS.items()
}
LATER = ("requests",)
"""Streams that no earlier commit has had."""
OF_EVERY_TABLE = pytest.mark.parametrize(
    ("commit", "spec"),
    [
        pytest.param(commit, spec, id=f"{commit}-{spec.name}")
        for commit in TABLES
        for spec in TABLES[commit]
        if spec.name not in ("fraud", "reconciliation", *LATER)
    ],
)
"""But those of streams whose rules are others since: `test_earlier_decisions.py`, `test_earlier_items.py`."""
OF_EVERY_COMMIT = pytest.mark.parametrize("commit", SETTINGS)
KINDS = {(kind.table, kind.family): kind for kind in kinds()}
FIXED_WIDTH = (ledger.ACCOUNT_ROW, history.HEAD_ROW, invariants.ACCOUNT_ROW, invariants.CLEARING_ROW)


class Copies:
    """The tables of an earlier commit in a folder, and benches of today's streams on them."""

    def __init__(self, commit: str, folder: Path) -> None:
        self.commit = commit
        self.folder = unpack_tables(commit, folder).parent
        (part,) = parts_of(folder)
        self.copies: dict[tuple[str, int], Copy] = {
            (copy.table, copy.partition): copy for copy in part.manifest.copies
        }

    def bench(self, spec: StreamSpec, partition: int, folder: Path) -> StreamBench:
        """Return a stream on a copy of its table in `folder`, with what its log had from there on."""
        name = f"{spec.name}-{partition}.rocks"
        shutil.copytree(self.folder / name, folder / name)
        bench = bench_of(self.commit, spec, folder, partition)
        start = self.copies[spec.name, partition].source_offset
        bench.log = [record for record in bench.log if record.offset >= start]
        bench.task.expect(start)
        return bench


def know(registry: FixedRegistry, commit: str) -> FixedRegistry:
    """Tell a registry the schemas of an earlier commit under their ids; return it."""
    for schema_id, text in read_topics(commit).schemas.items():
        registry.add(text, schema_id)
    return registry


def bench_of(commit: str, spec: StreamSpec, folder: Path, partition: int) -> StreamBench:
    """Return a stream with an earlier commit's whole log; it knows that commit's schemas by their ids."""
    topics = read_topics(commit)
    bench = StreamBench(spec, folder, partition, SETTINGS[commit].partitions)
    know(bench.registry, commit)
    source = spec.source if spec.source in topics.records else spec.earlier_source
    assert source is not None
    bench.log = [
        ConsumerRecord(
            source, partition, one.offset, one.timestamp, 0, one.key, one.value, None, 0, 0,
            tuple(one.headers),
        )
        for one in topics.records[source][partition]
    ]  # fmt: skip
    return bench


async def apply(bench: StreamBench, size: int) -> None:
    """Apply a bench's log in batches of `size`."""
    for start in range(0, len(bench.log), size):
        await bench.accept(*bench.log[start : start + size])
        await bench.settled()
    assert bench.failures == []


def stored(bench: StreamBench) -> Rows:
    assert bench.store is not None
    return dict(bench.store.committed_scan(b""))


def newest(table: str, rows: Rows) -> Rows:
    """Return rows in their newest layouts; those of indexes have none."""
    return {
        key: KINDS[table, chr(key[0])].current(row) if (table, chr(key[0])) in KINDS else row
        for key, row in rows.items()
    }


def decoded(commit: str, topic: str) -> Iterator[Any]:
    """Yield the events of a topic."""
    codec = Codec(know(FixedRegistry(), commit))  # type: ignore[arg-type]
    for partition in read_topics(commit).records[topic]:
        found = codec.decode([record.value for record in partition if record.value is not None])
        assert found.dead == {}
        yield from found.events


def balances_by_postings(commit: str) -> Counter[tuple[str, str]]:
    """Return what the journal comes to: the sum of its postings by account, minor units."""
    sums: Counter[tuple[str, str]] = Counter()
    for event in decoded(commit, "postings"):
        if type(event) is ev.PostingRecorded:
            amount = event.amount_minor if event.side == "CREDIT" else -event.amount_minor
            sums[event.tenant_id, event.account_id] += amount
    return sums


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Copies]:
    """The tables of every earlier commit, unpacked."""
    return {commit: Copies(commit, tmp_path_factory.mktemp(commit)) for commit in commits()}


def balances_by_rows(rows: Rows) -> Counter[tuple[str, str]]:
    """Return the balances of a branch of the ledger, as its accounts have them."""
    found: Counter[tuple[str, str]] = Counter()
    for key, row in rows.items():
        if key.startswith(b"a\0"):
            _, tenant_id, account_id = key.decode().split("\0")
            found[tenant_id, account_id] = ledger.unpack_account(row).balance_minor
    return found


@OF_EVERY_COMMIT
def test_the_kinds_of_rows_are_of_the_tables_that_there_are(commit: str) -> None:
    assert {kind.table for kind in kinds()} == {spec.table for spec in TABLES[commit]}


@OF_EVERY_COMMIT
def test_tables_of_an_earlier_commit_are_opened_and_are_what_their_changelogs_say(
    commit: str, earlier: dict[str, Copies]
) -> None:
    copies = earlier[commit]
    ends = {place: copy.changelog_offset for place, copy in copies.copies.items()}
    expected = changelogs(commit, ends)
    assert {spec.table for spec in TABLES[commit]} >= {table for table, _ in ends}
    for (table, partition), end in ends.items():
        store = PartitionStore(copies.folder / f"{table}-{partition}.rocks")
        assert store.changelog_offset == end
        rows = dict(store.committed_scan(b""))
        store.close()
        assert rows == expected[table, partition] != {}
    assert expected != changelogs(commit)  # there are later events to be applied


@OF_EVERY_COMMIT
def test_balances_by_the_changelog_are_the_fold_of_the_journal(commit: str) -> None:
    balances: Counter[tuple[str, str]] = Counter()
    for (table, _), rows in changelogs(commit).items():
        if table == "ledger":
            balances.update(balances_by_rows(rows))
    said = {(event.tenant_id, event.account_id): event.balance_minor for event in decoded(commit, "balances")}
    assert +balances == +balances_by_postings(commit) and -balances == -balances_by_postings(commit)
    assert said == {name: balances[name] for name in said} and len(said) > 100


@OF_EVERY_TABLE
@pytest.mark.parametrize("way", ["rows", "columns"])
async def test_todays_stream_goes_on_from_the_tables_of_an_earlier_commit(
    commit: str,
    spec: StreamSpec,
    way: str,
    earlier: dict[str, Copies],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = changelogs(commit)
    for partition in range(SETTINGS[commit].partitions):
        by = spec._replace(columns_from=1 if way == "columns" else 10**9)
        bench = earlier[commit].bench(by, partition, tmp_path)
        applied = applied_by_columns(monkeypatch, type(spec.batch))
        try:
            before = stored(bench)
            await apply(bench, 150)
            rows = stored(bench)
        finally:
            bench.close()
        table = spec.name
        came_to, wanted = newest(table, rows), newest(table, expected[table, partition])
        assert new_rows(table, wanted) == set()
        assert as_kept_earlier(table, came_to) == as_kept_earlier(table, wanted)
        written = {key: row for key, row in rows.items() if row != before.get(key)}
        assert written == newest(table, written) != {}
        assert (sum(applied) > 0) == (way == "columns")


@OF_EVERY_TABLE
async def test_todays_rules_make_of_an_earlier_log_the_same_rows(
    commit: str, spec: StreamSpec, tmp_path: Path
) -> None:
    for partition in range(SETTINGS[commit].partitions):
        bench = bench_of(commit, spec, tmp_path, partition)
        try:
            await apply(bench, 10**4)
            rows = stored(bench)
        finally:
            bench.close()
        wanted = newest(spec.name, changelogs(commit)[spec.name, partition])
        assert new_rows(spec.name, wanted) == set()
        assert as_kept_earlier(spec.name, rows) == as_kept_earlier(spec.name, wanted)


@pytest.mark.parametrize("table", sorted({kind.table for kind in FIXED_WIDTH}))
@pytest.mark.parametrize("way", ["rows", "columns"])
async def test_fixed_rows_of_the_layout_before_are_upgraded_as_they_are_read(
    table: str, way: str, earlier: dict[str, Copies], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in FIXED_WIDTH:
        monkeypatch.setattr(kind, "_upgrades", (*kind._upgrades, bytes))  # the content stays as it is
        monkeypatch.setattr(kind, "layout", kind.layout + 1)
        monkeypatch.setattr(kind, "head", bytes([kind.layout]))
    commit = max(TABLES)
    (spec,) = (spec for spec in TABLES[commit] if spec.table == table)
    await test_todays_stream_goes_on_from_the_tables_of_an_earlier_commit(
        commit, spec, way, earlier, tmp_path, monkeypatch
    )
