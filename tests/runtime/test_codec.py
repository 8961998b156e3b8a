"""The codec: framing, versions, other languages' encodings, small batches and large ones."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import msgspec
import pyarrow as pa
import pytest

import schemas
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN
from pipeline.runtime.avro import codec as codec_module
from pipeline.runtime.avro.check import UnreadableSchema, decode_strict
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.framing import COLUMNS_MIN, HEADER_BYTES
from pipeline.runtime.avro.registry import RegistryUnavailable
from schemas import SchemaVersion
from tests.contract.samples import encoded, records
from tests.ledger.branches import decided, opened
from tests.runtime.fixed_registry import UNAVAILABLE_ID, FixedRegistry

SIZES = [1, COLUMNS_MIN - 1, COLUMNS_MIN, 3 * COLUMNS_MIN]
REFUSED = (TypeError, ValueError, OverflowError, pa.ArrowException)
REASONS = (ev.FraudReason("velocity", "9 in 60 s"), ev.FraudReason("é", ""))


@pytest.fixture(scope="module")
def registry() -> FixedRegistry:
    return FixedRegistry()


@pytest.fixture(scope="module")
def codec(registry: FixedRegistry) -> Codec:
    return Codec(registry)  # type: ignore[arg-type]


def framed(registry: FixedRegistry, version: SchemaVersion, raw: bytes) -> bytes:
    """Return a value as an upstream writes it."""
    return b"\0" + registry.id_of(version).to_bytes(4, "big") + raw


def version(record_name: str, number: int) -> SchemaVersion:
    """Return a schema of the catalogue."""
    return schemas.versions(f"ledgerflow.{record_name}")[number - 1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("schema", schemas.load(), ids=lambda schema: schema.path)
def test_every_version_decodes_to_the_same_events_in_any_batch(
    schema: SchemaVersion, size: int, registry: FixedRegistry, codec: Codec
) -> None:
    values = [framed(registry, schema, encoded(schema, record)) for record in records(schema)] * size
    decoded = codec.decode(values)
    assert decoded.dead == {}
    one_by_one = [codec.decode([value]).events[0] for value in values[:2]]
    assert decoded.events == one_by_one * size
    for event in one_by_one:
        assert msgspec.convert(msgspec.to_builtins(event), type(event)) == event, "types as declared"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", schemas.record_names())
def test_every_event_reads_back_from_any_batch(
    name: str, size: int, registry: FixedRegistry, codec: Codec
) -> None:
    newest = schemas.newest(name)
    values = [framed(registry, newest, encoded(newest, record)) for record in records(newest)]
    events = codec.decode(values).events
    assert codec.encode(events * size) == values * size


def test_events_of_many_classes_and_versions_keep_their_places(registry: FixedRegistry, codec: Codec) -> None:
    catalogue = schemas.load() * COLUMNS_MIN
    values = [framed(registry, one, encoded(one, records(one)[0])) for one in catalogue]
    decoded = codec.decode(values)
    assert decoded.dead == {}
    for schema, event in zip(catalogue, decoded.events, strict=True):
        record = records(schema)[0]
        assert event.event_id == record["event_id"]
        assert type(event) is codec_module.EVENTS[schema.record_name]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_no_event_is_dead_and_its_neighbours_live(size: int, codec: Codec) -> None:
    events = [opened(f"e{number}", f"A{number}") for number in range(size)]
    good = codec.encode(events)
    bad = {
        None: "no_value",
        b"": "no_value",
        good[0][:4]: "no_header",
        b"\1" + good[0][1:]: "wrong_magic_byte",
        b"\0\0\0\0\7" + good[0][5:]: "unknown_schema_id",
        good[0][:HEADER_BYTES]: "malformed_value",
        good[0][:-1]: "malformed_value",
        good[0] + b"\0": "malformed_value",
    }
    values: list[bytes | None] = [*bad, *good, *bad]
    decoded = codec.decode(values)
    count = len(bad)
    assert decoded.events == [None] * count + events + [None] * count
    assert [decoded.dead[index].code for index in range(count)] == list(bad.values())
    assert [decoded.dead[size + count + index].code for index in range(count)] == list(bad.values())
    assert len(decoded.dead) == 2 * count


def test_an_empty_batch_has_no_events(codec: Codec) -> None:
    assert codec.decode([]) == ([], {})


def test_an_id_that_cannot_be_looked_up_stops_the_batch(codec: Codec) -> None:
    values = [*codec.encode([opened("e", "A")]), b"\0" + UNAVAILABLE_ID.to_bytes(4, "big") + b"x"]
    with pytest.raises(RegistryUnavailable):
        codec.decode(values)


def test_a_batch_without_proof_is_decoded_value_by_value(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [opened(f"e{number}", "A", number) for number in range(COLUMNS_MIN)]
    values = codec.encode(events)
    lies = codec_module.pyruhvro.deserialize_array

    def swapped(raw: list[bytes], text: str) -> Any:
        return lies(raw[::-1], text)

    monkeypatch.setattr(codec_module.pyruhvro, "deserialize_array", swapped)
    assert codec.decode(values).events == events


def test_the_ends_of_64_bits(codec: Codec) -> None:
    for amount in (INT64_MIN, INT64_MAX, -1, 0):
        for size in SIZES:
            events = [decided("e", "P", "A", "B", amount, reasons=REASONS)] * size
            assert codec.decode(codec.encode(events)).events == events


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "changes",
    [
        {"amount_minor": INT64_MAX + 1},
        {"amount_minor": None},
        {"amount_minor": "1"},
        {"currency": None},
        {"currency": "\ud800"},
        {"reference": 5},
        {"channel": 5},
        {"outcome": "MAYBE"},
        {"payment_type": None},
    ],
    ids=str,
)
def test_an_event_that_is_none_is_not_written(size: int, changes: dict[str, Any], codec: Codec) -> None:
    events = [decided("e", "P", "A", "B", 1)] * (size - 1)
    broken = msgspec.structs.replace(decided("e", "P", "A", "B", 1), **changes)
    with pytest.raises(REFUSED):
        codec.encode([*events, broken])


# --- values of other languages' encoders, and of schemas that only the registry has


def _zigzag(number: int) -> bytes:
    value, found = (number << 1) ^ (number >> 63), bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _with_flags(flags: bytes) -> bytes:
    """Return an account_opened v2 with the array compliance_flags written as given."""
    schema = version("AccountOpened", 2)
    record = {**records(schema)[0], "compliance_flags": [], "overdraft_limit_minor": None}
    raw = encoded(schema, record)
    assert raw.endswith(b"\0\2")  # no flags, the second branch
    return raw[:-2] + flags + b"\2"


BLOCKS = {
    "one block": _zigzag(2) + b"\2a\2b" + b"\0",
    "two blocks": _zigzag(1) + b"\2a" + _zigzag(1) + b"\2b" + b"\0",
    "a block with its size": _zigzag(-2) + _zigzag(4) + b"\2a\2b" + b"\0",
    "two kinds of blocks": _zigzag(-1) + _zigzag(2) + b"\2a" + _zigzag(1) + b"\2b" + b"\0",
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("flags", BLOCKS.values(), ids=BLOCKS)
def test_an_array_in_any_blocks_is_the_same_array(
    flags: bytes, size: int, registry: FixedRegistry, codec: Codec
) -> None:
    value = framed(registry, version("AccountOpened", 2), _with_flags(flags))
    decoded = codec.decode([value] * size)
    assert decoded.dead == {}
    assert {event.compliance_flags for event in decoded.events} == {("a", "b")}
    assert {event.overdraft_limit_minor for event in decoded.events} == {None}


BROKEN_BLOCKS = {
    "a size that is too small": _zigzag(-2) + _zigzag(3) + b"\2a\2b" + b"\0",
    "a size that is too large": _zigzag(-2) + _zigzag(5) + b"\2a\2b" + b"\0",
    "a negative size": _zigzag(-2) + _zigzag(-4) + b"\2a\2b" + b"\0",
    "more items than bytes": _zigzag(2**40) + b"\2a",
    "more items than any memory": _zigzag(-(2**62)) + _zigzag(2**62) + b"\2a",
    "the most negative count": _zigzag(-(2**63)) + _zigzag(2) + b"\2a" + b"\0",
    "no end": _zigzag(1) + b"\2a",
    "a string of negative length": _zigzag(1) + _zigzag(-1) + b"\0",
    "a string of giant length": _zigzag(1) + _zigzag(2**40) + b"a" + b"\0",
    # No writer makes a byte that says nothing: a bit has flipped, and what it was cannot be known.
    "a count with a byte too many": b"\x84\x00" + b"\2a\2b" + b"\0",
    "a length with a byte too many": _zigzag(1) + b"\x82\x00a" + b"\0",
    "an end with a byte too many": _zigzag(1) + b"\2a" + b"\x80\x00",
    "a number of eleven bytes": b"\x80" * 10 + b"\0",
    "text that is not UTF-8": _zigzag(1) + b"\2\xff" + b"\0",
    "text that is a surrogate": _zigzag(1) + b"\6\xed\xa0\x80" + b"\0",
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("flags", BROKEN_BLOCKS.values(), ids=BROKEN_BLOCKS)
def test_a_broken_array_is_malformed(
    flags: bytes, size: int, registry: FixedRegistry, codec: Codec, capfd: pytest.CaptureFixture[str]
) -> None:
    schema = version("AccountOpened", 2)
    good = framed(registry, schema, encoded(schema, records(schema)[0]))
    decoded = codec.decode([good] * (size - 1) + [framed(registry, schema, _with_flags(flags))])
    assert {index: dead.code for index, dead in decoded.dead.items()} == {size - 1: "malformed_value"}


def _upstreams_next(change: dict[str, Any]) -> str:
    """Return payment_initiated as an upstream's next version has it: one more field."""
    schema = json.loads(version("PaymentInitiated", 2).text)
    schema["fields"].append(change)
    return json.dumps(schema)


NEW_FIELDS: dict[str, tuple[dict[str, Any], Any]] = {
    "a string": ({"name": "purpose", "type": "string", "default": ""}, "rent"),
    "a type named before": ({"name": "other", "type": "PaymentType", "default": "transfer"}, "deposit"),
    "bytes of a fixed length": (
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}, "default": "0000"},
        b"\0\xff\0\1",
    ),
    "a map of floats": (
        {"name": "map", "type": {"type": "map", "values": "double"}, "default": {}},
        {"a": 1.5},
    ),
    "a null": ({"name": "nothing", "type": "null", "default": None}, None),
    "a record": (
        {
            "name": "purpose",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "Purpose",
                    "fields": [{"name": "code", "type": ["null", "string"], "default": None}],
                },
            ],
            "default": None,
        },
        {"code": "RENT"},
    ),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("field", "value"), NEW_FIELDS.values(), ids=NEW_FIELDS)
def test_an_upstreams_next_version_reads_as_our_newest(
    field: dict[str, Any], value: Any, size: int, registry: FixedRegistry, codec: Codec
) -> None:
    text = _upstreams_next(field)
    schema_id = registry.add(text)
    known = version("PaymentInitiated", 2)
    target = io.BytesIO()
    record = {**records(known)[0], field["name"]: value}
    fastavro.schemaless_writer(target, fastavro.parse_schema(json.loads(text)), record)
    values = [b"\0" + schema_id.to_bytes(4, "big") + target.getvalue()] * size
    expected = codec.decode([framed(registry, known, encoded(known, records(known)[0]))]).events
    assert codec.decode(values).events == expected * size
    broken = [value[:-1] for value in values] + [value + b"\0" for value in values]
    assert len(codec.decode(broken).dead) == len(broken)


def test_a_type_named_in_a_branch_that_is_not_taken_is_known_all_the_same() -> None:
    text = json.dumps(
        {
            "type": "record",
            "name": "R",
            "fields": [
                {"name": "first", "type": ["null", {"type": "enum", "name": "E", "symbols": ["A", "B"]}]},
                {"name": "second", "type": "E"},
            ],
        }
    )
    assert decode_strict(b"\0\2", text, text) == {"first": None, "second": "B"}


def test_a_schema_whose_values_may_be_nested_without_end_is_not_read() -> None:
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}]})
    for raw in (b"\0", b"\2\2\0", b"\2" * 100_000 + b"\0"):
        with pytest.raises(UnreadableSchema, match="the type R holds itself"):
            decode_strict(raw, text, text)
