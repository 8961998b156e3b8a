"""What the consumer's thread says of the batches it hands over."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.runtime.assignments import Tasks
from pipeline.runtime.kafka import consumer_thread
from pipeline.runtime.kafka.consumer_thread import ConsumerThread
from pipeline.runtime.kafka.positions import GroupPositions
from pipeline.runtime.kafka.transport import Consumer
from pipeline.runtime.streams import StreamSpec

PLACE = TP("accounts", 0)


def thread_with(committed: dict[TP, int | None], first: dict[TP, int] | None = None) -> ConsumerThread:
    """Return a thread whose consumer knows committed offsets and where logs begin; nothing is connected."""
    thread = ConsumerThread.__new__(ConsumerThread)
    thread._turn, thread._reached, thread.seeks = asyncio.Lock(), {}, 0
    thread._answers = {}

    thread.app = SimpleNamespace(conf=SimpleNamespace(consumer_auto_offset_reset="earliest"))  # type: ignore
    thread.transport = SimpleNamespace(positions=GroupPositions())  # type: ignore
    thread.sought = []  # type: ignore

    async def seek_to_committed() -> dict[TP, int | None]:
        return dict(committed)

    async def beginning_offsets(places: list[TP]) -> dict[TP, int]:
        return {place: (first or {}).get(place, 0) for place in places}

    async def end_offsets(places: list[TP]) -> dict[TP, int]:
        return dict.fromkeys(places, 20)

    consumer = SimpleNamespace(
        seek_to_committed=seek_to_committed,
        beginning_offsets=beginning_offsets,
        end_offsets=end_offsets,
        seek=lambda place, offset: thread.sought.append((TP(*place), offset)),  # type: ignore
    )
    thread._ensure_consumer = lambda: consumer  # type: ignore
    return thread


def records(*offsets: int) -> list[Any]:
    return [SimpleNamespace(offset=offset) for offset in offsets]


def at(position: int, answered_ms: int | None = None) -> Any:
    """Return aiokafka's state of a partition; `answered_ms`: when the newest answer about it came."""
    ends = {"lso": position, "highwater": position}
    return SimpleNamespace(has_valid_position=True, position=position, timestamp=answered_ms, **ends)


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
    assert thread.sought == [(PLACE, 0), (PLACE, 0)]  # type: ignore
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


class Assignment:
    """aiokafka's assignment of one partition."""

    def __init__(self, position: int, answered_ms: int | None = None) -> None:
        self.tps = [PLACE]
        self.state = at(position, answered_ms)

    def state_value(self, _: Any) -> Any:
        return self.state


async def test_control_records_behind_the_last_batch_count_as_delivered() -> None:
    thread = thread_with({PLACE: 7})
    await thread._seek_to_committed()
    thread._handed_over(PLACE, records(7, 8), at(9))
    thread._note_delivered(Assignment(9))
    assert thread.delivered == {PLACE: (9, 9)}
    thread._note_delivered(Assignment(11))
    assert thread.delivered == {PLACE: (9, 11)}
    await thread._seek_to_committed()
    assert thread.delivered == {}


async def test_where_a_log_ends_was_asked_after_the_answer_before_had_come() -> None:
    thread = thread_with({PLACE: 7})
    thread.delivered = {}
    asked = []
    for answered_ms in (None, 100, 100, 250, 250, 9_000):
        assignment = Assignment(9, answered_ms)
        subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
        thread._consumer = SimpleNamespace(_subscription=subscription)  # type: ignore[assignment]
        thread._note_delivered(assignment)
        state = thread.state_of(PLACE)
        assert state is not None
        asked.append(state.asked_us)
    assert asked == [None, None, None, 100_000, 100_000, 250_000]


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


class LingeringConsumer:
    """What the thread asks of aiokafka's consumer when a log is to gather."""

    def __init__(self) -> None:
        self.paused: set[Any] = set()
        self.assigned = True
        self._fetcher = SimpleNamespace(_records={})
        self._subscription = SimpleNamespace(is_assigned=lambda tp: self.assigned)

    def pause(self, tp: Any) -> None:
        self.paused.add(tp)

    def resume(self, tp: Any) -> None:
        self.paused.remove(tp)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The time that the thread sees, as `now`."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(consumer_thread, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def lingering(seconds: float) -> ConsumerThread:
    thread = thread_with({})
    thread._lingering = {}
    thread.transport.positions.linger_s = lambda topic: seconds  # type: ignore
    return thread


def caught_up(behind: int = 0) -> Any:
    return SimpleNamespace(has_valid_position=True, position=10, lso=10 + behind)


def test_a_log_that_tolerates_delay_is_not_fetched_until_its_time_is_up(clock: Any) -> None:
    thread, consumer = lingering(0.5), LingeringConsumer()
    thread._linger(consumer, PLACE, caught_up())
    assert consumer.paused == {PLACE}
    clock.now += 0.375
    assert thread._end_lingering(consumer, 0.2) == 0.125  # nobody waits for other records longer than that
    assert thread._end_lingering(consumer, 0.1) == 0.1
    assert consumer.paused == {PLACE}
    clock.now += 0.125
    assert thread._end_lingering(consumer, 0.2) == 0.2
    assert consumer.paused == set()


@pytest.mark.parametrize(
    ("seconds", "behind", "more"),
    [(0.0, 0, False), (0.5, consumer_thread.BACKLOG, False), (0.5, 0, True)],
    ids=["tolerates_no_delay", "far_behind", "half_handed_over"],
)
def test_a_log_does_not_linger(clock: Any, seconds: float, behind: int, more: bool) -> None:
    thread, consumer = lingering(seconds), LingeringConsumer()
    if more:
        consumer._fetcher._records[PLACE] = "records that aiokafka would drop"
    thread._linger(consumer, PLACE, caught_up(behind))
    assert consumer.paused == set() and thread._end_lingering(consumer, 0.2) == 0.2


def test_a_log_that_went_to_another_worker_meanwhile_is_forgotten(clock: Any) -> None:
    thread, consumer = lingering(0.5), LingeringConsumer()
    thread._linger(consumer, PLACE, caught_up())
    consumer.assigned = False
    clock.now += 1
    assert thread._end_lingering(consumer, 0.2) == 0.2
    assert thread._lingering == {}


def test_a_log_of_several_streams_lingers_as_long_as_the_least_tolerant_of_them_allows() -> None:
    tasks = Tasks(SimpleNamespace())  # type: ignore[arg-type]
    for name, seconds in (("slow", 0.5), ("quick", 0.25)):
        tasks.add(StreamSpec(name, "postings", None, None, linger_s=seconds))  # type: ignore[arg-type]
    tasks.add(StreamSpec("ledger", "ledger-commands", None, None))  # type: ignore[arg-type]
    assert [tasks.linger_s(log) for log in ("postings", "ledger-commands", "other")] == [0.25, 0.0, 0.0]
