"""Today's fraud stream on the logs and tables of an earlier commit, which decided by other rules.

What that commit decided stands; what it did not is decided by today's rules.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.domain.kernel.rows import row_key
from pipeline.runtime.streams import StreamSpec
from tests.contract.earlier import changelogs
from tests.streams.earlier_rows import Rows
from tests.streams.stream_bench import StreamBench, applied_by_columns
from tests.streams.test_earlier_tables import (
    OF_EVERY_COMMIT,
    SETTINGS,
    TABLES,
    Copies,
    apply,
    bench_of,
    newest,
    stored,
)
from topologies.app import specs
from topologies.configuration import Configuration

TOO_OLD = {row_key("d", "south", payment) for payment in ("p7-351", "p8-220")}
"""Decisions on payments that are 120 days behind their tenant's time.

fa04242 decided about them, and the ledger refused them as too old. Today's stream does so itself, before a
row is looked at.
"""


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Copies]:
    """The tables of every earlier commit, unpacked."""
    return {commit: Copies(commit, tmp_path_factory.mktemp(commit)) for commit in TABLES}


def fraud_of(commit: str) -> StreamSpec:
    (spec,) = (spec for spec in TABLES[commit] if spec.name == "fraud")
    return spec


def of_families(rows: Rows, families: bytes) -> Rows:
    return {key: row for key, row in rows.items() if key[0] in families}


def decided_by(commit: str, partition: int) -> set[bytes]:
    """Return the keys of the decisions that an earlier commit came to, but those that are none today."""
    return set(of_families(changelogs(commit)["fraud", partition], b"d")) - TOO_OLD


@OF_EVERY_COMMIT
async def test_the_fraud_stream_goes_on_from_decisions_of_an_earlier_commit(
    commit: str, earlier: dict[str, Copies], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = fraud_of(commit)
    applied = applied_by_columns(monkeypatch, type(spec.batch))
    for partition in range(SETTINGS[commit].partitions):
        found = []
        for way, least in (("rows", 10**9), ("columns", 1)):
            (tmp_path / way).mkdir(exist_ok=True)
            bench = earlier[commit].bench(spec._replace(columns_from=least), partition, tmp_path / way)
            before = stored(bench)
            await apply(bench, 150)
            found.append(stored(bench))
            bench.close()
        after = found[0]
        assert after == found[1] and sum(applied) > 0
        kept = of_families(before, b"da")
        assert {key: after[key] for key in kept} == kept != {}
        assert set(of_families(after, b"d")) - TOO_OLD == decided_by(commit, partition)
        assert set(of_families(after, b"d")) > set(of_families(before, b"d"))
        judged = {b"f" + key[1:] for key in of_families(after, b"p")}
        profiles = of_families(before, b"f")
        assert of_families(after, b"f") == {key: profiles[key] for key in set(profiles) - judged}
        written = {key: row for key, row in after.items() if row != before.get(key)}
        assert written == newest("fraud", written)


@OF_EVERY_COMMIT
async def test_todays_rules_decide_what_an_earlier_log_has_and_what_it_posted(
    commit: str, tmp_path: Path
) -> None:
    """The payments, and then what the streams beside intake read of other logs from their beginning."""
    every = {spec.name: spec for spec in specs(Configuration(SETTINGS[commit]))}
    for partition in range(SETTINGS[commit].partitions):
        bench = bench_of(commit, every["fraud"], tmp_path, partition)
        await apply(bench, 10**4)
        assert set(of_families(stored(bench), b"d")) - TOO_OLD == decided_by(commit, partition)
        dead, start = bench.dead(), len(bench.log)
        for name in ("intake-accounts-beside", "intake-postings"):
            for key, value in await passed_on(bench_of(commit, every[name], tmp_path, partition)):
                bench.record(value, key)
        beside = bench.log[start:]
        bench.log = beside
        await apply(bench, 10**4)
        assert bench.dead() == dead and len(beside) > 100
        families = {key[:1] for key in stored(bench)}
        assert families >= {b"A", b"p", b"r", b"k", b"n"}
        bench.close()


async def passed_on(bench: StreamBench) -> list[tuple[bytes, bytes]]:
    """Return what an intake stream makes of an earlier log, which had malformed records: keys and values."""
    await apply(bench, 10**4)
    assert {code for _, code in bench.dead()} <= {"malformed_value"}
    return [(key, value) for key, value, *_ in bench.written()["fraud-commands", bench.partition]]
