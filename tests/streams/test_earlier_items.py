"""The desk goes on where the reconciliation of an earlier commit has stopped: on its log and its tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.reconciliation.desk.rows import CLAIMED, NEWEST, Entry, Line, Posting, decode
from pipeline.runtime.streams import StreamSpec
from tests.contract.earlier import commits
from tests.streams.earlier_rows import Rows
from tests.streams.stream_bench import StreamBench, applied_by_columns
from tests.streams.test_earlier_tables import (
    KINDS,
    SETTINGS,
    TABLES,
    Copies,
    apply,
    bench_of,
    decoded,
    stored,
)

OF_EVERY_COMMIT = pytest.mark.parametrize("commit", commits())


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Copies]:
    """The tables of every earlier commit, unpacked."""
    return {commit: Copies(commit, tmp_path_factory.mktemp(commit)) for commit in commits()}


def spec_of(commit: str) -> StreamSpec:
    """Return the stream of reconciliation with the settings of a commit."""
    (spec,) = (spec for spec in TABLES[commit] if spec.name == "reconciliation")
    return spec


def said(bench: StreamBench) -> Iterator[Any]:
    """Yield what the stream has said on reconciliation-results."""
    for place, records in bench.written().items():
        if place[0] == "reconciliation-results":
            for *_, event in bench.decoded({place: records}):
                yield event


def items_of(rows: Rows) -> dict[bytes, Entry]:
    """Return the items by the keys of their rows."""
    kinds: dict[bytes, Any] = {b"o": Posting, b"l": Line}
    return {key: decode(row, kinds[key[:1]]) for key, row in rows.items() if key[:1] in kinds}


def claimed(rows: Rows) -> set[bytes]:
    """Return the keys of items that are matched."""
    return {key for key, item in items_of(rows).items() if item.status == CLAIMED}


async def go_on(bench: StreamBench, before: Rows) -> None:
    """Let the accounts go on that have had items open, as a tick does: some of them got no event any more."""
    accounts = {tuple(key.decode().split("\0")[1:3]) for key in items_of(before)}
    for tenant_id, account_id in sorted(accounts):
        name = f"{tenant_id}/{account_id}"
        event = ev.ReconciliationContinued(f"on {name}", tenant_id, 0, name, None, account_id)
        start = len(bench.log)
        bench.of(event)
        await bench.accept(*bench.log[start:])
    await bench.settled()


def assert_readable(rows: Rows) -> None:
    """Every row that has a layout is read in its newest one."""
    for key, row in rows.items():
        kind = KINDS.get(("reconciliation", chr(key[0])))
        assert kind is None or kind.current(row)


@OF_EVERY_COMMIT
async def test_the_desk_takes_over_the_rows_of_an_earlier_commit_and_says_nothing_twice(
    commit: str, earlier: dict[str, Copies], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(commit)
    applied = applied_by_columns(monkeypatch, type(spec.batch))
    for partition in range(SETTINGS[commit].partitions):
        came_to = []
        for way, columns_from in (("rows", 10**9), ("columns", 1)):
            (tmp_path / way).mkdir(exist_ok=True)
            bench = earlier[commit].bench(spec._replace(columns_from=columns_from), partition, tmp_path / way)
            try:
                before = stored(bench)
                await apply(bench, 150)
                await go_on(bench, before)
                after, told = stored(bench), list(said(bench))
                dead = bench.dead()
            finally:
                bench.close()
            came_to.append((after, told))
            assert dead == []
            assert_readable(after)
            assert claimed(before) <= claimed(after)
            matched = [event for event in told if isinstance(event, ev.ItemMatched)]
            postings = {
                f"o\0{event.tenant_id}\0{event.account_id}\0{one}".encode()
                for event in matched
                for one in event.posting_ids
            }
            assert len(matched) > 10 and not postings & claimed(before)
            waited = [key for key, item in items_of(before).items() if item.status != CLAIMED]
            items = items_of(after)
            assert waited and {items[key].form for key in waited} == {NEWEST}
        assert came_to[0] == came_to[1]
    assert sum(applied) > 0


@OF_EVERY_COMMIT
async def test_the_desk_makes_of_an_earlier_log_at_least_its_matches_by_reference(
    commit: str, tmp_path: Path
) -> None:
    earlier_matches = {
        (event.statement_id, event.line_no): event.posting_ids
        for event in decoded(commit, "reconciliation-results")
        if isinstance(event, ev.ItemMatched) and event.tier == "REFERENCE"
    }
    found = {}
    for partition in range(SETTINGS[commit].partitions):
        bench = bench_of(commit, spec_of(commit), tmp_path, partition)
        try:
            await apply(bench, 10**4)
            assert_readable(stored(bench))
            for event in said(bench):
                if isinstance(event, ev.ItemMatched):
                    found[event.statement_id, event.line_no] = event.posting_ids
        finally:
            bench.close()
    assert len(earlier_matches) > 10
    assert {place: found.get(place) for place in earlier_matches} == earlier_matches
