"""The outputs of a transaction: events, records and blocks of columns come out in the order of the log."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import Block
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import record_key
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.records import (
    COLUMNS_MIN,
    NO_HEADERS,
    Columns,
    Pieces,
    columns_of,
    rows_as_records,
    singly,
)
from pipeline.runtime.unit import Ready, Unit
from tests.ledger.branches import TENANT
from tests.runtime.fixed_registry import FixedRegistry

PARTITION, PARTITIONS = 2, 4
ACCOUNTS = [f"account-{number}" for number in range(40)]


@pytest.fixture
def codec() -> Codec:
    return Codec(FixedRegistry())  # type: ignore[arg-type]


def event(kind: type, number: int, account: str) -> Any:
    """Return some event of a class; its id says which."""
    cells = {field.name: _cell(field.type, number) for field in msgspec.structs.fields(kind)}
    return kind(**{**cells, "event_id": f"event-{number}", "tenant_id": TENANT, "account_id": account})


def _cell(kind: Any, number: int) -> Any:
    return {int: number, str: "EUR", bool: True}.get(kind)


def updated(number: int, account: str) -> Any:
    """Return a balance_updated."""
    return msgspec.structs.replace(
        event(ev.BalanceUpdated, number, account), account_type="checking", status="OPEN", frozen="NONE"
    )


def closed(number: int, account: str) -> Any:
    """Return an account_closed, which stands for any event here."""
    return msgspec.structs.replace(event(ev.AccountClosed, number, account), reason="fraud")


def block(topic: str, events: list[Any], order: list[int]) -> Block:
    """Return events of one class as columns."""
    names = type(events[0]).__struct_fields__
    columns = {name: pa.array([getattr(one, name) for one in events]) for name in names}
    keys = pa.array([f"{TENANT}/{one.account_id}" for one in events])
    return Block(topic, type(events[0]), np.array(order), keys, columns)


def ids(codec: Codec, outputs: Any, topic: str) -> dict[int, list[str]]:
    """Return the ids of the events of a topic by partition, in order."""
    return {
        partition: [
            one.event_id for one in codec.decode([value for _, value, _, _ in singly(records)]).events
        ]
        for (name, partition), records in outputs.items()
        if name == topic
    }


def test_of_an_account_the_last_balance_counts_however_it_was_said(codec: Codec) -> None:
    unit = Unit(PARTITION, PARTITIONS)
    for numbers, by_columns in (
        ((0, 1, 2), False),
        ((3, 4, 5), True),
        ((6,), True),
        ((7, 8), False),
        ((9,), True),
    ):
        said = [updated(number, ACCOUNTS[number % 5]) for number in numbers]
        if by_columns:
            unit.add_run([block("balances", said, list(numbers))])
            continue
        for one in said:
            unit.add("balances", f"{TENANT}/{one.account_id}", one)
    assert unit.outputs == 0, "a compacted topic counts once"
    found = ids(codec, unit.encoded(codec), "balances")
    assert {key: sorted(said) for key, said in found.items()} == {
        PARTITION: [f"event-{number}" for number in range(5, 10)]
    }


def test_blocks_events_and_ready_records_come_out_in_the_order_of_the_log(codec: Codec) -> None:
    unit = Unit(PARTITION, PARTITIONS)
    unit.add("postings", "k", closed(0, "a"))
    odd = block("postings", [closed(number, "a") for number in (1, 3, 5)], [1, 3, 5])
    even = block("postings", [closed(number, "a") for number in (2, 4)], [2, 4])
    unit.add_run([odd, even])
    unit.add("postings", "k", closed(6, "a"))
    (value,) = codec.encode([closed(7, "a")])
    unit.add_record("postings", PARTITION, (b"k", value, NO_HEADERS, None))
    unit.add_run([block("postings", [closed(8, "a")], [0])])
    found = ids(codec, unit.encoded(codec), "postings")
    assert found == {PARTITION: [f"event-{number}" for number in range(9)]}
    assert unit.outputs == 9


def test_commands_go_to_the_partition_of_their_account_in_order(codec: Codec) -> None:
    unit, expected = Unit(PARTITION, PARTITIONS), dict[int, list[str]]()
    said = [closed(number, account) for number, account in enumerate(ACCOUNTS)]
    for one in said:
        home = partition_of(f"{TENANT}/{one.account_id}", PARTITIONS)
        expected.setdefault(home, []).append(one.event_id)
    unit.add_run(
        [
            block("ledger-commands", said[20:30][::-1], list(range(29, 19, -1))),
            block("ledger-commands", said[:20], list(range(20))),
        ]
    )
    for one in said[30:]:
        unit.add("ledger-commands", f"{TENANT}/{one.account_id}", one)
    outputs = unit.encoded(codec)
    assert ids(codec, outputs, "ledger-commands") == expected
    for records in outputs.values():
        for key, value, _, _ in singly(records):
            (one,) = codec.decode([value]).events
            assert key == f"{TENANT}/{one.account_id}".encode()


def test_many_records_become_columns_unless_one_of_them_has_headers_or_a_time() -> None:
    for last, becomes_columns in (
        ((b"k", b"v", NO_HEADERS, None), True),
        ((b"k", b"v", [("name", b"value")], None), False),
        ((b"k", b"v", NO_HEADERS, 5), False),
    ):
        pieces, plain = Pieces(), [(b"%d" % n, None, NO_HEADERS, None) for n in range(COLUMNS_MIN)]
        for record in [*plain, last]:
            pieces.add("t", 0, record)
        (found,) = pieces.joined().values()
        assert isinstance(found, Columns) is becomes_columns
        assert singly(found) == [*plain, last]


@pytest.mark.parametrize("count", [1, COLUMNS_MIN - 1, COLUMNS_MIN])
def test_rows_are_records_of_the_changelog_and_a_row_that_is_gone_has_no_value(count: int) -> None:
    rows = {b"%d" % number: b"row" if number else None for number in range(count)}
    records = rows_as_records(rows)
    assert [(key, value) for key, value, _, _ in singly(records)] == list(rows.items())


def test_records_that_a_run_passes_on_stand_among_its_blocks(codec: Codec) -> None:
    unit = Unit(PARTITION, PARTITIONS)
    own = next(one for one in ACCOUNTS if partition_of(f"{TENANT}/{one}", PARTITIONS) == PARTITION)
    passed = [
        (f"{TENANT}/{own}".encode(), value, NO_HEADERS, None)
        for value in codec.encode([closed(number, own) for number in (1, 2, 4)])
    ]
    said = block("ledger-commands", [closed(number, own) for number in (0, 3)], [0, 3])
    unit.add_run([said, Ready("ledger-commands", np.array([1, 2, 4]), columns_of(passed))])
    unit.add_run([Ready("ledger-commands", np.array([], np.int64), columns_of([]))])
    assert unit.outputs == 5
    found = ids(codec, unit.encoded(codec), "ledger-commands")
    assert found == {PARTITION: [f"event-{number}" for number in range(5)]}


def card(number: int) -> ev.PayeeRiskChanged:
    """Return what every partition is told of an account."""
    account = ACCOUNTS[number % 5]
    return ev.PayeeRiskChanged(f"event-{number}", TENANT, 0, "c", None, account, 0, "AQ==")


@pytest.mark.parametrize("by_columns", [False, True])
def test_what_all_partitions_read_goes_to_each_of_them_among_the_others_in_order(
    codec: Codec, by_columns: bool
) -> None:
    unit = Unit(PARTITION, PARTITIONS)
    said = [closed(number, ACCOUNTS[number]) if number % 3 else card(number) for number in range(12)]
    if by_columns:
        blocks = []
        for kind in (ev.AccountClosed, ev.PayeeRiskChanged):
            events = [one for one in said if type(one) is kind]
            order = [int(one.event_id.removeprefix("event-")) for one in events]
            columns = {
                name: pa.array([getattr(one, name) for one in events]) for name in kind.__struct_fields__
            }
            keys = pa.array(map(record_key, events))
            blocks.append(Block("fraud-commands", kind, np.array(order), keys, columns))
        unit.add_run(blocks)
    else:
        for one in said:
            unit.add("fraud-commands", record_key(one), one)
    expected = {
        partition: [
            one.event_id
            for one in said
            if type(one) is ev.PayeeRiskChanged or partition_of(record_key(one), PARTITIONS) == partition
        ]
        for partition in range(PARTITIONS)
    }
    assert ids(codec, unit.encoded(codec), "fraud-commands") == expected
    assert unit.outputs == sum(map(len, expected.values()))
