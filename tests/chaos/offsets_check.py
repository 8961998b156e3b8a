"""Whether all that says how far a stream has applied its log says the same, when nothing is under way.

the group's committed offset = <group>-source-offsets = the offset among the rows of the stream's changelog
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.verify.findings import Problem
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import SOURCE_OFFSET
from pipeline.verify.numbers import number_in
from pipeline.verify.streams import READERS, STREAMS

Logs = Mapping[str, Mapping[int, Sequence[Record]]]


class Named(NamedTuple):
    """A stream by the names that its worker uses."""

    stream: str
    log: str


ALL_STREAMS = tuple(Named(stream, log) for log, streams in READERS.items() for stream in streams)


def second_of(group: str) -> str:
    """Return the topic of the streams' offsets."""
    return f"{group}-source-offsets"


def topics_of(group: str) -> list[str]:
    """Return the topics that are compared, besides the changelogs of tables."""
    tables = {one.table for one in STREAMS}
    others = [one.stream for one in ALL_STREAMS if one.stream not in tables]
    return [second_of(group), *(f"{group}-{name}-changelog" for name in others)]


def applied_by(group: str, logs: Logs) -> dict[tuple[str, int], int]:
    """Return up to where each log is applied by all its streams, as <group>-source-offsets says."""
    found: dict[tuple[str, int], int] = {}
    for one in ALL_STREAMS:
        for number, records in logs[second_of(group)].items():
            applied = number_in(_last(records, one.stream.encode()) or b"") or 0
            found[one.log, number] = min(applied, found.get((one.log, number), applied))
    return found


def compare_offsets(group: str, logs: Logs, committed: Mapping[tuple[str, int], int]) -> Iterator[Problem]:
    """Yield what differs. `committed`: the group's offsets."""
    second = second_of(group)
    for one in ALL_STREAMS:
        changelog = f"{group}-{one.stream}-changelog"
        for number, records in logs[changelog].items():
            own = _last(records, SOURCE_OFFSET)
            beside = _last(logs[second][number], one.stream.encode())
            said = committed[one.log, number]
            if not own == beside == (b"%d" % said if said else None):
                text = f"{own!r}, {beside!r} in {second}, and the group has {said} of {one.log}"
                yield Problem("offsets", changelog, number, -1, text)


def _last(records: Sequence[Record], key: bytes) -> bytes | None:
    return next((record.value for record in reversed(records) if record.key == key), None)
