"""Hostile input: every kind of damage comes up, and the same seed does the same."""

from __future__ import annotations

import io
from random import Random

import fastavro
import pytest

import schemas
from pipeline.domain.kernel.partitions import partition_of
from pipeline.runtime.avro.check import parsed
from tests.chaos import hostile
from tests.chaos.hostile import LONG_MAX, LONG_MIN, LONG_TEXT, TENANT, Event, Sent

PARTITIONS = 4
HEAD = b"\0\0\0\0\7"


def payments(count: int) -> list[Event]:
    """Return good payments of the newest version."""
    text = schemas.newest("ledgerflow.PaymentInitiated").text
    schema = parsed(text)
    fields = {"tenant_id": TENANT, "occurred_at": 1_790_000_000_000_000, "correlation_id": "c"}
    fields |= {"causation_id": None, "debtor_account_id": "alice", "creditor_account_id": "bob"}
    fields |= {"amount_minor": 5, "currency": "EUR", "payment_type": "transfer", "reference": "r"}
    fields |= dict.fromkeys(("channel", "device_id", "counterparty_country", "merchant_category"))
    fields |= {"creditor_reference": "RF18539007547034", "remittance_text": None}
    return [
        Event(
            "payments",
            HEAD,
            schema,
            {**fields, "event_id": f"e{number}", "payment_id": f"p{number}"},
            "debtor_account_id",
        )
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def sent() -> list[Sent]:
    return sent_by(seed=1)


def sent_by(seed: int) -> list[Sent]:
    return list(hostile.damaged(payments(400), Random(seed), PARTITIONS))


def test_the_same_seed_sends_the_same(sent: list[Sent]) -> None:
    assert sent_by(seed=1) == sent
    assert sent_by(seed=2) != sent


def test_first_comes_what_is_good_and_in_order(sent: list[Sent]) -> None:
    schema = payments(1)[0].schema
    for number, record in enumerate(sent[:400]):
        assert record.value is not None and record.key == f"{TENANT}/alice".encode()
        assert record.partition == partition_of(f"{TENANT}/alice", PARTITIONS)
        fields = fastavro.schemaless_reader(_body(record.value), schema, None)
        assert isinstance(fields, dict) and fields["event_id"] == f"e{number}"


def test_every_kind_of_damage_comes_up(sent: list[Sent]) -> None:
    schema, found, amounts = payments(1)[0].schema, set[str](), set[int]()
    for record in sent[400:]:
        value = record.value
        if not value:
            found.add("null" if value is None else "empty")
            continue
        if record.key is None:
            found.add("no key")
        if record.partition != partition_of(f"{TENANT}/alice", PARTITIONS):
            found.add("elsewhere")
        if value[:1] != b"\0":
            found.add("magic")
        if len(value) > LONG_TEXT:
            found.add("long")
        try:
            fields = fastavro.schemaless_reader(_body(value), schema, None)
        except Exception:
            found.add("malformed")
            continue
        assert isinstance(fields, dict)
        amounts.add(fields["amount_minor"])
        if fields["occurred_at"] != 1_790_000_000_000_000:
            found.add("skewed")
        if not fields["event_id"].startswith("e"):
            found.add("renamed")
    wanted = {"null", "empty", "no key", "elsewhere", "magic", "long", "malformed", "skewed", "renamed"}
    assert found >= wanted
    assert amounts >= {LONG_MAX, LONG_MIN, 0, -1, 1}


def _body(value: bytes) -> io.BytesIO:
    return io.BytesIO(value[len(HEAD) :])
