"""What a partition task cannot apply: each record a dead letter with its reason, its neighbours applied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from tests.ledger.branches import TENANT, envelope, opened
from tests.runtime.task_bench import Bench, closed, own_accounts

A, B = own_accounts(2)
ELSEWHERE = own_accounts(1, partition=1)[0]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    built = Bench(tmp_path)
    yield built
    assert built.store is not None
    built.store.close()


def _price() -> ev.PriceQuoted:
    return ev.PriceQuoted(**envelope("e"), instrument_id="I", price_e8=1, currency="EUR")


def _balance(account_id: str) -> ev.BalanceUpdated:
    fields = dict.fromkeys(ev.BalanceUpdated.__struct_fields__, 0)
    texts = {"account_id": account_id, "account_type": "savings", "currency": "EUR"}
    texts |= {"status": "OPEN", "frozen": "NONE"}
    return ev.BalanceUpdated(**{**fields, **envelope("e"), **texts})  # type: ignore[arg-type]


WAYS = [
    "no key",
    "the key of another account",
    "the key without its tenant",
    "a key that is no text",
    "another partition",
    "an event that no stream reads",
    "an event of another stream",
    "an event that the rules refuse",
    "no value",
    "an empty value",
    "a short value",
    "another format",
    "an unknown schema",
    "a cut value",
    "too large a value",
]


def _dead(bench: Bench) -> dict[str, tuple[Any, str, str, str]]:
    """Return one record for each way of being dead, with the class, code and message it must get."""
    value = bench.codec.encode([opened("e", A)])[0]
    own = f"{TENANT}/{A}".encode()
    reject = bench.codec.encode([opened("e", A, customer_id="reject")])[0]
    return {
        "no key": (bench.record(value, None), "Routing", "no_key", ""),
        "the key of another account": (
            bench.record(value, f"{TENANT}/{B}".encode()),
            "Routing",
            "wrong_key",
            "expected tenant_id/account_id",
        ),
        "the key without its tenant": (
            bench.record(value, A.encode()),
            "Routing",
            "wrong_key",
            "expected tenant_id/account_id",
        ),
        "a key that is no text": (
            bench.record(value, b"\xff"),
            "Routing",
            "wrong_key",
            "expected tenant_id/account_id",
        ),
        "another partition": (bench.of(opened("e", ELSEWHERE)), "Routing", "wrong_partition", "expected 1"),
        "an event that no stream reads": (
            bench.of(_balance(A)),
            "Routing",
            "unexpected_event",
            "BalanceUpdated",
        ),
        "an event of another stream": (
            bench.of(closed(A, 1)),
            "Rejected",
            "unexpected_event",
            "AccountClosed",
        ),
        "an event that the rules refuse": (bench.record(reject, own), "Rejected", "not_wanted", "a detail"),
        "no value": (bench.record(None, own), "Decoding", "no_value", ""),
        "an empty value": (bench.record(b"", own), "Decoding", "no_value", ""),
        "a short value": (bench.record(value[:3], own), "Decoding", "no_header", ""),
        "another format": (bench.record(b'{"a":1}', own), "Decoding", "wrong_magic_byte", "123"),
        "an unknown schema": (
            bench.record(b"\0\0\0\0\1abc", own),
            "Decoding",
            "unknown_schema_id",
            "1",
        ),
        "a cut value": (
            bench.record(value[:-1], own),
            "Decoding",
            "malformed_value",
            "the value ends too early",
        ),
        "too large a value": (
            bench.record(value + bytes(2**18), own),
            "Decoding",
            "too_large",
            f"{len(value) + 2**18} bytes, at most {2**18}",
        ),
    }


@pytest.mark.parametrize("filler", [0, 30], ids=["small batch", "columns"])
@pytest.mark.parametrize("way", WAYS)
async def test_what_cannot_be_applied_is_a_dead_letter_and_the_rest_is_applied(
    way: str, filler: int, bench: Bench
) -> None:
    good = [bench.of(opened(f"good-{number}", A)) for number in range(filler + 1)]
    record, error_class, code, message = _dead(bench)[way]
    last = bench.of(opened("last", B))
    await bench.task.accept(bench.batch(*good, record, last))
    await bench.settled()
    ((outputs, (source,)),) = bench.producer.commits
    ((key, value, headers, timestamp),) = outputs["dead-letters", 0]
    assert (key, value, timestamp) == (record.key, record.value, record.timestamp)
    said = {name.removeprefix("__ledgerflow.errors."): text.decode() for name, text in headers}
    assert (said["class"], said["code"], said["message"]) == (error_class, code, message)
    assert (said["stage"], said["topic"], said["offset"]) == ("counting", "accounts", str(record.offset))
    assert source == ("counting", "accounts", 0, bench.offset)
    assert len(outputs["postings", 0]) == filler + 2
    assert bench.store is not None
    assert (bench.store.get(b"a" + A.encode()), bench.store.get(b"a" + B.encode())) == (
        b"%d" % (filler + 1),
        b"1",
    )
    assert (bench.task.applied_records, bench.task.dead_letters) == (filler + 3, 1)


async def test_a_null_attempt_header_of_a_poison_record_does_not_stop_the_partition(bench: Bench) -> None:
    headers = [("__ledgerflow.errors.attempt", None), ("own", None)]
    await bench.task.accept(bench.batch(bench.record(b"poison", None, headers)))
    await bench.settled()
    assert bench.failures == []
    assert len(bench.producer.commits[0][0]["dead-letters", 0]) == 1


async def test_a_price_is_welcome_on_every_partition(tmp_path: Path) -> None:
    bench = Bench(tmp_path, table=False, partition=3)
    price = bench.codec.encode([_price()])[0]
    bench.task.apply([bench.record(price, b"acme/I"), bench.record(price, b"acme/J")])
    assert len(bench.rules.arrivals) == 1
    assert bench.task.dead_letters == 2  # the rules want no price; the other one has a wrong key


def test_every_way_is_tried(bench: Bench) -> None:
    assert list(_dead(bench)) == WAYS
