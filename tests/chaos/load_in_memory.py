"""A load that the product's rules process in memory, as the checker reads it: no Kafka, every event."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import fastavro
import pytest

import tests.simulated_cluster
from pipeline.domain.tenants.settings import parse_tenants
from pipeline.loadgen import history
from tests.chaos.checker import INPUTS, LOGS, OUTPUTS, SOURCES, STREAMS, Comparison
from tests.chaos.hostile import NEWEST, damaged, event_of
from tests.chaos.log_reader import Record, Schemas, Slice, is_raw, plain
from tests.chaos.planted import read_planted
from tests.chaos.side_by_side import WrittenRows
from tests.chaos.tenants_model import Tenants
from tests.simulated_cluster import BY_ID, SimulatedCluster, simulate

NOW_US = 1_790_000_000_000_000
PARTITIONS = 2
GROUP = "ledgerflow"
Topics = dict[str, dict[int, list[Record]]]


class Catalogue(Schemas):
    """The checker's decoder with the schemas of the catalogue instead of a registry's."""

    def _fetch(self, schema_id: int) -> Any:
        known = BY_ID.get(schema_id)
        return None if known is None else fastavro.parse_schema(plain(json.loads(known.text)))


def processed(folder: Path, payments: int) -> tuple[Topics, Path]:
    """Return all topics, with changelogs, and the manifest of a load with everything planted."""
    manifest = folder / "planted.jsonl"
    return topics_of(simulated(manifest, payments)), manifest


def simulated(manifest: Path, payments: int, tenants: str = "") -> SimulatedCluster:
    """Run a load with everything planted, under a file of tenants; its rows remember what was written."""
    plan = history(11, payments, NOW_US, accounts=60, malformed_pct=5.0, partitions=PARTITIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tests.simulated_cluster, "MemoryRows", WrittenRows)
        return simulate(plan, manifest, tenants=parse_tenants(tenants))


def strike(cluster: SimulatedCluster, chance: Random) -> None:
    """Produce a burst of hostile input and let it be processed."""
    decoder = Catalogue("")
    for topic in INPUTS:
        records = [
            made for number in range(cluster.count) for made in cluster.records[topic, number][-NEWEST:]
        ]
        events = [event_of(decoder, topic, made.value) for made in records]
        for sent in damaged([event for event in events if event is not None], chance, cluster.count):
            cluster.append(sent.topic, sent.partition, sent.key, sent.value)
        cluster.process()


def topics_of(cluster: SimulatedCluster) -> Topics:
    """Return the topics of a cluster as the checker reads them."""
    decode = Catalogue("").decode
    found: Topics = {}
    numbers = range(cluster.count)
    for name in (*SOURCES, *OUTPUTS):
        found[name] = {number: [] for number in numbers}
        for number in numbers:
            for made in cluster.records[name, number]:
                place = (name, number, made.offset, cluster.recorded_at // 1000)
                decoded = (None, {}, None) if is_raw(name) else decode(made.value)
                record = Record(*place, made.key, made.value, dict(made.headers), *decoded)
                found[name][number].append(record)
    for stream in STREAMS:
        name = stream.changelog(GROUP)
        found[name] = {number: [] for number in numbers}
        for number in numbers:
            rows = cluster.rows[stream.table, number]
            assert isinstance(rows, WrittenRows)
            found[name][number] = [
                Record(name, number, offset, 0, key, value, {}, None, {}, None)
                for offset, (key, value) in enumerate(rows.written)
            ]
    return found


def problems(topics: Topics, manifest: Path | None, tenants: str = "") -> list[str]:
    """Return what the checker finds; without a manifest it asks nothing of what was planted."""
    slices = {
        name: {number: Slice(log, log[-1].offset + 1 if log else 0, True) for number, log in parts.items()}
        for name, parts in topics.items()
    }
    ends = {(name, number): part.end for name in SOURCES for number, part in slices[name].items()}
    changelogs = [stream.changelog(GROUP) for stream in STREAMS]
    seen = {name: slices[name] for name in (*OUTPUTS, *LOGS, *changelogs)}
    inputs = {name: slices[name] for name in (*INPUTS, *LOGS)}
    planted = read_planted([] if manifest is None else [manifest])
    found = Comparison(seen, inputs, ends, ends, True, GROUP, Tenants(tenants)).run(planted, ())
    return list(map(str, found))
