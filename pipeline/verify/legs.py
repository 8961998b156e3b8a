"""What branches say to each other: sent by one partition of the ledger's or the fraud stream's log, read on
another one or on all.

A leg waits until both branches have been replayed; until then only a number and an offset of it are kept.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.verify.broadcasts import Sequence
from pipeline.verify.findings import Findings
from pipeline.verify.lanes import Lane
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import JOURNAL_LEGS, MESSAGES, Expected, home_of

CHECK = "legs"


class Pair:
    """What one branch has said to another, in order: what must have come, and what has."""

    def __init__(self, findings: Findings, log: str, origin: int, target: int) -> None:
        self._name = f"branch {origin}".encode()
        self._log, self._target = log, target
        self._sent, self._arrived = Sequence(), Sequence()
        self._compared = self._read = 0
        self._lane = Lane(findings, lambda said: CHECK, self)

    def send(self, wanted: Expected) -> None:
        """Expect a leg, or an answer to one."""
        self._sent.add(_content(wanted), wanted.source)

    def arrive(self, record: Record) -> None:
        """Take note of one."""
        self._arrived.add(_content(record), record.offset)

    def finish(self, least: int | None = None) -> None:
        """Compare. `least`: what is caused by later offsets may be under way (None: nothing may)."""
        for place in range(self._compared, len(self._sent.hashes)):
            value = _bytes(self._sent.hashes[place])
            offset = self._sent.offsets[place]
            self._lane.expect(Expected(self._log, self._name, "leg", {}, offset, value))
        self._compared = len(self._sent.hashes)
        self._lane.finish(least)

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        """Return the next one that has come."""
        place = self._read
        if place == len(self._arrived.hashes):
            raise StopIteration
        self._read += 1
        where = self._log, self._target, self._arrived.offsets[place], 0
        return Record(*where, self._name, _bytes(self._arrived.hashes[place]), {}, "leg", {}, None)


def _bytes(number: int) -> bytes:
    return number.to_bytes(8, "big", signed=True)


def _content(said: Record | Expected) -> bytes:
    """Return key, name and fields as bytes."""
    fields: Mapping[str, Any] = said.fields
    for name in ("legs", "payments", "origins"):
        if fields.get(name) is not None:
            fields = {**fields, name: [sorted(part.items()) for part in fields[name]]}
    if fields.get("exchange"):
        fields = {**fields, "exchange": sorted(fields["exchange"].items())}
    return marshal.dumps((said.key, said.event, sorted(fields.items())), 0)


def sender_of(record: Record, partitions: int) -> int:
    """Return the branch that says a leg, or something about one, to another."""
    fields = record.fields
    if record.event in MESSAGES:
        return home_of(f"{fields['tenant_id']}/{fields[MESSAGES[record.event][0]]}", partitions)
    named = {"LegRequested": "origin_branch", "JournalLegsAnswered": "branch"}.get(record.event or "")
    if named is not None:
        branch: int = fields[named]
        return branch
    by = fields["home_account_id" if record.event in JOURNAL_LEGS else "creditor_account_id"]
    return home_of(f"{fields['tenant_id']}/{by}", partitions)
