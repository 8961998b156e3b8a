"""Logs of fraud-commands for the judge's model and for the product's rules: what each answers to a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.routing import record_key
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.verify.model.fraud_log import FRAUD_TABLE, FraudBranch
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import ALERTS, COMMANDS, FRAUD_COMMANDS, PAYMENT_EVENTS, Expected
from tests.kernel.side_by_side import Log

NAMES = {kind: name.removeprefix("ledgerflow.") for name, kind in EVENTS.items()}


def plain(event: Any) -> Any:
    """Return the fields of an event, as a record has them."""
    return msgspec.json.decode(msgspec.json.encode(event))


def records(log: Log) -> list[Record]:
    """Return a log as records of partition 0 of one."""
    found = []
    for offset, (event, now) in enumerate(log):
        fields = plain(event)
        place = ("fraud-commands", 0, offset, now // 1000)
        key = record_key(event).encode()
        found.append(Record(*place, key, b"bytes of %d" % offset, {}, NAMES[type(event)], fields, None))
    return found


class KeptRows(MemoryRows):
    """Rows that remember what was written since they were asked last."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[bytes, bytes | None] = {}

    def put(self, key: bytes, value: bytes) -> None:
        super().put(key, value)
        self.written[key] = value

    def delete(self, key: bytes) -> None:
        super().delete(key)
        self.written[key] = None


class Product:
    """The product's rules over rows in memory; answers as the model does."""

    def __init__(self, stream: FraudLog | None = None) -> None:
        self.stream, self.rows = stream or FraudLog(), KeptRows()

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        """Apply a record; return the code of its dead letter, or what comes out."""
        kind, out, key = EVENTS[f"ledgerflow.{record.event}"], Outbox(), record.key or b""
        event = msgspec.convert(record.fields, kind)
        self.rows.written = {}
        try:
            self.stream.apply(event, Arrival(record.timestamp_ms * 1000, 0, 1, record.offset), self.rows, out)
        except Reject as reject:
            return reject.code, []
        said = [
            Expected(topic, key, record.event or "", record.fields, record.offset, record.value)
            if emitted is None
            else Expected(topic, to.encode(), NAMES[type(emitted)], plain(emitted), record.offset)
            for topic, to, emitted in out.items
        ]
        rows = [
            Expected(FRAUD_TABLE, key, "row", {}, record.offset, value)
            for key, value in self.rows.written.items()
        ]
        return None, said + rows


def parted(out: Sequence[Expected]) -> list[list[Expected]]:
    """Return the outputs of one record by topic, in order, and its rows, which have no order."""
    topics = (COMMANDS, PAYMENT_EVENTS, ALERTS, FRAUD_COMMANDS)
    rows = sorted((wanted for wanted in out if wanted.topic == FRAUD_TABLE), key=lambda wanted: wanted.key)
    return [*([wanted for wanted in out if wanted.topic == topic] for topic in topics), rows]


def assert_agreed(
    log: Iterable[Record], model: FraudBranch | None = None, product: Any = None
) -> list[Expected]:
    """Check that both answer each record with the same; return the answers."""
    model, product = model or FraudBranch(0, 1), product or Product()
    found: list[Expected] = []
    for record in log:
        code, out = model.apply(record)
        product_code, product_out = product.apply(record)
        assert (code, parted(out)) == (product_code, parted(product_out)), record
        found += out
    return found


class Said:
    """What a stream has really said, for a model that takes from it what settings decide."""

    def __init__(self) -> None:
        self.said: dict[str, list[Record]] = {}
        self.accounted: dict[str, int] = {}

    def __call__(
        self, topic: str, ahead: int, matches: Callable[[Record], bool], sure: bool
    ) -> Record | None:
        """Return what was said next, as a model's witness does."""
        place = self.accounted.get(topic, 0) + ahead
        said = self.said.get(topic, [])[place : place + (9 if sure else 1)]
        return next((one for one in said if matches(one)), None)

    def hear(self, out: Iterable[Expected]) -> None:
        """Take what the product says of a record."""
        for one in out:
            said = self.said.setdefault(one.topic, [])
            place = (one.topic, 0, len(said), 0, one.key, one.value, {})
            said.append(Record(*place, one.event, one.fields, None))

    def account(self, out: Iterable[Expected]) -> None:
        """Take it that the model has expected something."""
        for one in out:
            self.accounted[one.topic] = self.accounted.get(one.topic, 0) + 1


def assert_agreed_as_said(log: Iterable[Record], product: Any = None) -> list[Expected]:
    """Check that a model that takes verdicts of settings as they were said expects what the product says."""
    said, product = Said(), product or Product()
    model, found = FraudBranch(0, 1, with_rows=False, witness=said), list[Expected]()
    for record in log:
        product_code, product_out = product.apply(record)
        wanted = [one for one in product_out if one.topic != FRAUD_TABLE]
        said.hear(wanted)
        code, out = model.apply(record)
        assert (code, parted(out)) == (product_code, parted(wanted)), record
        said.account(out)
        found += out
    return found
