"""What comes to every partition of a log: prices, rates and the ends of periods, each key in order."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Container, Mapping

from pipeline.verify.findings import Findings, Problem
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import Expected, home_of

Name = tuple[str, bytes]
"""Event and record key."""


class Sequence:
    """Records of one key, 16 bytes each: numbers that stand for their bytes, and their offsets."""

    __slots__ = ("hashes", "offsets", "origins")

    def __init__(self) -> None:
        self.hashes = array("q")
        self.offsets = array("q")
        self.origins: set[int] = set()
        """Partitions of the input."""

    def add(self, value: bytes | None, offset: int, origin: int = -1) -> None:
        """Add a record."""
        self.hashes.append(hash(value))
        self.offsets.append(offset)
        self.origins.add(origin)


class Broadcasts:
    """What was sent on one input, and what each partition of its log has of it."""

    def __init__(self, findings: Findings, check: str, source: str, log: str) -> None:
        self._findings = findings
        self._check = check
        self._source = source
        self._log = log
        self._sent: defaultdict[Name, Sequence] = defaultdict(Sequence)
        self._arrived: defaultdict[int, defaultdict[Name, Sequence]]
        self._arrived = defaultdict(lambda: defaultdict(Sequence))

    def send(self, wanted: Expected, origin: int) -> None:
        """Expect a record on every partition."""
        self._sent[wanted.event, wanted.key].add(wanted.value, wanted.source, origin)

    def arrive(self, record: Record) -> None:
        """Take note of a record on one partition of the log."""
        name = record.event or "", record.key or b""
        self._arrived[record.partition][name].add(record.value, record.offset, record.partition)

    def finish(
        self,
        target: int,
        before: Mapping[tuple[str, int], int] | None = None,
        lost: Container[tuple[str, int]] = (),
        partitions: int = 1,
    ) -> None:
        """Compare a partition. `before`: offsets of the input of which all must have come (None: of all);
        `lost`: logs that have lost records, so that what they sent, or were sent, is not known."""
        arrived = self._arrived[target]
        if (self._log, target) in lost:
            return
        for name in sorted(self._sent.keys() | arrived.keys()):
            if lost and (self._source, home_of(name[1].decode(errors="replace"), partitions)) in lost:
                continue
            there, wanted = arrived.get(name) or Sequence(), self._sent.get(name) or Sequence()
            self._findings.count(self._check, len(wanted.hashes))
            if len(wanted.origins) > 1:  # one key from several partitions has no order of its own
                if before is None and Counter(there.hashes) != Counter(wanted.hashes):
                    self._wrong(target, name, -1, "not exactly what was sent")
                continue
            least = len(wanted.hashes)
            if before is not None:
                (origin,) = wanted.origins or (0,)
                least = sum(offset < before[self._source, origin] for offset in wanted.offsets)
            self._compare(target, name, there, wanted, least)
        if before is None:
            del self._arrived[target]

    def _compare(self, target: int, name: Name, there: Sequence, wanted: Sequence, least: int) -> None:
        for place, (found, sent) in enumerate(zip(there.hashes, wanted.hashes, strict=False)):
            if found != sent:
                text = "lost, changed or out of order"
                return self._wrong(target, name, there.offsets[place], text)
        if len(there.hashes) > len(wanted.hashes):
            self._wrong(target, name, there.offsets[len(wanted.hashes)], "once more than it was sent")
        elif len(there.hashes) < least:
            self._wrong(target, name, -1, f"{least - len(there.hashes)} records are missing")

    def _wrong(self, target: int, name: Name, offset: int, text: str) -> None:
        about = f"{name[0]} of {name[1].decode(errors='replace')}: {text}"
        self._findings.wrong(Problem(self._check, self._log, target, offset, about))
