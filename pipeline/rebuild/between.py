"""The messages that branches send each other in a replay, kept from sending until they are applied.

    outputs of a branch to the log  -> BranchMessages, by receiving branch and event id
    the log of the receiving branch -> where the message is in that log, it is applied in the replay, too

Messages are kept in a database of their own, and a replay may be interrupted at any moment. A message is
written before the rows of its sender, and writing it again changes nothing. Before it is applied, its offset
is written with it: after an interruption the source offset of the receiver's rows shows whether it was.
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
    """Offset where it is applied; _WAITS; or _EARLY: applied as it is in the log, before sending."""


_pack, _unpack = msgspec.msgpack.encode, msgspec.msgpack.Decoder(_Row).decode


class BranchMessages:
    """Messages that are sent and not yet applied."""

    def __init__(self, store: PartitionStore, codec: Codec) -> None:
        self._store = store
        self._codec = codec

    def received(self, records: Sequence[Any]) -> dict[int, Any]:
        """Return the decoded messages among the records of a log, by their index in the list."""
        values = [record.value for record in records]
        kinds = self._codec.kinds(values)
        places = [place for place, kind in enumerate(kinds) if kind in BETWEEN_BRANCHES]
        events = self._codec.decode([values[place] for place in places]).events
        # A message that cannot be decoded goes to the rules, which make it a dead letter as before.
        return {place: event for place, event in zip(places, events, strict=True) if event is not None}

    def places(self, records: Sequence[Any]) -> dict[str, int]:
        """Return the index in the list of each event, by its event id."""
        events = self._codec.decode([record.value for record in records]).events
        return {event.event_id: place for place, event in enumerate(events) if event is not None}

    def send(self, partition: int, records: Sequence[OutputRecord]) -> None:
        """Keep messages for a branch. Of one that was applied early only the note of that is removed."""
        events = self._codec.decode([value for _, value, *_ in records]).events
        rows: dict[bytes, bytes | None] = {}
        for (key, value, *_), event in zip(records, events, strict=True):
            place = _place(partition, event.event_id)
            known = self._row(place)
            early = known is not None and known.offset == _EARLY
            rows[place] = None if early else _pack(_Row(key or b"", value or b"", _WAITS))
        self._store.write(rows, None)

    def find(self, partition: int, event_id: str) -> Message | None:
        """Return the message to a branch with an event id that is not applied yet, or None."""
        row = self._row(_place(partition, event_id))
        return None if row is None or row.offset == _EARLY else Message(row.key, row.value)

    def applying(self, partition: int, offsets: Mapping[str, int]) -> None:
        """Write the offsets at which messages, by event id, are about to be applied."""
        rows: dict[bytes, bytes | None] = {}
        for event_id, offset in offsets.items():
            row = self._row(_place(partition, event_id))
            assert row is not None, "only what was found is applied"
            row.offset = offset
            rows[_place(partition, event_id)] = _pack(row)
        self._store.write(rows, None)

    def applying_early(self, partition: int, event_id: str) -> None:
        """Write that a message is applied as it is in the log, before it was sent in the replay."""
        self._store.write({_place(partition, event_id): _pack(_Row(b"", b"", _EARLY))}, None)

    def applied(self, partition: int, event_ids: Iterable[str]) -> None:
        """Delete messages that the rows of their branch contain."""
        self._store.write(dict.fromkeys(_place(partition, event_id) for event_id in event_ids), None)

    def recover(self, ends: Mapping[int, int]) -> None:
        """Delete what an interrupted replay has applied: messages with an offset below their branch's end.

        `ends`: the source offset of each branch's rows, by partition.
        """
        rows: dict[bytes, bytes | None] = {}
        for place, value in self._store.committed_scan(b""):
            row = _unpack(value)
            partition, _ = _named(place)
            if row.offset >= 0:
                row.offset, applied = _WAITS, row.offset < ends[partition]
                rows[place] = None if applied else _pack(row)
        self._store.write(rows, None)

    def waiting(self) -> list[tuple[int, str, Message]]:
        """Return the messages that are not applied: receiving branch, event id, message."""
        rows = [(place, _unpack(value)) for place, value in self._store.committed_scan(b"")]
        return [(*_named(place), Message(row.key, row.value)) for place, row in rows if row.offset == _WAITS]

    def wipe(self) -> None:
        """Delete all messages."""
        self._store.wipe()

    def _row(self, place: bytes) -> _Row | None:
        value = self._store.committed_get(place)
        return None if value is None else _unpack(value)


def _place(partition: int, event_id: str) -> bytes:
    return partition.to_bytes(4, "big") + event_id.encode()


def _named(place: bytes) -> tuple[int, str]:
    return int.from_bytes(place[:4], "big"), place[4:].decode()
