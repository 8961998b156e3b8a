"""Records that no stream may apply and none may stop for, each with the code its dead letter must carry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.routing import BROADCAST, record_key
from tests.ledger.branches import envelope
from tests.runtime.task_bench import PARTITIONS, own_accounts
from tests.streams.stream_bench import StreamBench, assert_replays

POISON_ID = "poison"
"""The event id of every poison record: no output may name it as its cause."""


def poison(bench: StreamBench, good: Any, key_field: str, stranger: Any) -> list[tuple[Any, str]]:
    """Append one record for each way of being unreadable, misplaced or unexpected; return them with codes.

    `good` is an event that the stream would apply, `key_field` what its key names beside the tenant,
    `stranger` an event of another stream on the same partition.
    """
    event = msgspec.structs.replace(good, event_id=POISON_ID)
    value, key = bench.value(event), record_key(good).encode()
    intruder = msgspec.structs.replace(stranger, event_id=POISON_ID)
    unread = {
        "account_id": "x",
        "account_type": "savings",
        "currency": "EUR",
        "status": "OPEN",
        "frozen": "NONE",
    }
    unread_fields = {**dict.fromkeys(ev.BalanceUpdated.__struct_fields__, 0), **unread, **envelope(POISON_ID)}
    answer = ev.BalanceUpdated(**unread_fields)
    records = [
        (value, None, "no_key"),
        (value, b"", "wrong_key"),
        (value, key + b"x", "wrong_key"),
        (value, b"\xff", "wrong_key"),
        (bench.value(answer), key, "unexpected_event"),
        (bench.value(intruder), record_key(stranger).encode(), "unexpected_event"),
        (None, key, "no_value"),
        (None, None, "no_value"),
        (b"", key, "no_value"),
        (value[:4], key, "no_header"),
        (value[:5], key, "malformed_value"),
        (value[:-1], key, "malformed_value"),
        (value + b"\0", key, "malformed_value"),
        (value.replace(POISON_ID.encode(), b"\xff" * len(POISON_ID)), key, "malformed_value"),
        (b'{"event_id": "poison"}', key, "wrong_magic_byte"),
        (b"\0\0\0\0\1" + value[5:], key, "unknown_schema_id"),
    ]
    if type(good) not in BROADCAST:
        (elsewhere,) = own_accounts(1, partition=(bench.partition + 1) % PARTITIONS)
        moved = msgspec.structs.replace(event, **{key_field: elsewhere})
        records.append((bench.value(moved), record_key(moved).encode(), "wrong_partition"))
    return [(bench.record(value, key), code) for value, key, code in records]


NOT_OUTPUTS = ("dead-letters", "app-changelog")


def causes(bench: StreamBench) -> set[str]:
    """Return the ids of the events that have led to an output, or were passed on."""
    written = {place: records for place, records in bench.written().items() if place[0] not in NOT_OUTPUTS}
    return {event.causation_id or event.event_id for _, _, _, event in bench.decoded(written)}


async def assert_applied_or_dead(
    bench: StreamBench,
    goods: list[Any],
    key_field: str,
    stranger: Any,
    folder: Path,
    effects: Callable[[StreamBench], set[str]] = causes,
) -> None:
    """Apply good events with poison among them as one batch: every record has its effect or is a dead letter.

    Each good event must have an effect of its own, an output unless told. Many are tried in columns first,
    few go one by one.
    """
    half = len(goods) // 2
    for event in goods[:half]:
        bench.of(event)
    bad = poison(bench, goods[0], key_field, stranger)
    for event in goods[half:]:
        bench.of(event)
    await bench.accept(*bench.log)
    await bench.settled()
    assert bench.failures == []
    assert bench.dead() == [(record.offset, code) for record, code in bad]
    assert effects(bench) == {event.event_id for event in goods}
    assert bench.task.committed == bench.log[-1].offset + 1
    await assert_replays(bench, folder)
