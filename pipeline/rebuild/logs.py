"""Reading logs into databases that say how far they contain them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiokafka import TopicPartition

from pipeline.runtime.kafka.changelog import first_offsets, read


class Reached(Protocol):
    """Something that contains a log up to an offset."""

    @property
    def changelog_offset(self) -> int:
        """The next offset to read."""
        ...

    def write(self, rows: Mapping[bytes, bytes | None], changelog_offset: int | None) -> None:
        """Write rows and the offset in one."""
        ...


Take = Callable[[TopicPartition, list[Any], int], Awaitable[None]]
"""Given records and the offset behind them; what they amount to must be written together with that."""
OnStage = Callable[[str], None]
"""Told what is done now."""
OnProgress = Callable[[int, int], None]
"""Told how many offsets of the logs are read, and of how many."""


class LogCut(RuntimeError):
    """A log no longer begins with its first record."""


async def beginnings(
    connection: Mapping[str, Any], stores: Mapping[TopicPartition, Reached], *, whole: bool = True
) -> dict[TopicPartition, int]:
    """Return where each log is to be read from. Raises LogCut, as `read_logs`."""
    first = await first_offsets(connection, list(stores))
    for place, offset in first.items():
        if whole and offset > 0:
            raise LogCut(f"{place.topic}-{place.partition} begins at offset {offset}: its beginning is gone")
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
    """Read every log from what its store contains up to its end; return the number of records.

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
            store.write({}, ends[place])  # what is left up to there are control records
    on_progress(total, total)
    return count
