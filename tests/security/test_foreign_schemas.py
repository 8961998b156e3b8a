"""Attacks by schemas that are not ours: with references or more fields; values framed otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.cli import schemas as command
from pipeline.cli.entry import main
from pipeline.runtime.avro.check import UnreadableSchema, decode_strict
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry, register_all
from pipeline.runtime.avro.schema_limits import read_schema
from pipeline.runtime.avro.writer_schemas import Unreadable, WriterSchema, judged
from pipeline.runtime.placement import Placement
from pipeline.runtime.reading import RecordReader
from pipeline.runtime.settings import Settings
from pipeline.verify.dead import HEADER, DeadLetters
from pipeline.verify.decode import Decoder
from pipeline.verify.model.record import Record
from pipeline.verify.report import Checks
from tests.contract.samples import records
from tests.runtime.fake_registry import FakeRegistry
from tests.security.payment_schemas import PAYMENT, RECURSIVE, fake, framed, nullable, payment_with

__all__ = ["fake"]


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
    foreign = f"'payments-ledgerflow.PaymentInitiated' version {PAYMENT.version + 1}"
    assert foreign in said and "with the fields purpose, tip" in said
    assert "the type ledgerflow.Chain holds itself" in said
    assert "'mine' version 1" in said and "cannot be read as its newest" in said
    assert "1 other subjects" in said and "\x1b" not in said
