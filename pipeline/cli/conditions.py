"""What stands in the way of a running `up`: problems that the workers tell, and a broker that is silent.

    /ready of every worker, every half second  } a thread -> problems by name and subject -> the screen
    the pulse of Kafka, asked by `up` itself   }          -> a line when one begins, a line when it is over

A worker that does not answer says nothing: what it said last stands until it answers again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from pipeline.cli.worker_answers import body_of
from pipeline.runtime.kafka.pulse import BROKER_SILENT, KAFKA, Pulse, question
from pipeline.runtime.kafka.topics import source_offsets_name
from pipeline.runtime.settings import Settings

LOG = logging.getLogger(__name__)
ASK_EVERY_S = 0.5
ANSWER_WITHIN_S = 1.0
ASKED_AT_ONCE_MAX = 8
LINES_MAX = 100


class Told(NamedTuple):
    """A problem as a worker tells it."""

    name: str
    subject: str
    detail: str


class Shown(Protocol):
    """A worker on the screen."""

    url: str
    troubled: bool


Tell = Callable[[str], "Sequence[Told] | None"]
"""Returns the problems of the worker at a URL; None where it does not answer."""


class Conditions:
    """The present problems of all workers, each once, and lines about their beginnings and ends."""

    def __init__(self, urls: Sequence[str], tell: Tell | None = None) -> None:
        self._urls = list(urls)
        self._tell = tell or told_by
        self._by_source: dict[str, dict[tuple[str, str], str]] = {}
        """By worker's URL, or KAFKA for the pulse of our own."""
        self._began: dict[tuple[str, str], float] = {}
        self._over: dict[tuple[str, str], str] = {}
        """What is said at the end of a problem, where more is known than how long it was seen."""
        self._lines: deque[str] = deque(maxlen=LINES_MAX)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._pulse: Pulse | None = None
        self._thread = threading.Thread(target=self._run, name="conditions", daemon=True)

    def start(self, settings: Settings) -> None:
        """Start to ask the workers, and Kafka by what all workers write to."""
        topic = source_offsets_name(settings.app_id)
        ask = question(settings.librdkafka(), topic, settings.partitions)
        self._pulse = self.pulse(ask, settings.bootstrap_servers)
        self._pulse.start()
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        if self._pulse is not None:
            self._pulse.stop()
        if self._thread.is_alive():
            self._thread.join()

    def pulse(self, ask: Callable[[], bool], servers: str) -> Pulse:
        """Return a pulse of Kafka whose silence is a problem here, too; not started."""
        return Pulse(
            ask,
            servers,
            on_silence=lambda line, _: self.take(KAFKA, [Told(BROKER_SILENT, KAFKA, line)]),
            on_answer=lambda line, silent_s: self.take(KAFKA, [], line),
        )

    def take(self, source: str, problems: Sequence[Told], over: str = "") -> None:
        """Take all that a source says now; `over`: what is said at the end of what it said before."""
        with self._lock:
            if over:
                self._over.update(dict.fromkeys(self._by_source.get(source, ()), over))
            self._by_source[source] = {(one.name, one.subject): one.detail for one in problems}
            present = self._merged()
            now = time.monotonic()
            for place, detail in present.items():
                if place not in self._began:
                    self._began[place] = now
                    self._lines.append(f"{place[0]}: {_about(place[1], detail)}")
            for place in [place for place in self._began if place not in present]:
                lasted = now - self._began.pop(place)
                said = self._over.pop(place, f"{place[1]}, for {lasted:.1f} s")
                self._lines.append(f"{place[0]} is over: {said}")

    @property
    def present(self) -> list[str]:
        """A line for each present problem."""
        with self._lock:
            return [
                f"{name}: {_about(subject, detail)}" for (name, subject), detail in self._merged().items()
            ]

    def lines(self) -> list[str]:
        """Return what has begun and ended since the last call."""
        with self._lock:
            lines = list(self._lines)
            self._lines.clear()
            return lines

    def show(self, workers: Sequence[Shown], say: Callable[[str], object]) -> None:
        """Say what has begun and ended, and mark the workers that something keeps from their work."""
        for line in self.lines():
            say(line)
        for worker in workers:
            worker.troubled = bool(self._by_source.get(worker.url))

    def _merged(self) -> dict[tuple[str, str], str]:
        merged: dict[tuple[str, str], str] = {}
        for said in self._by_source.values():
            for place, detail in said.items():
                merged.setdefault(place, detail)
        return dict(sorted(merged.items()))

    def _run(self) -> None:
        with ThreadPoolExecutor(min(ASKED_AT_ONCE_MAX, len(self._urls) or 1)) as pool:
            while not self._stopped.wait(ASK_EVERY_S):
                for url, told in zip(self._urls, pool.map(self._ask, self._urls), strict=True):
                    if told is not None:
                        self.take(url, told)

    def _ask(self, url: str) -> Sequence[Told] | None:
        try:
            return self._tell(url)
        except Exception:  # the thread must not end
            LOG.exception("%s cannot be asked", url)
            return None


def _about(subject: str, detail: str) -> str:
    """Return what a problem is about and what it is, without saying the subject twice."""
    return detail if detail.startswith(subject) else f"{subject}: {detail}"


def told_by(url: str) -> Sequence[Told] | None:
    """Return the problems that `/ready` of a worker tells; None where it does not answer."""
    body = body_of(f"{url}/ready", ANSWER_WITHIN_S)
    if body is None:
        return None
    return [
        Told(str(one.get("name")), str(one.get("subject")), str(one.get("detail")))
        for one in body.get("problems", ())
    ]
