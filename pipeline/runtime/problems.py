"""What keeps a worker from its work now: `/ready` answers 503 with these problems, `up` shows them.

    problems.hold("topic_settings", {"payments": "retention.ms is 1"})  # all of that name
    problems.hold("topic_settings", {})  # they are over

Whoever looks for a kind of problem says each time all that it finds; what it does not say any more is over.
An alert (`faults`) is written once and stays; a problem lasts as long as what it says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

OTHERS = frozenset({"transaction_open"})
"""Problems of somebody else: told, but a worker that is taken out of service or restarted mends none of them,
and what it serves is right."""
SHOWN_MAX = 100
"""Most problems that are told at once, so that an answer stays small; they are told by name and subject."""


class Problem(msgspec.Struct, frozen=True):
    """Something that keeps a worker from its work."""

    name: str
    """One of `schemas.fault_codes`."""
    subject: str
    """What it is about, such as `payments[3]`, `Kafka` or a topic."""
    detail: str
    """In words, on one line: what is wrong, and how to put it right."""
    since: str
    """When it was first found, RFC 3339, UTC."""


class Problems:
    """The present problems of a process, by name and subject. From any thread; never waits."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` returns seconds UTC."""
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Mapping[tuple[str, str], Problem] = {}

    def hold(self, name: str, found: Mapping[str, str]) -> None:
        """Take `found` (subject -> detail) for all problems of a name; an empty one ends them."""
        with self._lock:
            held = {place: problem for place, problem in self._held.items() if place[0] != name}
            for subject, detail in found.items():
                known = self._held.get((name, subject))
                since = self._now() if known is None else known.since
                held[name, subject] = Problem(name, subject, " ".join(detail.split()), since)
            self._held = held  # at once: readers take no lock

    @property
    def any(self) -> bool:
        """Whether there is a problem that keeps this worker from its work: none of OTHERS."""
        return any(name not in OTHERS for name, _ in self._held)

    def now(self) -> list[Problem]:
        """Return the present problems by name and subject, the first SHOWN_MAX of them."""
        held = self._held
        return [held[place] for place in sorted(held)[:SHOWN_MAX]]

    def counts(self) -> dict[str, int]:
        """Return how many problems there are of each name."""
        counted: dict[str, int] = {}
        for name, _ in self._held:
            counted[name] = counted.get(name, 0) + 1
        return counted

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
