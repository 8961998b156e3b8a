"""Faults of logs: an upstream's open transaction; records that are deleted before any stream has read them.

Each ends as an operator ends it, by the commands that the product names: `transactions abort`, `accept-loss`.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Protocol

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.cli.supervisor import environment
from pipeline.runtime.kafka.rest import RestWatch, places_of
from pipeline.verify.reader import TOPICS
from tests.chaos.keeper import LOOK_EVERY_S, Keeper
from tests.chaos.schedule import Strike
from tests.integration.cluster import ROOT
from tests.progress import run, wait_for

LOG = "payments"
LOST = 10
STANDS_S = 6.0
TIMES_OUT_MS = 5_000
WITHIN_S = 60.0
STOPS = "ledgerflow accept-loss"
NAMES = "chaos-upstream"


class Held(Protocol):
    """What can be told to produce nothing for a while."""

    def hold(self) -> None:
        """Produce nothing more; return once that is so."""

    def release(self) -> None:
        """Go on."""


class LogFaults:
    """Strikes the logs of a cluster."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.load: Held | None = None
        """What is held while a log is cut, so that only what this fault has written is lost."""
        self.see: Callable[[], object] = lambda: None
        """Called before records are deleted: a checker must have read what streams have read."""
        self.cut = False
        """Whether a log has lost records, so that nobody can read it from its beginning any more."""

    def open_transaction(self, strike: Strike) -> None:
        """Let an upstream open a transaction and stand still, until it is aborted or times out."""
        chance, settings = Random(strike.chance), self._keeper.cluster.settings
        place = TopicPartition(LOG, chance.randrange(settings.partitions))
        about = {"transactional.id": NAMES, "transaction.timeout.ms": TIMES_OUT_MS, "log_level": 0}
        upstream = Producer({**settings.librdkafka(), **about})
        upstream.init_transactions(WITHIN_S)
        upstream.begin_transaction()
        upstream.produce(place.topic, b"never committed", b"chaos/upstream", partition=place.partition)
        upstream.flush(WITHIN_S)
        blocked = self._end(place, "read_committed")
        if chance.random() < 0.5:
            time.sleep(STANDS_S / 2)
            self._abort()
        if not self._passes(place, blocked):
            raise AssertionError(
                f"{LOG}[{place.partition}] is held at {blocked} by a transaction that is over"
            )

    def _abort(self) -> None:
        """Abort it by command. Where it timed out before, it must not be listed any more."""
        for producer in self._open():
            try:
                self._command("transactions", "abort", producer, "--reason", "chaos")
            except AssertionError:
                if producer in self._open():
                    raise

    def _open(self) -> list[str]:
        """Return the producers whose transactions of this fault are listed as open."""
        listed = map(json.loads, self._command("transactions", "list", "--json").splitlines())
        return [str(one["producer_id"]) for one in listed if one["transactional_id"] == NAMES]

    def _passes(self, place: TopicPartition, offset: int) -> bool:
        deadline = time.monotonic() + WITHIN_S
        while self._end(place, "read_committed") <= offset:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_EVERY_S)
        return True

    def truncate(self, strike: Strike) -> None:
        """Delete records that came while the workers stood; they must stop, until the loss is accepted."""
        keeper, settings = self._keeper, self._keeper.cluster.settings
        place = TopicPartition(LOG, Random(strike.chance).randrange(settings.partitions))
        if self.load is not None:
            self.load.hold()
        try:
            self._rest()
            self.see()
            said = self._said()
            with keeper.lock:
                wanted, keeper.wanted = keeper.wanted, set()
                for number in list(keeper.cluster.workers):
                    keeper.cluster.terminate(number)
                self._lose(place)
                keeper.wanted = wanted
            self._accept(wanted, said)
        finally:
            if self.load is not None:
                self.load.release()

    def _rest(self) -> None:
        """Wait until the streams have read all that there is."""
        settings = self._keeper.cluster.settings
        watch = RestWatch(settings.librdkafka(), settings.app_id, places_of(TOPICS, settings.partitions))
        wait_for(lambda: watch.look() is None, "rest", lambda: watch.committed)
        watch.close()

    def _lose(self, place: TopicPartition) -> None:
        settings = self._keeper.cluster.settings
        producer = Producer({**settings.librdkafka(), "log_level": 0})
        for number in range(LOST):
            producer.produce(place.topic, b"lost %d" % number, b"chaos/lost", partition=place.partition)
        producer.flush(WITHIN_S)
        end = self._end(place, "read_uncommitted")
        admin = AdminClient({**settings.librdkafka(), "log_level": 0})
        (answer,) = admin.delete_records([TopicPartition(place.topic, place.partition, end)]).values()
        answer.result(WITHIN_S)
        self.cut = True

    def _accept(self, wanted: set[int], said: int) -> None:
        """Do what the worker's last line says. Where all are ready without it, leave that to the judges."""

        def stopped_or_ready() -> str | None:
            if self._said() > said:
                return next(line for line in reversed(self._lines()) if STOPS in line)
            ready = [self._keeper.is_ready(number) for number in sorted(wanted)]
            return "ready" if all(ready) else None

        line = wait_for(stopped_or_ready, "a worker that stops at the loss", lambda: len(self._lines()))
        if line == "ready":
            return
        words = shlex.split(line[line.index(STOPS) :])[1:-1]
        self._command(*words, "chaos has deleted them")
        for number in sorted(wanted):
            self._keeper.wait_ready(number)

    def _lines(self) -> list[str]:
        folder = self._keeper.cluster.settings.data_dir
        return [line for log in sorted(folder.glob("worker-*.log")) for line in log.read_text().splitlines()]

    def _said(self) -> int:
        """Return how often a worker has said that a log has lost records."""
        return sum(STOPS in line for line in self._lines())

    def _command(self, *words: str) -> str:
        """Run a command of the product; return what it has written."""
        given = {**os.environ, **environment(self._keeper.cluster.settings)}
        done = run([sys.executable, "-m", "pipeline.cli", *words], ROOT, given)
        if done.returncode:
            raise AssertionError(f"ledgerflow {' '.join(words)}: {done.stderr}")
        return done.stdout

    def _end(self, place: TopicPartition, isolation: str) -> int:
        about = {"group.id": "chaos", "isolation.level": isolation, "log_level": 0}
        consumer = Consumer({**self._keeper.cluster.settings.librdkafka(), **about})
        try:
            return int(consumer.get_watermark_offsets(place, timeout=WITHIN_S)[1])
        finally:
            consumer.close()
