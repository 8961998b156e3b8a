"""Reads logs into databases that keep the offset up to which they contain their log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiokafka import TopicPartition

from pipeline.runtime.kafka.changelog import first_offsets, read


class Reached(Protocol):
    """A database that contains a log up to an offset."""

    @property
    def changelog_offset(self) -> int:
        """The next offset to read."""
        ...

    def write(self, rows: Mapping[bytes, bytes | None], changelog_offset: int | None) -> None:
        """Write rows and the offset in one atomic write."""
        ...


Take = Callable[[TopicPartition, list[Any], int], Awaitable[None]]
"""Called with records and the next offset after them; must write its result together with that offset."""
OnStage = Callable[[str], None]
"""Called with a description of the present step."""
OnProgress = Callable[[int, int], None]
"""Called with the number of offsets read so far and in all."""


class LogCut(RuntimeError):
    """The first records of a log are deleted, so it cannot be read from its beginning."""


async def beginnings(
    connection: Mapping[str, Any], stores: Mapping[TopicPartition, Reached], *, whole: bool = True
) -> dict[TopicPartition, int]:
    """Return the offset at which to start reading each log.

    Raises LogCut where a log that must be `whole` does not have what comes next for its database, whether
    or not people have accepted the loss: a table without those records would be a wrong one.
    """
    first = await first_offsets(connection, list(stores))
    for place, offset in first.items():
        reached = stores[place].changelog_offset
        if whole and offset > reached:
            raise LogCut(
                f"{place.topic}[{place.partition}] begins at offset {offset}: what comes before is gone, and"
                f" a table from {reached} on cannot be made without it"
            )
    return {place: max(store.changelog_offset, first[place]) for place, store in stores.items()}


async def read_logs(
    connection: Mapping[str, Any],
    stores: Mapping[TopicPartition, Reached],
    ends: Mapping[TopicPartition, int],
    take: Take,
    on_progress: OnProgress,
    *,
    whole: bool = True,
) -> int:
    """Read every log from the offset of its store to its end; return the number of records.

    Raises LogCut where a log that must be `whole` is not there from its beginning.
    """
    starts = await beginnings(connection, stores, whole=whole)
    reached, total = dict(starts), sum(ends.values())
    count = 0
    on_progress(sum(reached.values()), total)
    async for place, records, position in read(connection, starts, ends):
        await take(place, records, position)
        reached[place] = position
        count += len(records)
        on_progress(sum(reached.values()), total)
    for place, store in stores.items():
        if starts[place] < ends[place]:
            store.write({}, ends[place])  # only control records are left up to there
    on_progress(total, total)
    return count
