"""Whether Kafka answers: a small question every half second, in a thread of its own.

    ends of one topic, from the leader of each partition -> an answer, or silence since the last one

Nothing else tells a broker that stands still from one that has nothing to say: connections stay open, and
clients wait for their answers for a minute or more.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaException

from pipeline.runtime.faults import Fault, Faults
from pipeline.runtime.kafka.log_ends import asking, ends
from pipeline.runtime.kafka.silence_file import SilenceFile
from pipeline.runtime.problems import Problems

LOG = logging.getLogger(__name__)
EVERY_S = 0.5
ANSWER_WITHIN_S = 1.0
"""Kafka is silent where an answer takes longer; with the others it is known within two seconds."""
ANSWERS_MIN = 3
"""A silence is over with so many answers in a row."""
AGAIN_WITHIN_S = 0.5
"""For the second question, where the first one had no answer."""
STOOD_S = 4 * (ANSWER_WITHIN_S + AGAIN_WITHIN_S)
ALERT_FROM_S = 5.0
"""A shorter silence is a problem while it lasts, and no alert."""
BROKER_SILENT = "broker_silent"
KAFKA = "Kafka"

Ask = Callable[[], bool]


class Pulse:
    """Asks, from `start` to the end of the process or `stop`."""

    def __init__(
        self,
        ask: Ask,
        servers: str,
        on_silence: Callable[[str, float], object],
        on_answer: Callable[[str, float], object],
    ) -> None:
        """`ask` returns whether Kafka answered within ANSWER_WITHIN_S.

        `on_silence` is called after each question without an answer, with a line that says since when Kafka
        is silent, and that time, seconds UTC; `on_answer` with a line, and how long it was silent, once
        it answers again, in seconds.
        """
        self._ask = ask
        self._servers = servers
        self._on_silence = on_silence
        self._on_answer = on_answer
        self._answered = time.monotonic(), time.time()
        self._silent = False
        self._answers, self._answers_from = 0, 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Start to ask."""
        self._answered = time.monotonic(), time.time()
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()

    def beat(self) -> None:
        """Ask once, and say what has changed."""
        asked = time.monotonic(), time.time()
        answered = self._ask()
        if time.monotonic() - asked[0] > STOOD_S:
            return  # this process stood still, not Kafka
        since = self._answered[1]
        if not answered:
            self._answers, self._silent = 0, True
            self._on_silence(f"Kafka at {self._servers} does not answer since {_clock(since)}", since)
            return
        if self._silent:
            # One answer is not the end: after a long silence the client has to find the leaders again.
            self._answers += 1
            if self._answers == 1:
                self._answers_from = asked[0]
            if self._answers < ANSWERS_MIN:
                return
            self._silent = False
            silent_s = self._answers_from - self._answered[0]
            self._on_answer(_silence(self._servers, silent_s, since), silent_s)
        self._answered = asked

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self.beat()
            except Exception:  # the thread must not end
                LOG.exception("Kafka cannot be asked")
            self._stopped.wait(max(0.0, EVERY_S - (time.monotonic() - began)))


def question(connection: Mapping[str, Any], topic: str, partitions: int) -> Ask:
    """Return the question: the ends of a topic, asked of the leader of each partition."""
    consumer = asking(connection, topic, committed=False)
    places = [(topic, number) for number in range(partitions)]

    def answers() -> bool:
        with contextlib.suppress(KafkaException):
            ends(consumer, places, ANSWER_WITHIN_S)
            return True
        # A topic may have no leader, or be gone: then the client's answer is its own, of what it knew before.
        with contextlib.suppress(KafkaException):
            consumer.list_topics(timeout=AGAIN_WITHIN_S)
            return True
        return False

    return answers


def worker_pulse(ask: Ask, servers: str, problems: Problems, faults: Faults, file: SilenceFile) -> Pulse:
    """Return the pulse of a worker: a problem while Kafka is silent, and an alert of a long silence after.

    A silence during which an earlier process has ended is reported at once.
    """

    def silent(line: str, since: float) -> None:
        problems.hold(BROKER_SILENT, {KAFKA: line})
        file.keep(since)

    def answers(line: str, silent_s: float) -> None:
        problems.hold(BROKER_SILENT, {})
        alert(line, silent_s)

    def alert(line: str, silent_s: float) -> None:
        said = file.over()
        if silent_s >= ALERT_FROM_S:
            faults.report(Fault(BROKER_SILENT, KAFKA, line), then=said)
        else:
            said(True)  # too short for one

    if (kept := file.kept()) is not None:
        silent_s = kept[1] - kept[0]
        line = f"{_silence(servers, silent_s, kept[0])} or longer: a worker ended meanwhile"
        alert(line, silent_s)
    return Pulse(ask, servers, silent, answers)


def _silence(servers: str, silent_s: float, since: float) -> str:
    return f"Kafka at {servers} did not answer for {silent_s:.1f} s from {_clock(since)}"


def _clock(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%H:%M:%SZ")
