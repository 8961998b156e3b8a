"""A load that the product's rules process in memory, as the checker reads it: no Kafka, every event."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

import tests.simulated_cluster
from pipeline.domain.tenants.settings import parse_tenants
from pipeline.loadgen import history
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import SOURCE_OFFSET, UPSTREAM
from pipeline.verify.planted import read_manifests
from pipeline.verify.streams import OUTPUTS, SOURCES, STREAMS
from tests.chaos.fraud_town import FraudTown
from tests.chaos.hostile import NEWEST, damaged, event_of
from tests.chaos.judge import FirstProblem, Judge, Problems, Snapshot, Wrong
from tests.chaos.log_reader import is_raw
from tests.chaos.side_by_side import WrittenRows
from tests.simulated_cluster import ENCODE, SimulatedCluster, decoder, simulate

NOW_US = 1_790_000_000_000_000
PARTITIONS = 2
GROUP = "ledgerflow"
Topics = dict[str, dict[int, list[Record]]]


class RecordByRecord(SimulatedCluster):
    """Writes a row once for a record, as the streams do: what it was in between is in no changelog."""

    def _apply(self, record: Any, name: str, stream: Any) -> None:
        written = self.written(name, record.partition)
        before = len(written)
        super()._apply(record, name, stream)
        written[before:] = dict(written[before:]).items()

    def written(self, name: str, partition: int) -> list[tuple[bytes, bytes | None]]:
        """Return what a stream has written to its rows so far."""
        rows = self.rows[name, partition]
        assert isinstance(rows, WrittenRows)
        return rows.written


def processed(folder: Path, payments: int, town: bool = False) -> tuple[Topics, Path]:
    """Return all topics, with changelogs, and the manifest of a load with everything planted."""
    manifest = folder / "planted.jsonl"
    return topics_of(simulated(manifest, payments, town=town)), manifest


def simulated(
    manifest: Path,
    payments: int,
    tenants: str = "",
    town: bool = False,
    cluster: Callable[..., RecordByRecord] = RecordByRecord,
) -> SimulatedCluster:
    """Run a load with everything planted, under a file of tenants; its rows remember what was written.

    `town`: beside it there are labels, publications and all else that decides payments; `cluster`: makes it.
    """
    plan = history(11, payments, NOW_US, accounts=60, malformed_pct=5.0, partitions=PARTITIONS)
    beside = FraudTown(plan, ENCODE) if town else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tests.simulated_cluster, "MemoryRows", WrittenRows)
        patch.setattr(tests.simulated_cluster, "SimulatedCluster", cluster)
        return simulate(plan, manifest, tenants=parse_tenants(tenants), beside=beside)


def strike(cluster: SimulatedCluster, chance: Random) -> None:
    """Produce a burst of hostile input and let it be processed."""
    decode = decoder()
    for topic in UPSTREAM:
        records = [
            made for number in range(cluster.count) for made in cluster.records[topic, number][-NEWEST:]
        ]
        events = [event_of(decode, topic, made.value) for made in records]
        for sent in damaged([event for event in events if event is not None], chance, cluster.count):
            cluster.append(sent.topic, sent.partition, sent.key, sent.value)
        cluster.process()


def topics_of(cluster: SimulatedCluster) -> Topics:
    """Return the topics of a cluster as the checker reads them."""
    read = decoder().read
    found: Topics = {}
    numbers = range(cluster.count)
    for name in (*SOURCES, *OUTPUTS):
        found[name] = {number: [] for number in numbers}
        for number in numbers:
            for made in cluster.records[name, number]:
                place = (name, number, made.offset, cluster.recorded_at // 1000)
                decoded = (None, {}, None) if is_raw(name) else read(made.value)
                record = Record(*place, made.key, made.value, dict(made.headers), *decoded)
                found[name][number].append(record)
    for stream in STREAMS:
        name = stream.changelog(GROUP)
        found[name] = {number: [] for number in numbers}
        for number in numbers:
            rows = cluster.rows[stream.table, number]
            assert isinstance(rows, WrittenRows)
            log = found[stream.log][number]
            applied = [(SOURCE_OFFSET, b"%d" % (log[-1].offset + 1))] if log else []
            found[name][number] = [
                Record(name, number, offset, 0, key, value, {}, None, {}, None)
                for offset, (key, value) in enumerate([*rows.written, *applied])
            ]
    return found


def problems(topics: Topics, manifest: Path | None, tenants: str = "") -> list[str]:
    """Return what the checker finds; without a manifest it asks nothing of what was planted."""
    return _judged(topics, manifest, tenants, Problems())


def first_problem(topics: Topics, manifest: Path | None) -> str | None:
    """Return the first problem that the checker comes upon, where it stops, or None."""
    try:
        found = _judged(topics, manifest, "", FirstProblem())
    except Wrong as wrong:
        return str(wrong)
    assert found == []
    return None


def _judged(topics: Topics, manifest: Path | None, tenants: str, into: Problems) -> list[str]:
    ends = {
        (name, number): log[-1].offset + 1 if log else 0
        for name in topics
        for number, log in topics[name].items()
    }
    after = {place: end for place, end in ends.items() if place[0] in SOURCES}
    judge = Judge(Snapshot(topics, ends, after), GROUP, tenants, into)
    planted = read_manifests([] if manifest is None else [manifest])
    return list(map(str, judge.run(after, True, planted)))
