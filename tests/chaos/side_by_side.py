"""A model and the product's pure rules side by side, record by record. For tests: the checker knows no rules.

fields of events -> Record -> the model's dead letter, outputs and rows
                 -> Struct -> the rule's refusal, outbox and writes      -> the first difference
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.verify.model.record import Record
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.wire import BALANCES, TABLE

NAMES = {kind: name.removeprefix("ledgerflow.") for name, kind in EVENTS.items()}
"""Short Avro names by class."""


class WrittenRows(MemoryRows):
    """Rows in memory that remember every write, as a changelog does."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[bytes, bytes | None]] = []

    def put(self, key: bytes, value: bytes) -> None:
        super().put(key, value)
        self.written.append((key, value))

    def delete(self, key: bytes) -> None:
        super().delete(key)
        self.written.append((key, None))


def first_difference(
    model: StreamModel, rules: Any, log: Iterable[Record], *, families: bytes | None = None
) -> str | None:
    """Apply a log to both and return the first difference, or None.

    `families`: the first bytes of the keys of those rows that the model knows (None: all).
    """
    rows, out = WrittenRows(), Outbox()
    for made in log:
        event = msgspec.convert(made.fields, EVENTS[f"ledgerflow.{made.event}"])
        rows.written.clear()
        out.items.clear()
        refused = None
        try:
            at = Arrival(made.timestamp_ms * 1000, model.number, model.partitions, made.offset)
            rules.apply(event, at, rows, out)
        except Reject as reject:
            refused = reject.code
        code, expected = model.apply(made)
        place = f"{made.offset}: {made.event} {made.fields}"
        if code != refused:
            return f"{place}: the product says {refused}, the model {code}"
        said = [said_by(item, made) for item in out.items]
        wanted = [(one.topic, one.key, one.event, one.fields) for one in expected if one.topic != TABLE]
        said.sort(key=place_of)
        wanted.sort(key=place_of)
        for left, right in itertools.zip_longest(said, wanted):
            if left != right:
                return f"{place}: the product says\n{left}\nthe model\n{right}"
        written = {key: row for key, row in rows.written if families is None or key[0] in families}
        kept = {one.key: one.value for one in expected if one.topic == TABLE}
        if written != kept:
            keys = [key for key in written.keys() | kept.keys() if written.get(key, 0) != kept.get(key, 0)]
            pairs = [(key, written.get(key, "nothing"), kept.get(key, "nothing")) for key in keys]
            return f"{place}: rows differ: {pairs}"
    return None


def said_by(item: tuple[str, str, Any], made: Record) -> tuple[str, bytes, str, dict[str, Any]]:
    """Return an output: its topic, key, event and fields; what is passed on is the record itself."""
    topic, key, event = item
    if event is None:
        return topic, made.key or b"", made.event or "", made.fields
    return topic, key.encode(), NAMES[type(event)], builtins(event)


def place_of(said: tuple[str, bytes, str, dict[str, Any]]) -> tuple[str, bytes]:
    """Return by what an output has its order: its topic, and in a compacted one its key."""
    topic, key, *_ = said
    return topic, key if topic == BALANCES else b""


def builtins(event: Any) -> dict[str, Any]:
    """Return an event's fields as a decoder gives them."""
    fields: dict[str, Any] = with_lists(msgspec.to_builtins(event))
    return fields


def with_lists(value: Any) -> Any:
    """Return a value with lists in the place of tuples, also within."""
    if isinstance(value, dict):
        return {name: with_lists(one) for name, one in value.items()}
    return [with_lists(one) for one in value] if isinstance(value, (list, tuple)) else value
