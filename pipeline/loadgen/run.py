"""Produce a plan to a cluster: accounts, then traffic at a rate, then the last statements.

    plan = history(seed=7, count=10_000, now=now)
    report = run(plan, settings.librdkafka(), settings.registry(), manifest_path=path)

Accounts must have reached the ledger before payments use them, and they travel by another topic. So the run
waits after the accounts until their balances appear. If none appears for `await_accounts_s`, probably no
worker runs, and the run continues: then some payments may find no account, and planted outcomes may differ.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.loadgen.encoder import LoadError, registry_encoder, registry_reader
from pipeline.loadgen.gateway_calls import calls
from pipeline.loadgen.gateway_client import GatewayAccess, GatewayClient
from pipeline.loadgen.generator import TrafficGenerator
from pipeline.loadgen.hearing import Hearing
from pipeline.loadgen.manifest import LoadManifest
from pipeline.loadgen.patience import Acknowledgements, patiently
from pipeline.loadgen.people import HEARS_OF
from pipeline.loadgen.plan import LoadPlan, PlantedItem, Produce
from pipeline.loadgen.report import LoadReport
from pipeline.loadgen.watches import BalanceWatch, Hearer, PaymentWatch
from pipeline.runtime.avro.connection import Connection
from pipeline.runtime.kafka.own_offsets import Readers
from pipeline.runtime.kafka.rest import RestWatch, places_of, wait_for_rest
from pipeline.runtime.kafka.topics import READ

REQUEST_TIMEOUT_S = 30.0
FLUSH_TIMEOUT_S = 150.0
"""Longer than the client's own delivery timeout."""
QUIET_S = 2.0
QUIET_TIMEOUT_S = 300.0
"""How long the end waits for the streams to catch up, so that items that only arrive late open no break."""
PROGRESS_S = 0.25
COUNTS_S = 5.0


OnProgress = Callable[[LoadReport], None]


def run(
    plan: LoadPlan,
    connection: Mapping[str, str],
    registry: Connection,
    rate: float | None = None,
    duration: float | None = None,
    manifest_path: Path | None = None,
    on_progress: OnProgress | None = None,
    stop: threading.Event | None = None,
    await_accounts_s: float = 15.0,
    group: str = "ledgerflow",
    streams_within_s: float = QUIET_TIMEOUT_S,
    readers: Readers | None = None,
    gateway: GatewayAccess | None = None,
) -> LoadReport:
    """Carry out a plan and return what was done.

    `connection` is the connection part of a librdkafka configuration, `registry` that of the registry's
    client. `rate`: ordinary payments a second (None: as fast as it goes). After `duration` seconds, or when
    `stop` is set, the run ends in good order, with the last statements. `group`: the streams' consumer group
    (the settings' app_id), whose progress says when they have caught up; at the end they are waited for as
    long as they get on within `streams_within_s`. `readers`: the streams of each log, who know better than
    the group after a crash of the broker. `gateway`: it is called, too, in the plan's first tenant. Raises
    LoadError, OSError for the manifest.
    """
    ends = stop or threading.Event()
    loader = Loader(
        plan, dict(connection), registry, manifest_path, on_progress, ends, group, readers, gateway
    )
    try:
        loader.open(await_accounts_s)
        loader.traffic(rate, duration)
        return loader.finish(streams_within_s)
    except KafkaException as error:
        raise LoadError(f"Kafka: {error.args[0].str()}") from error
    finally:
        loader.close()


class Loader:
    """One run against a cluster."""

    def __init__(
        self,
        plan: LoadPlan,
        connection: dict[str, str],
        registry: Connection,
        manifest_path: Path | None,
        on_progress: OnProgress | None,
        stop: threading.Event,
        group: str,
        readers: Readers | None,
        gateway: GatewayAccess | None,
    ) -> None:
        self._connection = connection
        self._readers = readers
        self._stop = stop
        self._producer = Producer(
            {
                **connection,
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "batch.size": 262_144,
                "log_level": 0,  # else a line for each connection that fails: hundreds in an outage
                "queue.buffering.max.messages": 200_000,
            }
        )
        self._acknowledgements = Acknowledgements(self._producer, stop)
        plan = replace(plan, partitions=self._partitions("payments"))
        self._is_endless = plan.count is None
        self._planted: dict[int, PlantedItem] = {}
        self._traffic = TrafficGenerator(plan, registry_encoder(registry), self._planted)
        self._traffic.people.read = registry_reader(registry, HEARS_OF)
        self._gateway = None
        if gateway is not None:
            made = calls(plan.seed, lambda: self._traffic.is_live)
            self._gateway = GatewayClient(gateway, plan.tenants[0], made, stop)
        self._manifest = LoadManifest(manifest_path, plan) if manifest_path is not None else None
        self._manifest_path = manifest_path
        self._on_progress = on_progress
        self._group = group
        self._records: Counter[str] = Counter()
        self._failed = 0
        self._first_error = ""
        self._started = time.monotonic()
        self._shown = self._counted = self._started

    def open(self, await_accounts_s: float) -> None:
        """Close the last period, open the accounts and wait until the ledger has them."""
        self._produce_all(self._traffic.periods())
        accounts = list(self._traffic.opening())
        with BalanceWatch(self._connection, self._partitions("balances")) as watch:
            self._produce_all(accounts)
            self._flush()
            waiting = {produce.key for produce in accounts if produce.key is not None}
            watch.wait_for(waiting, await_accounts_s, self._stop, self._show)
        if self._traffic.tells_stories:
            # A first balance does not show that freezes, limits and the closed period are applied, too.
            self._await_streams(await_accounts_s)

    def traffic(self, rate: float | None, duration: float | None) -> None:
        """Produce the traffic at `rate` payments per second, until it ends, `duration` seconds or a stop."""
        with ExitStack() as opened:
            if self._gateway is not None:
                opened.enter_context(self._gateway)
            if not self._is_endless:
                return self._steps(rate, duration, lambda: 0.0)
            hearing = opened.enter_context(Hearing(self._traffic, self._watch, self._stop))
            self._steps(rate, duration, lambda: hearing.hear(self._waits))

    def _watch(self, topic: str, awaited: Hearer) -> PaymentWatch:
        return PaymentWatch(self._connection, topic, self._partitions(topic), awaited)

    def _waits(self) -> None:
        self._producer.poll(0)
        self._show()

    def _steps(self, rate: float | None, duration: float | None, hear: Callable[[], float]) -> None:
        begun = time.monotonic()
        for produce in self._traffic.steps():
            self._produce(produce)
            begun += hear() + self._acknowledgements.wait()
            if self._gateway is not None:
                self._gateway.require_expected()
            now = time.monotonic()
            if rate:
                ahead = begun + self._traffic.payments / rate - now
                if ahead > 0.002:
                    self._producer.poll(0)
                    self._stop.wait(ahead)
            if self._stop.is_set() or (duration is not None and now - begun > duration):
                return

    def finish(self, streams_within_s: float) -> LoadReport:
        """Produce the end of the run; return the report. Raises LoadError for records not delivered."""
        self._produce_all(self._traffic.closing())
        self._flush()
        are_at_rest = self._await_streams(streams_within_s)
        for part in chain(self._traffic.rounds(), self._traffic.falling_due()):
            self._produce_all(part)
            self._flush()
            are_at_rest = are_at_rest and self._await_streams(streams_within_s)
        if self._failed:
            raise LoadError(f"Kafka did not accept {self._failed} records: {self._first_error}")
        report = self._report(done=True)
        if self._manifest is not None:
            self._manifest.counts(self._records, report.payments, report.failed, True)
        if self._on_progress is not None:
            self._on_progress(report)
        return report

    def close(self) -> None:
        """Drop records that are not delivered yet and close the manifest."""
        self._producer.purge()
        self._producer.flush(1.0)
        if self._manifest is not None:
            self._manifest.close()

    def _await_streams(self, timeout_s: float) -> bool:
        """Wait until the streams have caught up, as long as they get on; return whether they have."""
        places = places_of(READ, self._partitions("payments"))
        with closing(RestWatch(self._connection, self._group, places, readers=self._readers)) as watch:
            waits = partial(wait_for_rest, watch, QUIET_S, timeout_s, self._show)
            return patiently(waits, self._stop) is None

    def _partitions(self, topic: str) -> int:
        try:
            asked = partial(self._producer.list_topics, topic, timeout=REQUEST_TIMEOUT_S)
            about = patiently(asked, self._stop).topics[topic]
        except KafkaException as error:
            raise LoadError(f"Kafka does not answer: {error.args[0].str()}") from error
        if about.error is not None or not about.partitions:
            raise LoadError(f"there is no topic {topic}: create the topics first")
        return len(about.partitions)

    def _produce_all(self, produces: Iterable[Produce]) -> None:
        for produce in produces:
            self._produce(produce)

    def _produce(self, produce: Produce) -> None:
        on_delivery: Any = self._delivered
        if produce.planted:
            on_delivery = partial(self._delivered, numbers=produce.planted)
        more: dict[str, Any] = {} if produce.partition is None else {"partition": produce.partition}
        while True:
            try:
                self._producer.produce(
                    produce.topic, produce.value, produce.key, on_delivery=on_delivery, **more
                )
                break
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise LoadError(f"{produce.topic}: {error.args[0].str()}") from error
        self._producer.poll(0)
        self._records[produce.topic] += 1
        self._show()

    def _delivered(self, error: KafkaError | None, message: Message, numbers: tuple[int, ...] = ()) -> None:
        self._acknowledgements.heard()
        if error is not None:
            self._failed += 1
            self._first_error = self._first_error or f"{message.topic()}: {error.str()}"
            return
        for number in numbers:
            if self._manifest is not None:
                topic, partition, offset = message.topic(), message.partition(), message.offset()
                assert topic is not None and partition is not None and offset is not None
                if self._manifest.delivered(self._planted[number], topic, partition, offset):
                    del self._planted[number]  # the memory of an endless run must not grow
            else:
                self._planted.pop(number, None)

    def _flush(self) -> None:
        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        while self._producer.flush(PROGRESS_S):
            self._show()
            if time.monotonic() > deadline:
                raise LoadError("Kafka does not accept the produced records")

    def _show(self) -> None:
        now = time.monotonic()
        if self._on_progress is not None and now - self._shown >= PROGRESS_S:
            self._shown = now
            self._on_progress(self._report(done=False))
        if self._manifest is not None and now - self._counted >= COUNTS_S:
            self._counted = now
            self._manifest.counts(self._records, self._traffic.payments, self._failed, False)

    def _report(self, done: bool) -> LoadReport:
        return LoadReport(
            dict(sorted(self._records.items())),
            dict(sorted(self._manifest.planted.items())) if self._manifest is not None else {},
            self._traffic.payments,
            self._failed,
            time.monotonic() - self._started,
            str(self._manifest_path) if self._manifest_path is not None else None,
            done,
            {} if self._gateway is None else dict(sorted(self._gateway.asked.items())),
        )
