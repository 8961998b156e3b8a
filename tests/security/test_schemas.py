"""Attacks by schemas: recursive, huge, explosive, and at random."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import schemas
from pipeline.runtime.avro import registry as registry_module
from pipeline.runtime.avro.check import Malformed, decode_strict, parsed
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.avro.steps import PARTS_MIN, PARTS_PER_BYTE
from pipeline.runtime.avro.writer_schemas import Unreadable, WriterSchema, examine
from tests.runtime.fake_registry import FakeRegistry
from tests.security.payment_schemas import CHAIN, PAYMENT, RECURSIVE, fake, framed, nullable, payment_with

__all__ = ["fake"]
ROOT = Path(__file__).parents[2]
FUZZED = int(os.environ.get("LEDGERFLOW_TEST_SCHEMAS", "150"))
"""Schemas that the fuzz makes; 10,000 take some minutes."""


# --- recursive


NESTED = """
import json, tempfile
from pathlib import Path
from pipeline.cli.export_files import ExportFiles
from pipeline.cli.records import TopicRecord, as_line
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.writer_schemas import examine
from pipeline.verify.decode import Decoder
from pipeline.verify.log import Record
from types import SimpleNamespace
import tests.security.test_schemas as attack

value = b"\\0\\0\\0\\0\\1" + attack.nested()
codec = Codec(SimpleNamespace(schema_of=lambda _: examine(attack.RECURSIVE)))
decoder = Decoder(lambda _: attack.RECURSIVE)
with tempfile.TemporaryDirectory() as folder:
    files = ExportFiles("north", Path(folder), lambda _: attack.RECURSIVE)
    files.take(Record("dead-letters", 0, 0, b"north/a", value, {}, 0))
    files.close()
record = TopicRecord("dead-letters", 0, 0, 0, b"north/a", value, [])
print(codec.decode([value]).dead[0].code, decoder.read(value)[2], decoder.decode(value),
      as_line(record, decoder.decode(value), lambda text, _: text))
"""


def nested() -> bytes:
    """Return a value of RECURSIVE with 100,000 levels: a valid one, of some 100 KB."""
    return framed(0, PAYMENT.text)[5:] + b"\2" * 100_000 + b"\0"


def test_a_value_nested_100_000_deep_ends_no_reader() -> None:
    """Bare fastavro ends the process by SIGSEGV: `up` died of it at every start, and so did verify and
    export."""
    done = subprocess.run(
        [sys.executable, "-c", NESTED], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("recursive_schema recursive_schema None ")
    assert done.stdout.rstrip().endswith("bytes, no event)")


@pytest.mark.parametrize(
    "field",
    [
        nullable("chain", CHAIN),
        nullable("payment", "PaymentInitiated"),
        nullable("list", {"type": "array", "items": "ledgerflow.PaymentInitiated"}),
        nullable("map", {"type": "map", "values": ["null", "PaymentInitiated"]}),
        nullable("far", {"type": "record", "name": "Far", "fields": [nullable("back", "PaymentInitiated")]}),
    ],
    ids=lambda field: str(field["name"]),
)
def test_a_schema_that_holds_itself_is_refused_by_a_reason_of_its_own(field: Any) -> None:
    found = examine(payment_with(field))
    assert isinstance(found, Unreadable) and found.code == "recursive_schema"
    assert "holds itself" in found.detail


# --- large


def doubling(levels: int) -> Any:
    """Return a type of 2^levels empty records, in a few hundred bytes."""
    kind: Any = {"type": "record", "name": "B0", "fields": []}
    for level in range(1, levels + 1):
        fields = [{"name": "left", "type": kind}, {"name": "right", "type": f"B{level - 1}"}]
        kind = {"type": "record", "name": f"B{level}", "fields": fields}
    return kind


def within(levels: int) -> Any:
    kind: Any = "long"
    for _ in range(levels):
        kind = {"type": "array", "items": kind}
    return kind


LARGE = {
    "fields": payment_with(*(nullable(f"n{number}", "string") for number in range(20_000))),
    "some more fields than allowed": payment_with(
        *(nullable(f"n{number}", "long") for number in range(1_000))
    ),
    "depth": payment_with(nullable("deep", within(20))),
    "depth of the JSON": '{"type":' * 100_000 + '"null"' + "}" * 100_000,
    "brackets": "[" * 200_000,
    "parts": payment_with({"name": "bomb", "type": doubling(14)}),
    "bytes": payment_with({"name": "n", "type": "null", "doc": "x" * 300_000}),
    "fixed": payment_with(nullable("blob", {"type": "fixed", "name": "Blob", "size": 2**40})),
    "branches": payment_with(
        {"name": "n", "type": [{"type": "fixed", "name": f"F{n}", "size": 1} for n in range(200)]}
    ),
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_a_schema_beyond_a_limit_is_refused_at_once(text: str) -> None:
    started = time.process_time()
    found = examine(text)
    assert isinstance(found, Unreadable) and found.code == "schema_too_large"
    assert time.process_time() - started < 0.5, "a schema of 20,000 fields delayed payments by 8 s"


def test_the_largest_schema_within_the_limits_is_read_in_a_moment() -> None:
    count = 1_000 - PAYMENT.text.count('{"name":')
    text = payment_with(*(nullable(f"n{number}", "string") for number in range(count)))
    started = time.process_time()
    assert isinstance(examine(text), WriterSchema)
    assert time.process_time() - started < 2.0


def test_a_schema_that_is_refused_is_asked_for_and_looked_at_once(
    fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    monkeypatch.setattr(registry_module, "examine", lambda text: looked_at.append(text) or examine(text))
    schema_id = fake.add(RECURSIVE)
    registry = Registry(fake.url, tmp_path)
    codec = Codec(registry)
    for _ in range(50):
        (dead,) = codec.decode([framed(schema_id, PAYMENT.text)]).dead.values()
        assert dead.code == "recursive_schema" and dead.detail.startswith(f"{schema_id}: ")
    assert len(fake.requests) == 1 and len(looked_at) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("items", ["null", {"type": "record", "name": "Empty", "fields": []}, doubling(3)])
@pytest.mark.parametrize("container", ["array", "map"])
def test_items_without_bytes_are_bounded_in_number(items: Any, container: str) -> None:
    part = "items" if container == "array" else "values"
    text = payment_with({"name": "many", "type": {"type": container, part: items}})
    good = framed(0, PAYMENT.text)[5:]
    for count in (2**60, -(2**60), 2**20):
        head = (count << 1) ^ (count >> 63)
        varint = bytearray()
        while head > 0x7F:
            varint.append(head & 0x7F | 0x80)
            head >>= 7
        varint.append(head)
        started = time.process_time()
        with pytest.raises(Malformed, match="more items"):
            decode_strict(good + bytes(varint) + (b"\0" if count < 0 else b"") + b"\0", text, PAYMENT.text)
        assert time.process_time() - started < 0.5


def test_no_value_of_the_catalogue_meets_the_bound_of_items() -> None:
    """The columns know no such bound, so strict reading must not have one where they read."""

    def sizes(schema: Any, named: dict[str, tuple[int, int]]) -> tuple[int, int]:
        """Return the most parts and the fewest bytes of a value without the items of its arrays."""
        if isinstance(schema, list):
            branches = [sizes(branch, named) for branch in schema]
            return max(parts for parts, _ in branches), 1
        kind = schema["type"] if isinstance(schema, dict) else schema
        if kind == "record":
            fields = [sizes(field["type"], named) for field in schema["fields"]]
            named[schema["name"]] = 1 + sum(one for one, _ in fields), sum(size for _, size in fields)
            return named[schema["name"]]
        if kind == "array":
            parts, size = sizes(schema["items"], named)
            assert parts <= PARTS_PER_BYTE * size
            return 1, 1
        if isinstance(schema, dict) and "name" in schema:
            named[schema["name"]] = 1, 1
        if isinstance(kind, dict | list):
            return sizes(kind, named)
        return named.get(kind, (1, 1))

    for version in schemas.load():
        assert sizes(parsed(version.text), {})[0] < PARTS_MIN


# --- fields that nobody reads


@pytest.mark.parametrize(("text", "dead"), [(b"\xe2\x82\xac", False), (b"\x80ab", True)])
@pytest.mark.parametrize("kind", ["string", "map"])
def test_text_that_no_reader_asks_for_is_utf_8_too(kind: str, text: bytes, dead: bool) -> None:
    """Of a foreign version's own field: streams and verifier say the same of it."""
    record: dict[str, Any] = {
        "type": "record",
        "name": "ledgerflow.PaymentInitiated",
        "fields": [
            {"name": "event_id", "type": "string"},
            {"name": "new", "type": kind if kind == "string" else {"type": "map", "values": "int"}},
        ],
    }
    foreign = json.dumps(record)
    said = bytes([2 * len(text)]) + text
    value = b"\x02e" + (said if kind == "string" else b"\x02" + said + b"\x02\x00")
    reader = json.dumps(record | {"fields": record["fields"][:1]})
    if dead:
        with pytest.raises(Malformed):
            decode_strict(value, foreign, reader)
    else:
        assert decode_strict(value, foreign, reader) == {"event_id": "e"}


# --- at random


def test_random_schemas_harm_no_reader() -> None:
    """`LEDGERFLOW_TEST_SCHEMAS=10000` for the long form."""
    seed = str(FUZZED)
    line = [sys.executable, "-X", "faulthandler", "-m", "tests.security.schema_fuzz", str(FUZZED), seed]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["schemas"] == FUZZED and told["value: an event"] > FUZZED // 10
