"""Counts what goes through the topics: committed records, money in flight, and the streams' lag.

A thread reads every counted topic. Offsets and counts are saved together in the data directory
(`counts.json`), so the next `up` continues to count from there.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from pipeline.cli import news
from pipeline.cli.endpoints import write_json
from pipeline.cli.news import News
from pipeline.cli.records import as_record
from pipeline.cli.tally import EVENTS_IN, Tally
from pipeline.runtime.kafka.bounded import BoundedConsumer
from pipeline.runtime.kafka.log_ends import asking, begins, ends
from pipeline.runtime.kafka.rest import RestWatch, places_of
from pipeline.runtime.kafka.topics import INVARIANT_ALERTS, READ, UPSTREAM
from pipeline.runtime.settings import Settings
from pipeline.verify.decode import Decoder, Event
from pipeline.verify.streams import READERS

POSTINGS, BALANCES = "postings", "balances"
LOGS = tuple(topic for topic in READ if topic not in UPSTREAM)
"""Topics that are written by one stream and read by another."""
COUNTED = (
    *(*EVENTS_IN, POSTINGS, "payment-events", "reconciliation-results", "fraud-alerts", "payment-alerts"),
    *("journal-events", INVARIANT_ALERTS, "dead-letters"),
)
TAILED = (*COUNTED, BALANCES)
CLEARING = b"/$clearing:"
LOOK_EVERY_S = 0.25
LAG_EVERY_S = 1.0
SAVE_EVERY_S = 5.0
REQUEST_WITHIN_S = 5.0
BATCH_MAX = 10_000
NO_ANSWER = (KafkaException, TimeoutError)


def _is_customers_posting(message: Any) -> bool:
    """Return whether a record is a posting or hold of an account that is not internal to the ledger."""
    return message.topic() == POSTINGS and b"/$" not in (message.key() or b"")


class TopicCounter:
    """Counts the records of topics in a thread of its own, from `start` to `stop`."""

    def __init__(self, settings: Settings, decoder: Decoder, state_path: Path | None) -> None:
        self._settings = settings
        self._decoder = decoder
        self._state_path = state_path
        self._consumer = BoundedConsumer(
            {
                **settings.librdkafka(),
                "group.id": f"{settings.app_id}-counts",  # the client requires one; nothing is committed
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "log_level": 0,
            }
        )
        # The streams' group is asked for its offsets through a consumer that never joins it. The admin client
        # would crash the process where the broker is silent: see tests/project/test_admin_calls.py.
        self._streams = asking(settings.librdkafka(), settings.app_id, committed=False)
        self._positions: dict[tuple[str, int], int] = {}
        self._read: dict[tuple[str, int], int] = {}
        """The furthest offsets that the streams' group has said; a broker that crashed may say older ones."""
        self._tally = Tally()
        self._accounts: set[int] = set()
        self._accounts_before = 0  # of earlier runs: shown until as many are read again
        self._clearing: dict[bytes, tuple[str, int]] = {}
        self._news: deque[News] = deque(maxlen=news.KEPT)
        self._last_posting = ""
        self._idle = False
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        """Start to count. Raises KafkaException where the cluster does not answer."""
        self._load()
        reached = self._end_offsets(TAILED)
        if any(offset > reached.get(place, 0) for place, offset in self._positions.items()):
            self._forget()  # the saved counts are of another cluster
        beginnings = begins(self._streams, reached, REQUEST_WITHIN_S)
        for place, first in beginnings.items():
            if 0 < self._positions.get(place, 0) < first:
                self._say_gap(*place, self._positions[place], first)
        starts = {place: max(self._positions.get(place, 0), first) for place, first in beginnings.items()}
        self._consumer.assign([TopicPartition(*place, start) for place, start in starts.items()])
        self._thread.start()

    def tally(self) -> Tally:
        """Return the counts so far."""
        with self._lock:
            tally = self._tally
            sums: Counter[str] = Counter()
            for currency, balance in self._clearing.values():
                sums[currency] += balance
            return Tally(
                Counter(tally.records),
                tally.breaks_opened,
                tally.breaks_resolved,
                max(len(self._accounts), self._accounts_before),  # none ever goes
                {currency: abs(total) for currency, total in sorted(sums.items()) if total},
                tally.lag,
                tuple(self._news),
                self._last_posting,
            )

    @property
    def idle(self) -> bool:
        """Whether the last fetch brought no record: everything is counted."""
        return self._idle

    def rest_watch(self) -> RestWatch:
        """Return a watch over every partition that is read or counted; it raises the errors in NO_ANSWER."""
        settings = self._settings
        topics = dict.fromkeys((*TAILED, *LOGS))
        places = places_of(tuple(topics), settings.partitions)
        asked = settings.librdkafka(), settings.app_id, places
        return RestWatch(*asked, within_s=REQUEST_WITHIN_S, readers=READERS)

    def standstill(self, within_s: float) -> Callable[[], bool]:
        """Return a function, to be called often: has nothing been counted for `within_s` seconds?"""
        counted, counted_at = self.tally().records, time.monotonic()

        def stands() -> bool:
            nonlocal counted, counted_at
            if (later := self.tally().records) != counted:
                counted, counted_at = later, time.monotonic()
            return time.monotonic() - counted_at > within_s

        return stands

    def stop(self) -> Tally:
        """Stop counting, save offsets and counts, return the counts."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._consumer.close()
        self._streams.close()
        return self.tally()

    def _run(self) -> None:
        lag_at = saved_at = 0.0
        while not self._stopped.is_set():
            try:
                self._take()
                now = time.monotonic()
                if now - lag_at >= LAG_EVERY_S:
                    lag_at = now
                    self._tally.lag = self._lag()
                if now - saved_at >= SAVE_EVERY_S:
                    saved_at = now
                    self._save()
            except NO_ANSWER:  # the supervision of Kafka notices if it has died
                self._stopped.wait(LOOK_EVERY_S)
        self._save()

    def _take(self) -> None:
        """Fetch records and count them."""
        messages = self._consumer.consume(BATCH_MAX, LOOK_EVERY_S)
        self._idle = not messages
        with self._lock:
            for message in messages:
                if (error := message.error()) is not None:
                    if error.code() == KafkaError._AUTO_OFFSET_RESET:
                        self._skip_gap(message.topic(), message.partition())
                    continue
                taken: Any = (message.topic(), message.partition(), message.offset())
                topic, partition, offset = taken
                self._positions[topic, partition] = offset + 1
                if topic == BALANCES:
                    self._take_balance(message)
                    continue
                self._tally.records[topic] += 1
                if topic == "reconciliation-results":
                    name = getattr(self._event(message), "name", None)
                    self._tally.breaks_opened += name == "BreakOpened"
                    self._tally.breaks_resolved += name == "BreakResolved"
            self._note([message for message in messages if message.error() is None])

    def _skip_gap(self, topic: str, partition: int) -> None:
        """Go on where a log begins now: what comes next was deleted before it was counted."""
        place = TopicPartition(topic, partition)
        first, _ = self._consumer.get_watermark_offsets(place, timeout=REQUEST_WITHIN_S)
        self._say_gap(topic, partition, self._positions.get((topic, partition), 0), first)
        self._consumer.seek(TopicPartition(topic, partition, first))

    def _say_gap(self, topic: str, partition: int, position: int, first: int) -> None:
        text = f"{topic}[{partition}]: offsets {position} to {first - 1} are gone, and are not counted"
        self._news.append(News(int(time.time() * 1000), "gap", text))

    def _note(self, messages: list[Any]) -> None:
        """Keep news for the dashboard; of many records only the last ones are decoded."""
        for message in [message for message in messages if message.topic() in news.TOPICS][-news.LOOKED_AT :]:
            told = news.news_of(as_record(message), self._event(message))
            if told is not None:
                self._news.append(told)
        newest = next((message for message in reversed(messages) if _is_customers_posting(message)), None)
        if newest is not None and (event := self._event(newest)) is not None:
            self._last_posting = news.posting_line(event) or self._last_posting

    def _take_balance(self, message: Any) -> None:
        key: bytes = message.key() or b""
        if b"/$" not in key:
            self._accounts.add(hash(key))
        elif CLEARING in key and (event := self._event(message)) is not None:
            currency, balance = event.fields.get("currency"), event.fields.get("balance_minor")
            if isinstance(currency, str) and isinstance(balance, int):  # anyone may write another schema
                self._clearing[key] = (currency, balance)

    def _event(self, message: Any) -> Event | None:
        try:
            return self._decoder.decode(message.value())
        except Exception:  # the registry does not answer: go on without this event, the thread must not end
            return None

    def _lag(self) -> int:
        reached = self._end_offsets((*EVENTS_IN, *LOGS))
        asked = [TopicPartition(*place) for place in reached]
        found = self._streams.committed(asked, timeout=REQUEST_WITHIN_S)
        for one in found:
            place = one.topic, one.partition
            self._read[place] = max(one.offset, self._read.get(place, 0))
        return sum(max(0, end - self._read.get(place, 0)) for place, end in reached.items())

    def _end_offsets(self, topics: tuple[str, ...]) -> dict[tuple[str, int], int]:
        return ends(self._streams, places_of(topics, self._settings.partitions), REQUEST_WITHIN_S)

    def _load(self) -> None:
        """Load offsets and counts of the last run. Balances are always read from the start for their keys."""
        try:
            state = json.loads(self._state_path.read_text()) if self._state_path is not None else {}
            for topic, offsets in state["offsets"].items():
                for partition, offset in offsets.items():
                    self._positions[topic, int(partition)] = int(offset)
            self._tally.records.update({topic: int(count) for topic, count in state["records"].items()})
            self._tally.breaks_opened = int(state["breaks_opened"])
            self._tally.breaks_resolved = int(state["breaks_resolved"])
            self._accounts_before = int(state.get("accounts", 0))  # earlier versions did not save it
        except (OSError, ValueError, KeyError, AttributeError):
            self._forget()

    def _forget(self) -> None:
        self._positions.clear()
        self._tally = Tally()
        self._accounts_before = 0

    def _save(self) -> None:
        if self._state_path is None:
            return
        offsets: dict[str, dict[str, int]] = {}
        for (topic, partition), offset in self._positions.items():
            if topic != BALANCES:
                offsets.setdefault(topic, {})[str(partition)] = offset
        tally = self._tally
        state = {
            "offsets": offsets,
            "records": dict(tally.records),
            "breaks_opened": tally.breaks_opened,
            "breaks_resolved": tally.breaks_resolved,
            "accounts": self.tally().accounts,
        }
        with contextlib.suppress(OSError):  # the records are only counted again
            write_json(self._state_path, state)
