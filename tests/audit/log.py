"""Logs in memory, as the audits read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pipeline.audit.findings import Finding
from pipeline.runtime.kafka.cluster_log import CommittedRecord, Ends, LogReadError
from tests.simulated_cluster import SimulatedCluster


class MemoryLog:
    """Records by topic and partition; `applied` is what a test says."""

    def __init__(self, partitions: int = 1) -> None:
        self.count = partitions
        self.records: defaultdict[tuple[str, int], list[CommittedRecord]] = defaultdict(list)
        self.reached: dict[str, Ends] = {}
        self.hidden: dict[tuple[str, int], int] = {}
        """Where an open transaction hides what comes, by place."""
        self.reads = 0

    def add(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, offset: int | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> int:  # fmt: skip
        """Append a record; return its offset."""
        log = self.records[topic, partition]
        at = (log[-1].offset + 1 if log else 0) if offset is None else offset
        log.append(CommittedRecord(at, key, value, headers or {}))
        return at

    def begins(self, topic: str) -> Ends:
        """Return where partitions begin."""
        return dict.fromkeys(range(self.count), 0)

    def ends(self, topic: str, *, committed: bool) -> Ends:
        """Return where partitions end."""
        ends = {}
        for number in range(self.count):
            log = self.records[topic, number]
            end = log[-1].offset + 1 if log else 0
            ends[number] = min(end, self.hidden.get((topic, number), end)) if committed else end
        return ends

    def applied(self, topic: str) -> Ends:
        """Return what the streams have committed."""
        return self.reached.get(topic, {})

    def read(self, topic: str, partition: int, start: int, stop: int) -> list[CommittedRecord]:
        """Return the records, all of which must be visible."""
        self.reads += 1
        if stop > self.hidden.get((topic, partition), stop):
            raise LogReadError(f"{topic}[{partition}] is not decided up to {stop}")
        return [one for one in self.records[topic, partition] if start <= one.offset < stop]


class ClusterLog(MemoryLog):
    """The logs of a simulated cluster, which has processed everything."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        super().__init__(cluster.count)
        self.load(cluster)

    def load(self, cluster: SimulatedCluster) -> None:
        """Take what the cluster has now."""
        for (topic, partition), records in list(cluster.records.items()):
            self.records[topic, partition] = [
                CommittedRecord(one.offset, one.key, one.value, one.headers) for one in records
            ]
        for topic in ("ledger-commands", "postings"):
            self.reached[topic] = self.ends(topic, committed=False)


class Reported(list[Finding]):
    """Collects findings."""

    def __call__(self, finding: Finding) -> None:
        self.append(finding)

    @property
    def brief(self) -> list[tuple[Any, ...]]:
        """Invariant, expected and found of each."""
        return [(one.invariant, one.expected, one.found) for one in self]
