"""What the fraud stream of an earlier commit made of a log: kept, so that today's stream goes on from there.

    python -m tests.streams.earlier_fraud FILE

writes FILE, in a tree of that commit in which this module was put. It takes nothing that only one of the two
trees has.
"""

from __future__ import annotations

import asyncio
import lzma
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.runtime.settings import load_settings
from tests.contract.earlier import Record
from tests.fraud.logs import busy_log
from tests.ledger.branches import DAY, envelope
from tests.runtime.fixed_registry import FIRST_ID
from tests.runtime.task_bench import own_accounts
from tests.streams.stream_bench import CHANGELOG, StreamBench
from topologies import fraud
from topologies.configuration import Configuration

FILE = Path(__file__).parent / "fraud_of_f3ce736.msgpack.xz"
TENANTS = "[tenants.acme]\npayments_per_second = 1000\nburst = 5000\n"
BUSY, CALM = own_accounts(4)[:3], own_accounts(4)[3]
"""Debtors: three of a busy log, and one with the payments that the tests name."""
MINUTE, HOUR = 60_000_000, 3_600_000_000


class Earlier(msgspec.Struct):
    """A log, and what became of it."""

    schemas: dict[int, str]
    """The text of each schema, by the ids in the values."""
    log: list[Record]
    """What was read of fraud-commands."""
    written: dict[str, list[Record]]
    """What was written, by topic."""
    rows: dict[bytes, bytes]
    """The table at the end."""


def read_earlier() -> Earlier:
    """Return what is kept."""
    return msgspec.msgpack.decode(lzma.decompress(FILE.read_bytes()), type=Earlier)


def payment(payment_id: str, at: int, amount_minor: int = 10_00, **changes: Any) -> ev.PaymentInitiated:
    """Return a payment of the calm debtor; its event has the payment's id unless told."""
    fields = {
        **envelope(payment_id, at),
        "payment_id": payment_id,
        "debtor_account_id": CALM,
        "creditor_account_id": "shop",
        "amount_minor": amount_minor,
        "currency": "EUR",
        "payment_type": "payment",
        "reference": "thanks",
        "channel": "app",
        "device_id": "phone",
        "counterparty_country": "FR",
        "merchant_category": None,
    }
    return ev.PaymentInitiated(**{**fields, **changes})


def link(event_id: str, at: int) -> ev.PaymentsLinked:
    """Return linked payments of the calm debtor, always the same."""
    parts = tuple(
        ev.LinkedPayment(f"part {number}", "shop", 20_00, "EUR", "payment", "t", None, None, None, None)
        for number in range(2)
    )
    return ev.PaymentsLinked(
        **envelope(event_id, at), link_id="both", debtor_account_id=CALM, payments=parts,
        open_account=None, actor=None, metadata=None, expected_sequence=None,
    )  # fmt: skip


def calm_log(at: int) -> list[Any]:
    """Return what the calm debtor sends: what is approved, held, linked, and waits for its time."""
    wait = {"execute_at": at + 2 * DAY}
    names = {"payment_id": "called off", "debtor_account_id": CALM, "reason": "none"}
    return [
        *(payment(f"kept {number}", at + number * MINUTE) for number in range(3)),
        link("link", at + 4 * MINUTE),
        payment("waits", at + 5 * MINUTE, **wait),
        payment("waits, large", at + 5 * MINUTE, 2_000_000_00, **wait),
        payment("called off", at + 6 * MINUTE, **wait),
        ev.PaymentCancelled(**envelope("cancellation", at + 7 * MINUTE), **names),
        *(payment(f"fast {number}", at + 10 * MINUTE) for number in range(40)),
    ]


def _value(value: bytes) -> bytes:
    """Return a framed value under an id that a bench's registry has not given out itself."""
    return value[:1] + (int.from_bytes(value[1:5], "big") - FIRST_ID + 1).to_bytes(4, "big") + value[5:]


def _record(offset: int, timestamp: int, key: bytes | None, value: bytes | None) -> Record:
    return Record(offset, timestamp, key, None if value is None else _value(value), [])


async def make(folder: Path) -> Earlier:
    """Apply a log with the stream of this tree."""
    (folder / "tenants.toml").write_text(TENANTS)
    spec = fraud.STREAMS[0].spec(Configuration(load_settings(tenants=folder / "tenants.toml")))
    bench, chance = StreamBench(spec, folder), Random(19)
    now = 0
    for event, at in busy_log(chance, 250, BUSY, scheduled=0.1, links=0.05):
        now = max(now, at)
        version = chance.choice([1, 2, 3, None]) if type(event) is ev.PaymentInitiated else None
        bench.of(event, version, recorded_at=at)
    for event in calm_log(now + HOUR):
        bench.of(event, recorded_at=event.occurred_at)
    for record in bench.log:
        await bench.accept(record)
        await bench.settled()
    ids = {schema_id: schema.text for schema, schema_id in bench.registry._ids.items()}
    found = Earlier(
        {schema_id - FIRST_ID + 1: text for schema_id, text in ids.items()},
        [_record(one.offset, one.timestamp, one.key, one.value) for one in bench.log],
        {
            topic: [
                _record(number, at or 0, key, value) for number, (key, value, _, at) in enumerate(records)
            ]
            for (topic, _), records in bench.written().items()
            if topic not in (CHANGELOG, "dead-letters")
        },
        bench.rows(),
    )
    assert bench.failures == []
    bench.close()
    used = {int.from_bytes(one.value[1:5], "big") for one in _all(found) if one.value}
    found.schemas = {schema_id: found.schemas[schema_id] for schema_id in sorted(used)}
    return found


def _all(found: Earlier) -> list[Record]:
    return [*found.log, *(one for records in found.written.values() for one in records)]


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        made = asyncio.run(make(Path(place)))
    Path(sys.argv[1]).write_bytes(lzma.compress(msgspec.msgpack.encode(made), preset=9))
