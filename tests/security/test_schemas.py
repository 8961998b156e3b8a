"""Attacks by schemas: recursive, huge, explosive, foreign, referring to others; and values framed in other
ways."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fastavro
import pytest

import schemas
from pipeline.cli import schemas as command
from pipeline.cli.entry import main
from pipeline.runtime.avro import registry as registry_module
from pipeline.runtime.avro.check import Malformed, UnreadableSchema, decode_strict, parsed
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry, register_all
from pipeline.runtime.avro.schema_limits import read_schema
from pipeline.runtime.avro.steps import PARTS_MIN, PARTS_PER_BYTE
from pipeline.runtime.avro.writer_schemas import Unreadable, WriterSchema, examine, judged
from pipeline.runtime.placement import Placement
from pipeline.runtime.reading import RecordReader
from pipeline.runtime.settings import Settings
from pipeline.verify.dead import HEADER, DeadLetters
from pipeline.verify.decode import Decoder
from pipeline.verify.model.record import Record
from pipeline.verify.report import Checks
from tests.contract.samples import records
from tests.runtime.fake_registry import FakeRegistry

ROOT = Path(__file__).parents[2]
PAYMENT = schemas.newest("ledgerflow.PaymentInitiated")
FUZZED = int(os.environ.get("LEDGERFLOW_TEST_SCHEMAS", "150"))
"""Schemas that the fuzz makes; 10,000 take some minutes."""


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
    count = 1_000 - len(json.loads(PAYMENT.text)["fields"])
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


# --- references


def test_a_schema_that_refers_to_others_is_applied(fake: FakeRegistry, tmp_path: Path) -> None:
    """As Apicurio's serde registers it: the enum is a subject of its own."""
    record = json.loads(PAYMENT.text)
    field = next(field for field in record["fields"] if field["name"] == "payment_type")
    enum = {**field["type"], "namespace": "ledgerflow"}
    field["type"] = "ledgerflow.PaymentType"
    fake.add(json.dumps(enum), subject="ledgerflow.PaymentType")
    about = {"name": "ledgerflow.PaymentType", "subject": "ledgerflow.PaymentType", "version": 1}
    schema_id = fake.add(json.dumps(record), [about])
    registry = Registry(fake.url, tmp_path)
    writer = registry.schema_of(schema_id)
    assert isinstance(writer, WriterSchema) and writer.known == PAYMENT
    value = framed(schema_id, PAYMENT.text)
    (event,) = Codec(registry).decode([value]).events
    assert event.payment_id == records(PAYMENT)[0]["payment_id"]
    # The file that is kept is complete: the registry may go.
    fake.stop()
    assert Registry(fake.url, tmp_path).schema_of(schema_id) == writer


def test_references_that_go_in_a_circle_or_are_too_many_are_refused(
    fake: FakeRegistry, tmp_path: Path
) -> None:
    def link(number: int, to: int) -> int:
        text = {"type": "record", "name": f"L{number}", "fields": [nullable("next", f"L{to}")]}
        about = {"name": f"L{to}", "subject": f"L{to}", "version": 1}
        return fake.add(json.dumps(text), [about], subject=f"L{number}")

    registry = Registry(fake.url, tmp_path)
    link(0, 1)
    circle = registry.schema_of(link(1, 0))
    assert isinstance(circle, Unreadable) and circle.code == "recursive_schema"
    chain, *_ = [link(number, number + 1) for number in range(100, 120)]
    deep = registry.schema_of(chain)
    assert isinstance(deep, Unreadable) and deep.code == "schema_too_large"
    wide = [{"name": f"W{n}", "subject": f"W{n}", "version": 1} for n in range(60)]
    for about in wide:
        fake.add(json.dumps({"type": "fixed", "name": about["name"], "size": 1}), subject=str(about["name"]))
    many = registry.schema_of(fake.add(PAYMENT.text, wide))
    assert isinstance(many, Unreadable) and many.code == "schema_too_large"
    assert registry.schema_of(
        fake.add(PAYMENT.text, [{"name": "X", "subject": "X", "version": 1}])
    ) == Unreadable("unknown_schema_id", "the schema refers to one that is not in the registry")
    assert len(fake.requests) < 100


def test_a_type_is_completed_where_it_is_first_used_even_if_it_stands_within_another() -> None:
    inner = {"type": "enum", "name": "E", "symbols": ["A"]}
    outer = json.dumps({"type": "record", "name": "n.Outer", "fields": [{"name": "e", "type": inner}]})
    fields = [
        {"name": "e", "type": "n.E"},
        {"name": "o", "type": "n.Outer"},
        {"name": "again", "type": "n.E"},
    ]
    text = json.dumps({"type": "record", "name": "m.R", "fields": fields})
    complete = json.dumps(read_schema(text, [outer]))
    assert decode_strict(b"\0\0\0", complete, complete) == {"e": "A", "o": {"e": "A"}, "again": "A"}
    with pytest.raises(UnreadableSchema, match=r"does not define n\.E"):
        read_schema(text)


# --- other framings


@pytest.mark.parametrize(
    ("value", "headers", "code", "setting"),
    [
        (b"\0" + (7).to_bytes(8, "big") + b"\2a", [], "unknown_schema_id", "Default4ByteIdHandler"),
        (b"\2a\2b\2c\2d", [("apicurio.value.contentId", b"7")], "wrong_magic_byte", "headers.enabled=false"),
        (b"\0\0\0\0\7\2b", [("apicurio.value.globalId", b"7")], "recursive_schema", "headers.enabled=false"),
        (b"\2", [("__value_schema_id", b"\1")], "no_header", "PrefixSchemaIdSerializer"),
    ],
)
def test_a_value_that_is_framed_in_another_way_says_what_to_set(
    value: bytes, headers: Any, code: str, setting: str
) -> None:
    known = {7: Unreadable("recursive_schema", "n")}
    codec = Codec(SimpleNamespace(schema_of=known.get))  # type: ignore[arg-type]
    reader = RecordReader(codec, Placement(0, 4), 2**18)
    record = SimpleNamespace(value=value, headers=headers, key=b"k", offset=0, timestamp=0)
    (reason,) = reader.read([record], in_columns=False).reasons.values()
    assert reason.code == code and setting in reason.detail


# --- versions that are not ours


FOREIGN = payment_with(nullable("purpose", "string"), nullable("tip", "long"))


def test_a_foreign_version_is_said_once_with_its_new_fields_and_counted(
    fake: FakeRegistry, tmp_path: Path
) -> None:
    schema_id = fake.add(FOREIGN)
    said: list[tuple[int, str]] = []
    codec = Codec(
        Registry(fake.url, tmp_path),
        on_foreign=lambda number, writer: said.append((number, writer.difference)),
    )
    value = framed(schema_id, FOREIGN, purpose="rent", tip=5)
    for _ in range(3):
        decoded = codec.decode([value] * 10)
        assert decoded.dead == {} and decoded.events[0].payment_id == records(PAYMENT)[0]["payment_id"]
    ((number, words),) = said
    assert number == schema_id and words.endswith("with the fields purpose, tip")
    assert codec.foreign_values == {"ledgerflow.PaymentInitiated": 30}


def test_a_foreign_version_is_refused_where_a_setting_says_so(fake: FakeRegistry, tmp_path: Path) -> None:
    assert Settings().foreign_schemas == "accept"
    schema_id = fake.add(FOREIGN)
    said: list[int] = []
    codec = Codec(
        Registry(fake.url, tmp_path), refuse_foreign=True, on_foreign=lambda number, _: said.append(number)
    )
    value = framed(schema_id, FOREIGN, purpose=None, tip=None)
    (dead,) = codec.decode([value]).dead.values()
    assert dead.code == "foreign_schema" and "purpose, tip" in dead.detail
    assert said == [schema_id]
    assert codec.kinds([value]) == [None]
    ours = framed(fake.add(PAYMENT.text), PAYMENT.text)
    assert codec.another().decode([ours, value]).dead.keys() == {1}


def test_the_verifier_takes_a_refused_foreign_version_for_a_dead_letter_and_an_accepted_one_as_event() -> (
    None
):
    value = framed(9, FOREIGN, purpose="rent", tip=None)
    decoder = Decoder(lambda _: FOREIGN, judged)
    name, fields, code = decoder.read(value)
    assert (name, code) == ("PaymentInitiated", None) and decoder.is_foreign(value)
    head = {"topic": b"payments", "partition": b"0", "code": b"foreign_schema"}
    headers = {HEADER + part: said for part, said in (head | {"offset": b"4"}).items()}
    letter = Record("dead-letters", 0, 0, 0, b"k", value, headers, None, {}, None)
    dead = DeadLetters(Checks(("dead_letters",)))
    dead.add([letter])
    record = Record("payments", 0, 4, 0, b"k", value, {}, name, fields, None, foreign=True)
    assert dead.refused(record).fault == "foreign_schema"
    assert dead.refused(record._replace(offset=5)) == record._replace(offset=5)
    assert dead.refused(record._replace(foreign=False)).event == "PaymentInitiated", (
        "ours must not be refused"
    )


def test_check_names_what_only_the_registry_has(
    fake: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    register_all(fake.url)
    ask = ["schemas", "check", "--registry", "--schema-registry-url", fake.url]
    assert main(ask) == 0
    capsys.readouterr()
    fake.add(FOREIGN, subject=PAYMENT.subject)
    fake.add(RECURSIVE)
    changed = json.loads(PAYMENT.text)
    changed["fields"][2]["type"] = "string"
    fake.add(json.dumps(changed), subject="mine")
    fake.add('"string"', subject="another\x1b[2J")
    assert main(ask) == command.EXIT_FAILED
    said = capsys.readouterr().err
    assert (
        "'payments-ledgerflow.PaymentInitiated' version 5" in said and "with the fields purpose, tip" in said
    )
    assert "the type ledgerflow.Chain holds itself" in said
    assert "'mine' version 1" in said and "cannot be read as its newest" in said
    assert "1 other subjects" in said and "\x1b" not in said


# --- at random


def test_random_schemas_harm_no_reader() -> None:
    """`LEDGERFLOW_TEST_SCHEMAS=10000` for the long form."""
    seed = str(FUZZED)
    line = [sys.executable, "-X", "faulthandler", "-m", "tests.security.schema_fuzz", str(FUZZED), seed]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["schemas"] == FUZZED and told["value: an event"] > FUZZED // 10
