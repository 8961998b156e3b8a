"""The dead letters: which record of which topic each one is, and that it is that record unchanged."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from pipeline.verify.log import Record
from pipeline.verify.reader import DEAD_LETTERS, Reader
from pipeline.verify.report import Check

HEADER = "__ledgerflow.errors."
"""What the names of the headers begin with; the wire contract of the topic."""


KEPT_BYTES_MIN = 2**20
"""A record up to this size is kept whole; a larger one may be left out of its dead letter, which says so."""


class Place(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


def digest(record: Record) -> bytes:
    """Return 16 bytes that stand for the key and the value of a record; a missing one is not an empty one."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in (record.key, record.value):
        hashed.update(b"\0" if part is None else b"\1" + len(part).to_bytes(8, "big") + part)
    return hashed.digest()


class DeadLetters:
    """All dead letters. `holds` is asked once for each record of every topic that a stream reads."""

    def __init__(self, reader: Reader) -> None:
        self.check = Check(
            "dead_letters", "Each dead letter is one record of its topic, once, with the same key and value."
        )
        self._digests: dict[Place, bytes] = {}
        self._met: set[Place] = set()
        self._left_out: set[Place] = set()
        self.codes: dict[Place, str] = {}
        for partition in range(reader.partitions(DEAD_LETTERS)):
            for record in reader.raw(DEAD_LETTERS, partition):
                self._add(record)

    def _add(self, record: Record) -> None:
        self.check.count()
        try:
            place = Place(
                record.headers[HEADER + "topic"].decode(),
                int(record.headers[HEADER + "partition"]),
                int(record.headers[HEADER + "offset"]),
            )
        except (KeyError, ValueError):
            self.check.fail(f"{record.place} does not say where it comes from")
            return
        if place in self._digests:
            self.check.fail(f"{record.place} is a second dead letter of {_name(place)}")
        self._digests[place] = digest(record)
        if HEADER + "left-out" in record.headers:
            self._left_out.add(place)
        self.codes[place] = record.headers.get(HEADER + "code", b"").decode(errors="replace")

    def __len__(self) -> int:
        return len(self._digests)

    def __contains__(self, place: Place) -> bool:
        return place in self._digests

    def holds(self, record: Record) -> bool:
        """Whether a record is a dead letter; it must then be the same, byte for byte."""
        place = Place(record.topic, record.partition, record.offset)
        known = self._digests.get(place)
        if known is None:
            return False
        self._met.add(place)
        large = len(record.key or b"") + len(record.value or b"") > KEPT_BYTES_MIN
        if known != digest(record) and not (large and place in self._left_out):
            self.check.fail(f"the dead letter of {_name(place)} has another key or value")
        return True

    def finish(self, topics_read: set[str]) -> None:
        """Call it when every record of `topics_read` was asked for: no dead letter may be left over."""
        for place in self._digests.keys() - self._met:
            if place.topic in topics_read:
                self.check.fail(f"a dead letter names {_name(place)}, which is no committed record")


def _name(place: Place) -> str:
    return f"{place.topic}[{place.partition}]@{place.offset}"
