"""A reader of topics that no batch can kill: by its methods confluent-kafka's Consumer, with our own parser.

librdkafka 2.16.0 inflates lz4 without a bound (1 GiB of memory for a batch of 5 MB), gives nothing any more
at a large batch of gzip, and asks for ever for one of zstd that it has refused. So what upstreams wrote is
read by aiokafka with the parser of the streams (`patches.Reading`), in a thread of its own. What cannot be
read is passed over and kept in `skipped`. Ends of logs and committed offsets still come from librdkafka.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as Place
from aiokafka.errors import KafkaError as AiokafkaError
from aiokafka.errors import OffsetOutOfRangeError
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.runtime.connections import aiokafka_of
from pipeline.runtime.kafka import closing, patches
from pipeline.runtime.kafka.fetched import DeadBatch
from pipeline.runtime.kafka.log_ends import offsets_of
from pipeline.runtime.kafka.messages import End, Message, Skipped

logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # a command says what it finds itself

ANSWER_WITHIN_S = 60.0
LOOK_EVERY_S = 0.02
"""An answer without records wakes nobody: the end of a log is seen so late at most."""
WAIT_S = 1.0
"""Records wake who waits for them, so that who asks for no ends need not look so often."""
FETCH_BYTES = 2**22
READ_AHEAD = 5_000
SKIPPED_MAX = 10_000

T = TypeVar("T")


class _Unclosed(AIOKafkaConsumer):
    """Says nothing where a process ends without closing it, as confluent-kafka's does."""

    def __del__(self) -> None:
        """Do nothing."""


class BoundedConsumer:
    """Reads assigned partitions; joins no group and commits nothing. For one thread at a time."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """`settings`: librdkafka's. Raises UnsupportedVersion where aiokafka has another version."""
        patches.install()
        self._about = Consumer({**settings})
        self._connection = aiokafka_of(settings)
        self._isolation = str(settings.get("isolation.level", "read_committed"))
        self._says_ends = str(settings.get("enable.partition.eof", "false")).lower() == "true"
        reset = str(settings.get("auto.offset.reset", "latest"))
        self._reset = {"earliest": "earliest", "error": "none"}.get(reset, "latest")
        self._wait_ms = int(settings.get("fetch.wait.max.ms", 50))
        self._reading = patches.Reading(lambda _: ())
        self._consumer: Any = None
        self._waiting: deque[Message | End] = deque()
        self._at_end: dict[Place, int] = {}
        self.skipped: deque[Skipped] = deque(maxlen=SKIPPED_MAX)
        """What could not be read, the newest ones."""
        self.skipped_count = 0

    # --- what librdkafka knows

    def list_topics(self, *arguments: Any, **named: Any) -> Any:
        """As confluent-kafka's."""
        return self._about.list_topics(*arguments, **named)

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        """As confluent-kafka's, but a partition that has no leader now is waited for."""
        return offsets_of(self._about, place, timeout)

    def committed(self, *arguments: Any, **named: Any) -> Any:
        """As confluent-kafka's."""
        return self._about.committed(*arguments, **named)

    # --- what is read

    def assign(self, places: Iterable[TopicPartition]) -> None:
        """Read these partitions from their offsets on. Raises KafkaException."""
        starts = {Place(place.topic, place.partition): place.offset for place in places}
        self._waiting.clear()
        self._at_end.clear()
        _call(self._assign(starts))

    def unassign(self) -> None:
        """Read nothing any more."""
        self._waiting.clear()
        if self._consumer is not None:
            _call(self._unassign())

    def seek(self, place: TopicPartition) -> None:
        """Go on with one of the partitions elsewhere. Raises KafkaException."""
        target = Place(place.topic, place.partition)
        self._waiting = deque(one for one in self._waiting if one.place != target)
        _call(self._seek(target, place.offset))

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Any]:
        """Return records that have come, ends of partitions among them. Raises KafkaException.

        Waits `timeout` seconds at most, for ever where it is negative.
        """
        if not self._waiting:
            self._waiting.extend(_call(self._take(max(num_messages, 1), timeout), timeout))
        count = min(num_messages, len(self._waiting))
        return [self._waiting.popleft() for _ in range(count)]

    def poll(self, timeout: float = -1) -> Any:
        """Return the next record or end, None where there is none in time. Raises KafkaException."""
        if not self._waiting:
            self._waiting.extend(_call(self._take(READ_AHEAD, timeout), timeout))
        return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """Give back the connections."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with contextlib.suppress(KafkaException):
                _call(closing.stop(consumer))
        self._about.close()

    # --- in the thread of the loop

    async def _assign(self, starts: Mapping[Place, int]) -> None:
        consumer = self._consumer or await self._start()
        consumer.unsubscribe()
        if not starts:
            return
        consumer.assign(list(starts))
        beginning, end = [], []
        for place, offset in starts.items():
            if offset >= 0:
                consumer.seek(place, offset)
            elif offset == OFFSET_BEGINNING or (offset != OFFSET_END and self._reset == "earliest"):
                beginning.append(place)
            else:
                end.append(place)
        if beginning:
            await consumer.seek_to_beginning(*beginning)
        if end:
            await consumer.seek_to_end(*end)

    async def _seek(self, place: Place, offset: int) -> None:
        self._consumer.seek(place, offset)

    async def _start(self) -> Any:
        consumer = _Unclosed(
            **self._connection,
            key_deserializer=self._reading,
            enable_auto_commit=False,
            isolation_level=self._isolation,
            auto_offset_reset=self._reset,
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=self._wait_ms,
        )
        try:
            await consumer.start()
        except BaseException:
            await closing.stop(consumer)
            raise
        self._consumer = consumer
        return consumer

    async def _unassign(self) -> None:
        self._consumer.unsubscribe()

    async def _take(self, count: int, timeout_s: float) -> list[Message | End]:
        consumer, clock = self._consumer, asyncio.get_running_loop().time
        if consumer is None or not consumer.assignment():
            await asyncio.sleep(max(timeout_s, 0.0))
            return []
        until = clock() + timeout_s if timeout_s >= 0 else None
        look_every_s = LOOK_EVERY_S if self._says_ends else WAIT_S
        while True:
            left = look_every_s if until is None else min(look_every_s, max(0.0, until - clock()))
            self._reading.refill()
            try:
                fetched = await consumer.getmany(timeout_ms=int(left * 1_000), max_records=count)
            except OffsetOutOfRangeError as error:
                return [End(place, at, KafkaError._AUTO_OFFSET_RESET) for place, at in error.args[0].items()]
            found: list[Message | End] = []
            for place, records in fetched.items():
                if type(records[-1]) is DeadBatch:
                    self.skipped.append(Skipped(place.topic, place.partition, records.pop()))
                    self.skipped_count += 1
                found += [Message(place, record) for record in records]
            if self._says_ends:
                found += self._ends(consumer)
            if found or (until is not None and clock() >= until):
                return found

    def _ends(self, consumer: Any) -> list[Message | End]:
        """Return the partitions that have come to their end since they were last asked about."""
        found: list[Message | End] = []
        assignment = consumer._subscription.subscription.assignment
        for place in assignment.tps:
            state = assignment.state_value(place)
            if not state.has_valid_position or state.highwater is None:
                continue
            end = state.lso if self._isolation == "read_committed" else state.highwater
            position = state.position
            if position >= end and self._at_end.get(place) != position:
                self._at_end[place] = position
                found.append(End(place, position))
        return found


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop of all readers of the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="bounded readers", daemon=True).start()
    return loop


def _call(work: Coroutine[Any, Any, T], timeout_s: float = 0.0) -> T:
    """Run something in the loop's thread. Raises KafkaException where Kafka cannot be read."""
    waiting = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return waiting.result(None if timeout_s < 0 else ANSWER_WITHIN_S + timeout_s)
    except AiokafkaError as error:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT, _line(error))) from error
    except TimeoutError as error:
        waiting.cancel()
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer from Kafka")) from error
    except BaseException:  # such as Ctrl-C
        waiting.cancel()
        raise


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
