"""What a worker was at when it died: a few bytes that outlive SIGKILL and abort, and how often it died there.

    before each slice: "payments/3/120-168" -> a mapped file in the worker's folder -> after it: nothing
    next start: what was left there -> a count -> partition_stuck; its records go one by one then

Writing a mark is a copy into memory (under a microsecond a slice); the kernel keeps it when the process dies.
"""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import NamedTuple, Protocol

FILE, COUNT_FILE = "at-work", "deaths.json"
SLOT_BYTES = 512
READS, APPLIES = 0, 1
"""The two threads that work on records."""
SLOTS = 2
STUCK_FROM = 3
"""A worker that died so often at one place in a row is stuck there."""


class Work(NamedTuple):
    """A range of offsets of a log."""

    topic: str
    partition: int
    first: int
    last: int

    def __str__(self) -> str:
        offsets = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.topic}/{self.partition}/{offsets}"


def parse(text: str) -> Work:
    """Return the range that TOPIC/PARTITION/OFFSET or TOPIC/PARTITION/FIRST-LAST names. Raises ValueError."""
    topic, partition, offsets = text.split("/")
    first, dash, last = offsets.partition("-")
    numbers = [partition, first, last if dash else first]
    if not topic or not all(number.isdecimal() and len(number) < 19 for number in numbers):
        raise ValueError(text)
    work = Work(topic, *map(int, numbers))
    if work.last < work.first:
        raise ValueError(text)
    return work


def left_in(folder: Path) -> list[Work]:
    """Return what the process that used a worker's folder was at when it died; none where it ended well."""
    try:
        data = (folder / FILE).read_bytes()
    except OSError:
        return []
    found = []
    for start in range(0, min(len(data), SLOTS * SLOT_BYTES), SLOT_BYTES):
        text = data[start : start + SLOT_BYTES].partition(b"\n")[0].strip(b"\0 ").decode(errors="replace")
        try:
            found.append(parse(text))
        except ValueError:
            continue
    return found


class Deaths(NamedTuple):
    """Where a worker has died, and how often in a row."""

    work: Work
    times: int


def counted(folder: Path) -> list[Deaths]:
    """Count what is left in a worker's folder, once at its start; keep the counts there."""
    path = folder / COUNT_FILE
    try:
        known = {str(place): int(times) for place, times in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        known = {}
    found = []
    for work in left_in(folder):
        # The same place by where it begins: how much follows depends on what has come since.
        times = max((n for place, n in known.items() if place == _beginning(work)), default=0)
        found.append(Deaths(work, times + 1))
    path.write_text(json.dumps({_beginning(one.work): one.times for one in found}))
    return found


def _beginning(work: Work) -> str:
    return f"{work.topic}/{work.partition}/{work.first}"


class Marks(Protocol):
    """Where it is noted what is being worked on."""

    def on(self, slot: int, topic: str, partition: int, first: int, last: int) -> None:
        """Say what is being worked on."""

    def off(self, slot: int) -> None:
        """Say that nothing is being worked on."""

    def singly_below(self, topic: str, partition: int) -> int:
        """Return up to which offset records go one by one, so that the one that ends the worker is named."""


class _Nowhere:
    """Notes nothing."""

    def on(self, slot: int, topic: str, partition: int, first: int, last: int) -> None:
        """Do nothing."""

    def off(self, slot: int) -> None:
        """Do nothing."""

    def singly_below(self, topic: str, partition: int) -> int:
        """Return 0: never died."""
        return 0


NOWHERE = _Nowhere()


class AtWork:
    """The marks of a worker. Each slot is for one thread."""

    def __init__(self, folder: Path) -> None:
        """Take over the folder; what an earlier process left there is in `deaths`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.deaths = counted(folder)
        path = folder / FILE
        path.write_bytes(bytes(SLOTS * SLOT_BYTES))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SLOTS * SLOT_BYTES)

    def on(self, slot: int, topic: str, partition: int, first: int, last: int) -> None:
        """Say what is being worked on."""
        text = b"%s/%d/%d-%d\n" % (topic.encode(), partition, first, last)
        start = slot * SLOT_BYTES
        self._map[start : start + len(text)] = text

    def off(self, slot: int) -> None:
        """Say that nothing is being worked on."""
        self._map[slot * SLOT_BYTES] = 10  # an empty line

    def singly_below(self, topic: str, partition: int) -> int:
        """Return up to which offset records go one by one, so that the one that ends the worker is named."""
        return max(
            (
                work.last + 1
                for work, times in self.deaths
                if (work.topic, work.partition) == (topic, partition) and times > 1
            ),
            default=0,
        )

    @property
    def stuck(self) -> list[Deaths]:
        """Where the worker has died so often that a record there may be the cause."""
        return [one for one in self.deaths if one.times >= STUCK_FROM]
