"""The checker of the chaos runs: topics, registry and plain arithmetic; it knows nothing of their code.

committed offsets (before) -> outputs and logs -> committed offsets (after) -> inputs -> compare (`judge`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.runtime.avro.connection import Connection
from pipeline.verify.findings import Problem
from pipeline.verify.model.wire import DEAD_LETTERS, UPSTREAM
from pipeline.verify.planted import read_manifests
from pipeline.verify.streams import (
    LOGS,
    OUTPUTS,
    SOURCES,
    STREAMS,
)
from tests.chaos.group_offsets import GroupOffsets
from tests.chaos.judge import Judge, Snapshot
from tests.chaos.log_reader import LogReader, Slice
from tests.chaos.offsets_check import applied_by, compare_offsets, second_of, topics_of


class Checker:
    """Reads a cluster's topics and holds everything against everything."""

    def __init__(
        self,
        kafka: Mapping[str, str],
        registry: Connection,
        group: str,
        view_urls: Sequence[str] = (),
        manifests: Sequence[Path] = (),
        tenants: str = "",
        broker_crashed: bool = False,
    ) -> None:
        """`tenants` is the text of the workers' file of tenants; `broker_crashed`: whether the broker was
        killed before."""
        self._where = (kafka, registry, group)
        self._group = group
        self._view_urls = view_urls
        self._manifests = manifests
        self._tenants = tenants
        self._snapshot = Snapshot({})
        self._read_to: dict[str, dict[int, int]] = {}
        self._judge: Judge | None = None
        self.dead_letters = 0
        """How many the last check has seen."""
        self.offsets = GroupOffsets(broker_crashed)

    def check(self, quiet: bool) -> list[Problem]:
        """Return what is wrong and was not said yet; with `quiet` nothing may be under way, nor missing."""
        reader, snapshot = LogReader(*self._where), self._snapshot
        try:
            found = self.offsets.take(reader.committed(SOURCES))
            before = self.offsets.now
            changelogs = [stream.changelog(self._group) for stream in STREAMS]
            changelogs += topics_of(self._group)
            seen = {name: self._read(reader, name) for name in (*OUTPUTS, *changelogs, *LOGS)}
            snapshot.ends = {(name, at): part.end for name in seen for at, part in seen[name].items()}
            said = reader.committed(SOURCES)
            self._read(reader, second_of(self._group))
            found += self.offsets.take(said, applied_by(self._group, snapshot.logs))
            snapshot.after = self.offsets.now
            inputs = {name: self._read(reader, name) for name in (*UPSTREAM, *LOGS)}
            lost = reader.losses(SOURCES)
            snapshot.unread.update(reader.skipped)
        finally:
            reader.close()
        text = "gone, and nobody has accepted it: up to {}"
        found += [Problem("lost", *gap[:3], text.format(gap.end)) for gap in lost]
        self.dead_letters = sum(map(len, snapshot.logs[DEAD_LETTERS].values()))
        if self._judge is None:
            self._judge = Judge(snapshot, self._group, self._tenants)
        if quiet:
            found += [*_open(seen), *_open(inputs)]
            found += compare_offsets(self._group, snapshot.logs, snapshot.after)
        planted = read_manifests(self._manifests) if quiet else ()
        return found + self._judge.run(before, quiet, planted, self._view_urls)

    def _read(self, reader: LogReader, name: str) -> dict[int, Slice]:
        """Read what has come of a topic since the last time."""
        newer = reader.read(name, self._read_to.get(name))
        logs = self._snapshot.logs.setdefault(name, {})
        for number, part in newer.items():
            logs.setdefault(number, []).extend(part.records)
        self._read_to[name] = {number: part.end for number, part in newer.items()}
        return newer


def _open(topics: Mapping[str, Mapping[int, Slice]]) -> list[Problem]:
    """Say where an open transaction hides records."""
    return [
        Problem("open", name, number, part.end, "an open transaction hides what comes now")
        for name, parts in topics.items()
        for number, part in parts.items()
        if not part.whole
    ]
