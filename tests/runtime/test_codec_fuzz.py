"""Differential fuzz of the codec: whatever the bytes, columns and strict decoding agree on every record.

Records are mutated (flipped bits, truncations, joins, giant lengths, wrong branches and symbols, bytes behind
the value, noise) and go through `Codec.decode` in batches of 64. Each one must come out as the event that
`decode_strict` reads from it, or as a dead letter exactly where `decode_strict` refuses it.
"""

from __future__ import annotations

import io
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN
from pipeline.runtime.avro.check import Malformed, decode_strict, parsed
from pipeline.runtime.avro.codec import Codec, Unproven, decode_columns
from pipeline.runtime.avro.framing import COLUMNS_MIN
from schemas import SchemaVersion
from schemas.upcasters import upcast
from tests.examples import examples
from tests.runtime.avro_mutations import MUTATIONS
from tests.runtime.fixed_registry import FixedRegistry

BATCH = 64
RECORDS = 36_000
"""Per schema; three schemas make 108,000."""
SEED = 20_261_121

ACTOR: dict[str, str | None] = {
    "issuer": "https://id.example",
    "subject": "é",
    "session_id": None,
    "key_id": None,
    "roles_version": "7",
}
Make = Callable[[random.Random, int], dict[str, Any]]


def _envelope(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        "event_id": f"event-{number}",
        "tenant_id": "acme",
        "actor": chance.choice([None, None, ACTOR, ACTOR | {"session_id": "s", "key_id": ""}]),
        "metadata": chance.choice([None, None, {}, {"a": "é", "": "x" * 130}]),
        "occurred_at": chance.choice([0, -1, 1_700_000_000_000_000 + number, INT64_MAX, INT64_MIN]),
        "correlation_id": chance.choice(["", "é€𝄞", "c" * 70]),
        "causation_id": chance.choice([None, "cause"]),
    }


def _payment(chance: random.Random, number: int) -> dict[str, Any]:
    texts = [None, "", "app", "x" * 130]
    return {
        **_envelope(chance, number),
        "payment_id": f"P{number}",
        "debtor_account_id": "A",
        "creditor_account_id": "B",
        "amount_minor": chance.choice([1, 100, -1, INT64_MAX, INT64_MIN]),
        "currency": "EUR",
        "payment_type": chance.choice(["transfer", "payment", "withdrawal", "deposit"]),
        "reference": "reference",
        **{
            name: chance.choice(texts)
            for name in ("channel", "device_id", "counterparty_country", "merchant_category")
        },
        "creditor_reference": chance.choice([None, "RF18539007547034"]),
        "remittance_text": chance.choice(texts),
    }


def _account(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        **_envelope(chance, number),
        "account_id": f"A{number}",
        "customer_id": "C",
        "account_type": chance.choice(["checking", "savings", "internal"]),
        "currency": "EUR",
        "initial_balance_minor": chance.randrange(-(2**40), 2**40),
        "regulatory_tier": chance.choice(["retail", "professional"]),
        "compliance_flags": ["pep", "é", ""][: chance.randrange(4)],
        "overdraft_limit_minor": chance.choice([None, 0, 10_000]),
    }


def _decision(chance: random.Random, number: int) -> dict[str, Any]:
    reasons = [{"rule": "velocity", "detail": "9 in 60 s"}, {"rule": "", "detail": "é"}]
    return {
        **_payment(chance, number),
        "outcome": chance.choice(["APPROVE", "REVIEW", "DECLINE"]),
        "score": chance.randrange(101),
        "reasons": reasons[: chance.randrange(3)],
        "rules_version": "7",
    }


SHAPES: dict[str, Make] = {
    "ledgerflow.PaymentInitiated": _payment,
    "ledgerflow.AccountOpened": _account,
    "ledgerflow.PaymentDecided": _decision,
}


BAD_PER_BATCH = [1, 1, 1, 2, 8, BATCH]
"""One bad record is what the proof of a batch must not overlook; nothing but bad ones is the worst case."""


def encoded(schema: SchemaVersion, record: dict[str, Any]) -> bytes:
    """Return the Avro bytes of a record."""
    target = io.BytesIO()
    fastavro.schemaless_writer(target, parsed(schema.text), record)
    return target.getvalue()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what is written to file descriptor 2: the columnar decoder prints a trace for each bad batch."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _expected(raw: bytes, schema: SchemaVersion) -> Any:
    """Return the event that strict decoding reads, None where it refuses. Shares no code with the codec."""
    try:
        row = decode_strict(raw, schema.text, schema.text)
    except Malformed:
        return None
    kind = EVENTS[schema.record_name]
    for name in ("compliance_flags", "reasons"):
        if name in row:
            row[name] = tuple(ev.FraudReason(**item) if name == "reasons" else item for item in row[name])
    row["actor"] = None if row["actor"] is None else ev.Actor(**row["actor"])
    return kind(**row)


@pytest.mark.parametrize("record_name", SHAPES)
def test_both_ways_agree_on_every_mutated_record(record_name: str) -> None:
    schema, registry = schemas.newest(record_name), FixedRegistry()
    codec: Codec = Codec(registry)  # type: ignore[arg-type]
    header = b"\0" + registry.id_of(schema).to_bytes(4, "big")
    chance = random.Random(f"{SEED}/{record_name}")
    pool = [encoded(schema, SHAPES[record_name](chance, number)) for number in range(500)]
    counts: Counter[str] = Counter()
    with _silent_stderr():
        for _ in range(RECORDS // BATCH):
            raw = [chance.choice(pool) for _ in range(BATCH)]
            changed = set(chance.sample(range(BATCH), chance.choice(BAD_PER_BATCH)))
            for index in changed:
                raw[index] = chance.choice(MUTATIONS)(chance, raw[index], chance.choice(pool))
            decoded = codec.decode([header + value for value in raw])
            counts.update(_compare(decoded, raw, changed, schema))
    assert sum(counts.values()) == RECORDS // BATCH * BATCH
    assert min(counts["untouched"], counts["changed, dead"], counts["changed, alive"]) > RECORDS // 40


def _compare(decoded: Any, raw: list[bytes], changed: set[int], schema: SchemaVersion) -> Iterator[str]:
    """Check a batch against strict decoding; yield what became of each record."""
    assert len(decoded.events) == len(raw)
    for index, value in enumerate(raw):
        expected = _expected(value, schema)
        assert decoded.events[index] == expected, f"decoded wrongly: {value.hex()}"
        assert (index in decoded.dead) == (expected is None), f"lost, or dead and alive: {value.hex()}"
        if index not in changed:
            assert expected is not None
            yield "untouched"
        else:
            yield "changed, dead" if expected is None else "changed, alive"


@pytest.mark.parametrize("record_name", SHAPES)
def test_columns_that_are_proven_are_what_strict_decoding_reads(record_name: str) -> None:
    """The proof itself, without its fallback: batches of one, so that every bad record faces it alone."""
    schema = schemas.newest(record_name)
    chance = random.Random(f"{SEED}/{record_name}/alone")
    pool = [encoded(schema, SHAPES[record_name](chance, number)) for number in range(50)]
    registry = FixedRegistry()
    reader = Codec(registry)._readers[record_name]  # type: ignore[arg-type]
    proven = 0
    with _silent_stderr():
        for _ in range(3_000):
            value = chance.choice(MUTATIONS)(chance, chance.choice(pool), chance.choice(pool))
            try:
                batch = decode_columns([value], schema.text)
            except Unproven:
                continue
            proven += 1
            newest = upcast(schema.record_name, schema.version, batch)
            assert reader.events(newest) == [_expected(value, schema)], value.hex()
    assert proven > 100


_CODEC = Codec(FixedRegistry())  # type: ignore[arg-type]
_primitives: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "string": st.text(st.characters(codec="utf-8"), max_size=80),
    "long": st.integers(INT64_MIN, INT64_MAX),
    "int": st.integers(-(2**31), 2**31 - 1),
    "boolean": st.booleans(),
}


def _values(avro_type: Any, named: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Return the values that the field of a Struct may have for an Avro type."""
    if isinstance(avro_type, list):
        return st.one_of([_values(branch, named) for branch in avro_type])
    if isinstance(avro_type, str):
        return _primitives[avro_type] if avro_type in _primitives else named[avro_type]
    if avro_type["type"] == "enum":
        named[avro_type["name"]] = st.sampled_from(avro_type["symbols"])
        return named[avro_type["name"]]
    if avro_type["type"] == "array":
        return st.lists(_values(avro_type["items"], named), max_size=3).map(tuple)
    if avro_type["type"] == "map":
        values = _values(avro_type["values"], named)
        return st.dictionaries(_primitives["string"], values, max_size=3)
    if avro_type["type"] == "record":
        fields = {field["name"]: _values(field["type"], named) for field in avro_type["fields"]}
        name = avro_type["name"]
        return st.builds(EVENTS.get(name) or getattr(ev, name.rpartition(".")[2]), **fields)
    return _values(avro_type["type"], named)


_batches = st.one_of(
    [
        st.lists(_values(parsed(schemas.newest(name).text), {}), min_size=1, max_size=3)
        for name in schemas.record_names()
    ]
)


@examples(150)
@given(_batches)
def test_few_and_many_say_the_same(batch: list[Any]) -> None:
    """One by one and in columns: the same bytes for the same events, the same events for the same bytes."""
    codec = _CODEC
    one_by_one = codec.encode(batch)
    many = batch * COLUMNS_MIN
    assert codec.encode(many) == one_by_one * COLUMNS_MIN
    assert codec.decode(one_by_one) == (batch, {})
    assert codec.decode(one_by_one * COLUMNS_MIN) == (many, {})


def test_the_fuzz_reaches_the_columns() -> None:
    """A threshold above the fuzz's batches would let it compare strict decoding with itself."""
    assert COLUMNS_MIN < BATCH
