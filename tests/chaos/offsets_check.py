"""Whether all that says how far a stream has applied its log says the same, when nothing is under way.

the group's committed offset = <group>-source-offsets = the offset among the rows of the stream's changelog
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.verify.findings import Problem
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import SOURCE_OFFSET
from pipeline.verify.streams import INTAKES, STREAMS

Logs = Mapping[str, Mapping[int, Sequence[Record]]]


class Named(NamedTuple):
    """A stream by the names that its worker uses."""

    stream: str
    log: str


ALL_STREAMS = (
    *(Named(one.table, one.log) for one in STREAMS),
    *(Named(f"intake-{one.log}", one.log) for one in INTAKES),
)


def topics_of(group: str) -> list[str]:
    """Return the topics that are compared, besides the changelogs of tables."""
    return [f"{group}-source-offsets", *(f"{group}-intake-{one.log}-changelog" for one in INTAKES)]


def compare_offsets(group: str, logs: Logs, committed: Mapping[tuple[str, int], int]) -> Iterator[Problem]:
    """Yield what differs. `committed`: the group's offsets."""
    second = f"{group}-source-offsets"
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
