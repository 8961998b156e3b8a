"""How long it takes from when an event was due to be sent until what it led to can be read committed.

    paced (a process) -> the system under test -> Answers: reads committed, notes when each record came

Percentiles are over events, not over outputs: an output that answers several events counts for each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from confluent_kafka import Consumer, TopicPartition

from tests.benchmarks import processes
from tests.benchmarks.bench import Bench
from tests.benchmarks.exactness import Inexact, Offsets
from tests.benchmarks.paced import PacedJob

PACED = "tests.benchmarks.paced"
QUIET_S = 2.0
"""So long after the last record nothing more is expected to come."""
STALLED_S = 20.0
"""The same where all may stall for seconds: beside a neighbour, or near what a worker can do at most."""
DECODE_RECORDS = 20_000


class Came(NamedTuple):
    """A committed record, and when it was received (monotonic clock)."""

    at: float
    value: bytes


class Answers:
    """Reads a topic committed from `start` on, noting when each record came."""

    def __init__(self, bench: Bench, topic: str, start: Offsets) -> None:
        self._bench = bench
        self._consumer = Consumer(
            {
                **bench.settings.librdkafka(),
                "group.id": "benchmark-answers",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
                "fetch.queue.backoff.ms": 1,
                "queued.min.messages": 1_000_000,
            }
        )
        places = [TopicPartition(topic, number, offset) for number, offset in enumerate(start[topic])]
        self._consumer.assign(places)
        self._came: list[Came] = []

    def read_until(self, done: Callable[[], bool], quiet_s: float = QUIET_S) -> None:
        """Read until `done` and `quiet_s` without a record."""
        quiet_since = time.monotonic()
        while not (done() and time.monotonic() - quiet_since > quiet_s):
            message = self._consumer.poll(0.02)
            while message is not None:
                if message.error() is None:
                    quiet_since = time.monotonic()
                    self._came.append(Came(quiet_since, message.value()))
                message = self._consumer.poll(0)

    def events(self) -> Iterator[tuple[float, Any]]:
        """Yield (when it came, event), in order; closes the reader."""
        self._consumer.close()
        for start in range(0, len(self._came), DECODE_RECORDS):
            chunk = self._came[start : start + DECODE_RECORDS]
            decoded = self._bench.codec.decode([came.value for came in chunk])
            yield from zip((came.at for came in chunk), decoded.events, strict=True)


Answered = Callable[[PacedJob, Iterator[tuple[float, Any]]], list[float]]
"""From the outputs as they came to when each payment was answered, by its number; infinity where not."""


def measure(
    bench: Bench,
    worker: processes.Process,
    topic: str,
    job: PacedJob,
    answers: Answers,
    of: Answered,
    neighbour: processes.Process | None = None,
    quiet_s: float = QUIET_S,
) -> dict[str, Any]:
    """Send the payments of a job, whose first phase is for warming up; return percentiles by rate.

    `cpu_s` of a rate is what the worker has used for its payments. `neighbour` is told to go with the last
    phase. `quiet_s`: after so long without an output nothing more comes. Raises Inexact if a payment is not
    answered.
    """
    name = job.seed
    given = {"job": job, "topic": topic, "settings": bench.overrides(name)}
    starts: list[float] = []
    late_ms: list[float] = []
    used_s = [worker.cpu_s()]
    with processes.Process(processes.module(PACED, given), bench.log(f"{name}-paced")) as load:
        load.wait_for(lambda line: "ready" in line)

        def ended() -> bool:
            late_ms.extend(line["late_ms"] for line in load.new_lines() if "ended" in line)
            return len(late_ms) == len(starts)

        for number in range(len(job.phases)):
            load.tell("go")
            if neighbour is not None and number == len(job.phases) - 1:
                neighbour.tell("go")
            starts.append(load.wait_for(lambda line: "phase" in line)["started_at"])
            # What is late of one phase must not weigh on the next.
            answers.read_until(ended, quiet_s if neighbour is None else STALLED_S)
            used_s.append(worker.cpu_s())
    answered_at = np.array(of(job, answers.events()))
    if np.isinf(answered_at).any():
        raise Inexact(f"{name}: {np.isinf(answered_at).sum()} payments were not answered")
    found, first = {}, 0
    for number, phase in enumerate(job.phases):
        due = starts[number] + np.arange(phase.payments) / phase.per_s
        waits_ms = (answered_at[first : first + phase.payments] - due) * 1000
        first += phase.payments
        if number:
            cpu_s = round(used_s[number + 1] - used_s[number], 2)
            more = {"sent_late_ms": late_ms[number], "cpu_s": cpu_s}
            found[str(phase.per_s)] = {**percentiles(waits_ms), **more}
    return found


def percentiles(waits_ms: np.ndarray) -> dict[str, float]:
    """Return p50, p95, p99 and the longest of some waits, milliseconds."""
    p50, p95, p99 = np.percentile(waits_ms, (50, 95, 99))
    return {
        name: round(float(value), 2)
        for name, value in zip(
            ("p50_ms", "p95_ms", "p99_ms", "max_ms"), (p50, p95, p99, waits_ms.max()), strict=True
        )
    }
