"""What branches send each other in a replay, from its sending until it is applied.

    a branch's outputs to its own log -> BranchMessages, by the branch that they are for and their event id
    the log of that branch            -> says where the old rules applied it: there it is applied again

It lies in a database of its own, and a replay may be interrupted anywhere: what is sent is written before the
rows of its sender, and sending it again changes nothing; before it is applied it is marked with the offset:
how far the branch's rows go then tells whether it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from pipeline.domain.ledger.outputs import BETWEEN_BRANCHES
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.records import OutputRecord
from pipeline.runtime.store.partition_store import PartitionStore

_WAITS, _EARLY = -1, -2


class Message(NamedTuple):
    """A record that one branch sends another."""

    key: bytes
    value: bytes


class _Row(msgspec.Struct, array_like=True, gc=False):
    key: bytes
    value: bytes
    offset: int
    """Where it is applied; _WAITS; or _EARLY: it was applied as the log has it, before it was sent."""


_pack, _unpack = msgspec.msgpack.encode, msgspec.msgpack.Decoder(_Row).decode


class BranchMessages:
    """The messages that are under way."""

    def __init__(self, store: PartitionStore, codec: Codec) -> None:
        self._store = store
        self._codec = codec

    def received(self, records: Sequence[Any]) -> dict[int, Any]:
        """Return the messages among the records of a log, decoded, by their place in the list."""
        values = [record.value for record in records]
        kinds = self._codec.kinds(values)
        places = [place for place, kind in enumerate(kinds) if kind in BETWEEN_BRANCHES]
        events = self._codec.decode([values[place] for place in places]).events
        # A message that cannot be read is for the rules: a dead letter, as it was.
        return {place: event for place, event in zip(places, events, strict=True) if event is not None}

    def places(self, records: Sequence[Any]) -> dict[str, int]:
        """Return where in the list each event stands, by its id."""
        events = self._codec.decode([record.value for record in records]).events
        return {event.event_id: place for place, event in enumerate(events) if event is not None}

    def send(self, partition: int, records: Sequence[OutputRecord]) -> None:
        """Take in what a branch says to another one; of what was applied early nothing is left to do."""
        events = self._codec.decode([value for _, value, *_ in records]).events
        rows: dict[bytes, bytes | None] = {}
        for (key, value, *_), event in zip(records, events, strict=True):
            place = _place(partition, event.event_id)
            known = self._row(place)
            early = known is not None and known.offset == _EARLY
            rows[place] = None if early else _pack(_Row(key or b"", value or b"", _WAITS))
        self._store.write(rows, None)

    def find(self, partition: int, event_id: str) -> Message | None:
        """Return what was sent to a branch under an event id and is not applied yet, or None."""
        row = self._row(_place(partition, event_id))
        return None if row is None or row.offset == _EARLY else Message(row.key, row.value)

    def applying(self, partition: int, offsets: Mapping[str, int]) -> None:
        """Take note of the offsets at which messages, by event id, are about to be applied."""
        rows: dict[bytes, bytes | None] = {}
        for event_id, offset in offsets.items():
            row = self._row(_place(partition, event_id))
            assert row is not None, "only what was found is applied"
            row.offset = offset
            rows[_place(partition, event_id)] = _pack(row)
        self._store.write(rows, None)

    def applying_early(self, partition: int, event_id: str) -> None:
        """Take note that a message is applied as the log has it, because its sender is not there yet."""
        self._store.write({_place(partition, event_id): _pack(_Row(b"", b"", _EARLY))}, None)

    def applied(self, partition: int, event_ids: Iterable[str]) -> None:
        """Forget messages: the rows of their branch contain them."""
        self._store.write(dict.fromkeys(_place(partition, event_id) for event_id in event_ids), None)

    def recover(self, ends: Mapping[int, int]) -> None:
        """Forget what an interrupted replay has applied: what stands below the end of its branch's rows."""
        rows: dict[bytes, bytes | None] = {}
        for place, value in self._store.committed_scan(b""):
            row = _unpack(value)
            partition, _ = _named(place)
            if row.offset >= 0:
                row.offset, applied = _WAITS, row.offset < ends[partition]
                rows[place] = None if applied else _pack(row)
        self._store.write(rows, None)

    def waiting(self) -> list[tuple[int, str, Message]]:
        """Return what nobody has applied: the branch that it is for, its event id, the message."""
        rows = [(place, _unpack(value)) for place, value in self._store.committed_scan(b"")]
        return [(*_named(place), Message(row.key, row.value)) for place, row in rows if row.offset == _WAITS]

    def wipe(self) -> None:
        """Forget everything."""
        self._store.wipe()

    def _row(self, place: bytes) -> _Row | None:
        value = self._store.committed_get(place)
        return None if value is None else _unpack(value)


def _place(partition: int, event_id: str) -> bytes:
    return partition.to_bytes(4, "big") + event_id.encode()


def _named(place: bytes) -> tuple[int, str]:
    return int.from_bytes(place[:4], "big"), place[4:].decode()
