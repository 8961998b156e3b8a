"""Payments as producers with schemas of their own write them, and a registry that has these."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import fastavro
import pytest

import schemas
from tests.contract.samples import records
from tests.runtime.fake_registry import FakeRegistry

PAYMENT = schemas.newest("ledgerflow.PaymentInitiated")


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    running = FakeRegistry()
    yield running
    running.stop()


def payment_with(*fields: Any) -> str:
    """Return the newest payment_initiated with more fields."""
    record = json.loads(PAYMENT.text)
    record["fields"] += fields
    return json.dumps(record)


def nullable(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None}


CHAIN = {"type": "record", "name": "Chain", "fields": [nullable("next", "Chain")]}
RECURSIVE = payment_with(nullable("chain", CHAIN))


def framed(schema_id: int, text: str, **more: Any) -> bytes:
    """Return a payment as a producer with this schema writes it."""
    target = io.BytesIO()
    fastavro.schemaless_writer(
        target, fastavro.parse_schema(json.loads(text)), {**records(PAYMENT)[0], **more}
    )
    return b"\0" + schema_id.to_bytes(4, "big") + target.getvalue()
