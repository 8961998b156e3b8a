"""Logs whose committed records wait for somebody's open transaction: for how long, and for whose.

    every second: last stable offset < end of the log, and the same as before -> the log's age
    above the bound: brokers are asked whose transaction it is -> /ready, one alert on operational-alerts

Readers of committed records get no further than the first record of an open transaction, whoever wrote it.
Nothing is wrong with the worker then, and nothing of it has to be restarted.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from aiokafka.errors import KafkaError
from faust.types import TP

from pipeline.runtime.faults import Fault, Faults
from pipeline.runtime.kafka.fetched import FetchState
from pipeline.runtime.kafka.open_transactions import OpenTransaction, open_transactions
from pipeline.runtime.problems import Problems

LOG = logging.getLogger(__name__)
CODE = "transaction_open"
LOOK_EVERY_S = 1.0
ASK_EVERY_S = 5.0
TOLD_MAX = 1_000


class Waiting(NamedTuple):
    """A log whose last stable offset stands behind its end."""

    offset: int
    """The last stable offset: the first record of the transaction that is waited for."""
    since: float
    """When it was first seen so, monotonic seconds."""


class StableHost(Protocol):
    """The worker that is watched."""

    faults: Faults
    problems: Problems

    @property
    def connection(self) -> Mapping[str, Any]:
        """How aiokafka's clients reach the cluster."""

    def fetch_state(self, tp: TP) -> FetchState | None:
        """Return how far a log is fetched; None where it is not, or not yet. From any thread."""


class StableWatch:
    """Measures for how long logs have waited. `look` is for one thread, `ages` for any."""

    def __init__(
        self,
        running: Callable[[], Mapping[TP, Any]],
        fetch_state: Callable[[TP], FetchState | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`running`: the logs of this worker now."""
        self._running = running
        self._fetch_state = fetch_state
        self._clock = clock
        self._waiting: Mapping[TP, Waiting] = {}

    def look(self) -> None:
        """Look at every log, often: the same last stable offset at two looks is no progress in between."""
        now, waiting = self._clock(), {}
        for tp in list(self._running()):
            state = self._fetch_state(tp)
            if state is None or state.end >= state.log_end:
                continue
            known = self._waiting.get(tp)
            same = known is not None and known.offset == state.end
            waiting[tp] = known if same and known is not None else Waiting(state.end, now)
        self._waiting = waiting  # at once: other threads read it

    def age_s(self, tp: TP) -> float:
        """Return for how long a log has waited, seconds; 0 where it does not."""
        waiting = self._waiting.get(tp)
        return 0.0 if waiting is None else max(0.0, self._clock() - waiting.since)

    def over(self, bound_s: float) -> dict[TP, Waiting]:
        """Return the logs that have waited for longer than `bound_s`."""
        return {tp: one for tp, one in self._waiting.items() if self._clock() - one.since > bound_s}


def blocked(waiting: Mapping[TP, Waiting], found: list[OpenTransaction]) -> dict[TP, str]:
    """Return for every log that waits which transaction it waits for, in words that stay the same."""
    said = {}
    for tp, one in waiting.items():
        first = None
        for transaction in found:
            for start in transaction.starts:
                if start[:2] == (tp.topic, tp.partition) and (first is None or start.offset < first[0]):
                    first = start.offset, transaction
        what = "an open transaction" if first is None else f"the transaction of {first[1]}"
        remedy = "`ledgerflow transactions list` shows it" if first is None else _remedy(first[1])
        said[tp] = (
            f"committed records from offset {one.offset} on wait for {what}: ask its owner, or {remedy}"
        )
    return said


def _remedy(transaction: OpenTransaction) -> str:
    return f"ledgerflow transactions abort {transaction.producer_id} --reason '...'"


class StableAlarm:
    """Says which producers hold logs back for longer than a bound. For one thread."""

    def __init__(
        self,
        host: StableHost,
        watch: StableWatch,
        bound_s: float,
        ask: Callable[[Mapping[str, list[int]]], list[OpenTransaction]],
    ) -> None:
        """`ask` returns what is open on partitions of topics; it may raise KafkaError and TimeoutError."""
        self._host = host
        self._watch = watch
        self._bound_s = bound_s
        self._ask = ask
        self._told: set[Fault] = set()

    def step(self) -> bool:
        """Look, and say what is found; return whether a log waits for too long."""
        self._watch.look()
        waiting = self._watch.over(self._bound_s)
        if not waiting:
            self._host.problems.hold(CODE, {})
            return False
        topics: dict[str, list[int]] = {}
        for tp in waiting:
            topics.setdefault(tp.topic, []).append(tp.partition)
        try:
            found = self._ask(topics)
        except (KafkaError, TimeoutError, OSError) as error:
            LOG.warning("no broker says whose transaction is open: %r", error)
            found = []
        said = blocked(waiting, found)
        self._host.problems.hold(CODE, {f"{tp.topic}[{tp.partition}]": text for tp, text in said.items()})
        if found:
            for tp, text in said.items():
                place = f"{tp.topic}[{tp.partition}]"
                offset = waiting[tp].offset
                self._tell(Fault(CODE, place, text, tp.topic, tp.partition, offset))
        return True

    def _tell(self, fault: Fault) -> None:
        if fault not in self._told:
            if len(self._told) >= TOLD_MAX:
                self._told.clear()  # an alert that is written already is not written again
            self._told.add(fault)
            self._host.faults.report(fault)


def watch_in_thread(host: StableHost, watch: StableWatch, bound_s: float) -> None:
    """Watch until the process ends."""

    def ask(topics: Mapping[str, list[int]]) -> list[OpenTransaction]:
        return asyncio.run(open_transactions(host.connection, topics))

    alarm = StableAlarm(host, watch, bound_s, ask)

    def run() -> None:
        while True:
            time.sleep(ASK_EVERY_S if alarm.step() else LOOK_EVERY_S)

    threading.Thread(target=run, name="stable", daemon=True).start()
