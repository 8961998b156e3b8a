"""The dead letters: which record of which topic each one is, and that it is that record unchanged.

What never changes: a record of a stream's log is applied or a dead letter, never both or neither. A batch
that nobody can read, and what people have quarantined, are one dead letter for a range of offsets (`Ranges`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.verify.dead_ranges import Ranges
from pipeline.verify.findings import Findings, Problem, at
from pipeline.verify.model.record import Record
from pipeline.verify.streams import INPUT_CHECKS, SOURCES

CHECK = "dead_letters"
HEADER = "__ledgerflow.errors."
"""What the names of the headers begin with; the wire contract of the topic."""
FOREIGN = "foreign_schema"
KEPT_BYTES_MIN = 2**20
"""A record up to this size is kept whole; a larger one may be left out of its dead letter, which says so."""


class Place(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Letter(NamedTuple):
    """What a dead letter says of its record."""

    code: str
    digest: bytes
    left_out: bool
    offset: int
    """Where the letter itself stands."""


class Missing(NamedTuple):
    """A record that must be a dead letter, and is none yet."""

    record: Record
    code: str


def place_of(letter: Record) -> Place | None:
    """Return the record that a dead letter says it is."""
    try:
        topic = letter.headers[HEADER + "topic"].decode()
        return Place(topic, int(letter.headers[HEADER + "partition"]), int(letter.headers[HEADER + "offset"]))
    except (KeyError, ValueError):
        return None


def digest(record: Record) -> bytes:
    """Return 16 bytes that stand for the key and the value of a record; a missing one is not an empty one."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in (record.key, record.value):
        hashed.update(b"\0" if part is None else b"\1" + len(part).to_bytes(8, "big") + part)
    return hashed.digest()


class DeadLetters:
    """All dead letters. `judge` is asked once for each record of every log that is replayed."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._letters: dict[Place, Letter] = {}
        self._met: set[Place] = set()
        self._missing: dict[Place, Missing] = {}
        self._newest: dict[tuple[str, int], int] = {}
        self.begins: Mapping[tuple[str, int], int] = {}
        """The first offset of each log that has lost its beginning: letters of earlier ones stand alone."""
        self.ranges = Ranges(findings)

    def __len__(self) -> int:
        return len(self._letters)

    def __contains__(self, place: tuple[str, int, int]) -> bool:
        return place in self._letters or self.ranges.cover(*place)

    def add(self, letters: Iterable[Record]) -> None:
        """Take in dead letters, in the order of their partition."""
        for letter in letters:
            self._findings.count(CHECK)
            place = place_of(letter)
            if place is None or place.topic not in SOURCES or place.partition != letter.partition:
                self._findings.wrong(at(CHECK, letter, f"names no record of a stream's log: {place}"))
                continue
            if place in self._letters:
                self._findings.wrong(at(CHECK, letter, f"a second dead letter of {place}"))
                continue
            if place.offset < self._newest.get(place[:2], -1):
                self._findings.wrong(at(CHECK, letter, f"{place} comes after a later record's"))
            self._newest[place[:2]] = max(place.offset, self._newest.get(place[:2], -1))
            if HEADER + "last-offset" in letter.headers:
                self.ranges.add(place.topic, place.partition, place.offset, letter)
                continue
            code = letter.headers.get(HEADER + "code", b"").decode(errors="replace")
            left_out = HEADER + "left-out" in letter.headers
            self._letters[place] = Letter(code, digest(letter), left_out, letter.offset)
            waiting = self._missing.pop(place, None)
            if waiting is not None:
                self.judge(*waiting)

    def holds(self, record: Record) -> bool:
        """Whether a record is a dead letter, whatever its code; it must then be the same, byte for byte."""
        place = Place(record.topic, record.partition, record.offset)
        letter = self._letters.get(place)
        if letter is None:
            return self.ranges.cover(*place)
        self._met.add(place)
        large = len(record.key or b"") + len(record.value or b"") > KEPT_BYTES_MIN
        if letter.digest != digest(record) and not (large and letter.left_out):
            self._wrong(letter, place, "the record has another key or value")
        return True

    def code_of(self, record: Record) -> str | None:
        """Return the code of the dead letter that a record is, None where it is none."""
        letter = self._letters.get(Place(record.topic, record.partition, record.offset))
        return None if letter is None else letter.code

    def refused(self, record: Record) -> Record:
        """Return a record as its stream has seen it: no event where its letter says that its schema is
        foreign, and it is. Whether such records are refused is a setting, which may have changed."""
        if not record.foreign or record.event is None:
            return record
        letter = self._letters.get(Place(record.topic, record.partition, record.offset))
        if letter is None or letter.code != FOREIGN:
            return record
        return record._replace(event=None, fields={}, fault=FOREIGN)

    def judge(self, record: Record, code: str | None) -> None:
        """Hold a record against what the model of its stream says: a dead letter of this code, or none."""
        place = Place(record.topic, record.partition, record.offset)
        if self.ranges.cover(*place):
            return
        if not self.holds(record):
            if code is not None:
                self._missing[place] = Missing(record, code)
            return
        letter = self._letters[place]
        if code is None:
            check = INPUT_CHECKS.get(record.topic, CHECK)
            self._findings.wrong(at(check, record, f"applied, and a dead letter: {letter.code}"))
        elif code != letter.code:
            self._wrong(letter, place, f"its code is {letter.code}, must be {code}")

    def finish(self, logs: Iterable[str], before: Mapping[tuple[str, int], int] | None = None) -> None:
        """Say what is left over. `logs`: those of which every record was asked for; `before`: offsets by
        which a record's letter must be there (None: all)."""
        for place, (record, code) in list(self._missing.items()):
            if before is None or place.offset < before[place[:2]]:
                del self._missing[place]
                text = f"neither applied nor a dead letter; must be one: {code}"
                self._findings.wrong(at(CHECK, record, text))
        read = frozenset(logs)
        self.ranges.finish(read, before, self.begins)
        for place in self._letters.keys() - self._met:
            if place.topic in read and place.offset >= self.begins.get(place[:2], 0):
                self._met.add(place)
                self._wrong(self._letters[place], place, "that is no committed record")

    def _wrong(self, letter: Letter, place: Place, text: str) -> None:
        self._findings.wrong(
            Problem(CHECK, "dead-letters", place.partition, letter.offset, f"of {place}: {text}")
        )
