"""What the consumer's thread says of the batches it hands over."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from pipeline.runtime.transport import Consumer, ConsumerThread

PLACE = TP("accounts", 0)


def thread_with(committed: dict[TP, int | None]) -> ConsumerThread:
    """Return a thread whose consumer knows some committed offsets; nothing is connected."""
    thread = ConsumerThread.__new__(ConsumerThread)
    thread._turn, thread._reached, thread.seeks = asyncio.Lock(), {}, 0

    thread.app = SimpleNamespace(conf=SimpleNamespace(consumer_auto_offset_reset="earliest"))  # type: ignore
    thread.rewound = []  # type: ignore

    async def seek_to_committed() -> dict[TP, int | None]:
        return committed

    async def seek_to_beginning(*places: TP) -> None:
        thread.rewound += places  # type: ignore

    consumer = SimpleNamespace(seek_to_committed=seek_to_committed, seek_to_beginning=seek_to_beginning)
    thread._ensure_consumer = lambda: consumer  # type: ignore
    return thread


def records(*offsets: int) -> list[Any]:
    return [SimpleNamespace(offset=offset) for offset in offsets]


def at(position: int) -> Any:
    return SimpleNamespace(has_valid_position=True, position=position)


async def test_a_batch_starts_where_the_last_one_ended_control_records_included() -> None:
    thread = thread_with({PLACE: 7})
    await thread._seek_to_committed()
    first = thread._handed_over(PLACE, records(7, 8), at(10)).batch
    second = thread._handed_over(PLACE, records(10), at(11)).batch
    assert (first.start, first.end, second.start, second.end) == (7, 10, 10, 11)


async def test_after_a_seek_a_batch_starts_at_the_committed_offset_again() -> None:
    thread = thread_with({PLACE: 7})
    await thread._seek_to_committed()
    dropped = thread._handed_over(PLACE, records(7, 8), at(9))
    await thread._seek_to_committed()
    again = thread._handed_over(PLACE, records(7, 8), at(9))
    assert again.batch.start == 7
    assert dropped.seeks < again.seeks


async def test_a_partition_without_a_committed_offset_is_read_from_its_beginning_after_every_seek() -> None:
    """Not from where an earlier fetch, dropped by a rebalance, had got to: chaos lost 171 records so."""
    other = TP("accounts", 1)
    thread = thread_with({PLACE: None, other: 7})
    await thread._seek_to_committed()
    thread._handed_over(PLACE, records(0, 1), at(2))
    await thread._seek_to_committed()
    assert thread.rewound == [PLACE, PLACE]  # type: ignore
    assert thread._handed_over(PLACE, records(0, 1), at(2)).batch.start is None


async def test_a_committed_offset_of_zero_is_the_beginning_as_none_is() -> None:
    for committed in (None, 0):
        thread = thread_with({PLACE: committed})
        await thread._seek_to_committed()
        assert thread._handed_over(PLACE, records(0), at(1)).batch.start is None


async def test_a_seek_waits_for_records_that_are_being_taken() -> None:
    thread = thread_with({PLACE: 7})
    await thread._turn.acquire()
    seeking = asyncio.create_task(thread._seek_to_committed())
    await asyncio.sleep(0)
    assert not seeking.done() and thread.seeks == 0
    thread._turn.release()
    await seeking
    assert thread.seeks == 1


async def test_fetching_goes_on_as_soon_as_one_of_the_full_streams_has_room() -> None:
    consumer = Consumer.__new__(Consumer)
    consumer._room = asyncio.Event()
    consumer._active_partitions, consumer._buffered_partitions = set(), {PLACE}
    waiting = asyncio.create_task(consumer._wait_for_room())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    consumer.on_buffer_drop(PLACE)
    for _ in range(3):
        await asyncio.sleep(0)
    assert waiting.done()
    assert consumer._get_active_partitions() == {PLACE}
