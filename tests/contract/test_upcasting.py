"""Every way to the newest shape is one way: by columns, singly, a whole batch, whatever was written."""

from __future__ import annotations

import io
import json
from collections import Counter
from random import Random
from typing import Any

import fastavro
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

import schemas
from pipeline.domain.kernel.events import Actor, PaymentInitiated
from pipeline.runtime.avro.check import Malformed, decode_strict, parsed
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.framing import COLUMNS_MIN
from schemas.remittance import creditor_reference, is_creditor_reference, split, split_column
from tests.examples import examples
from tests.runtime.avro_mutations import MUTATIONS
from tests.runtime.fixed_registry import FixedRegistry

VERSIONS = schemas.versions("ledgerflow.PaymentInitiated")
NEWEST = [field["name"] for field in parsed(VERSIONS[-1].text)["fields"]]
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
REGISTRY = FixedRegistry()
CODEC = Codec(REGISTRY)  # type: ignore[arg-type]


PARTS = ("creditor_reference", "remittance_text")


def _upstreams_own(base: int, *left_out: str) -> int:
    """Register a schema of an upstream that only the registry has: a version, and what it makes of it."""
    schema = json.loads(VERSIONS[base - 1].text)
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in left_out]
    schema["fields"].insert(5, {"name": "purpose", "type": "string", "default": ""})
    return REGISTRY.add(json.dumps(schema))


OWN = {_upstreams_own(version.version) for version in VERSIONS} | {
    _upstreams_own(len(VERSIONS), *PARTS),  # what came later is said all the same
    _upstreams_own(len(VERSIONS), PARTS[1]),
    _upstreams_own(2, "channel", "device_id"),
}
IDS = sorted({REGISTRY.id_of(version) for version in VERSIONS} | OWN)


_creditors = st.text(ALPHABET, min_size=1, max_size=21).map(creditor_reference)
_grouped = _creditors.map(lambda text: " ".join(text[at : at + 4] for at in range(0, len(text), 4)))
_valid = st.one_of(_creditors, _grouped, _creditors.map(str.lower), _grouped.map(str.lower))
_words = st.one_of(
    _valid, st.sampled_from(["", "rent", "RF18", "rf19 5390", "a", "ſ", "RF18\t5390", "x" * 130]), st.text()
)
references = st.lists(_words, max_size=4).map(" ".join)
_actors = st.fixed_dictionaries(
    {
        **dict.fromkeys(("issuer", "subject"), st.text(max_size=3)),
        **dict.fromkeys(("session_id", "key_id", "roles_version"), st.one_of(st.none(), st.text(max_size=3))),
    }
)
_payments = st.fixed_dictionaries(
    {
        **dict.fromkeys(("event_id", "tenant_id", "correlation_id", "payment_id"), st.just("x")),
        **dict.fromkeys(("debtor_account_id", "creditor_account_id"), st.just("a")),
        "causation_id": st.none(),
        "occurred_at": st.integers(-(2**63), 2**63 - 1),
        "amount_minor": st.integers(-(2**63), 2**63 - 1),
        "currency": st.just("EUR"),
        "payment_type": st.sampled_from(["transfer", "deposit"]),
        "reference": references,
        **dict.fromkeys(("channel", "device_id"), st.one_of(st.none(), st.text(max_size=3))),
        **dict.fromkeys(("counterparty_country", "merchant_category"), st.one_of(st.none(), st.just("FR"))),
        "creditor_reference": st.one_of(st.none(), _creditors, st.just("none of ours")),
        "remittance_text": st.one_of(st.none(), st.just("as the upstream says")),
        "hold_expires_at": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        "actor": st.one_of(st.none(), _actors),
        "metadata": st.one_of(st.none(), st.dictionaries(st.text(max_size=3), st.text(max_size=3))),
        **dict.fromkeys(("compliance_score", "settlement_date"), st.one_of(st.none(), st.integers(0, 9))),
        **dict.fromkeys(("fees_charged_minor", "exchange_rate_e8"), st.one_of(st.none(), st.integers(0, 9))),
        **dict.fromkeys(
            ("regulatory_reporting_required", "hold", "balancing"), st.one_of(st.none(), st.booleans())
        ),
        "expected_sequence": st.one_of(st.none(), st.integers(0, 9)),
        "creditor_currency": st.one_of(st.none(), st.just("USD")),
        "rate_e8": st.one_of(st.none(), st.integers(0, 9)),
        **dict.fromkeys(("capture_tolerance_bp", "execute_at"), st.one_of(st.none(), st.integers(0, 9))),
        "purpose": st.just("rent"),
    }
)


def _framed(schema_id: int, fields: dict[str, Any]) -> bytes:
    writer = REGISTRY.schema_of(schema_id)
    assert writer is not None
    target = io.BytesIO(b"\0" + schema_id.to_bytes(4, "big"))
    target.seek(5)
    fastavro.schemaless_writer(target, parsed(writer.text), fields)
    return target.getvalue()


def _expected(schema_id: int, fields: dict[str, Any]) -> PaymentInitiated:
    """Return what a payment must be read as: what its writer cannot say is unknown, or computed."""
    writer = REGISTRY.schema_of(schema_id)
    assert writer is not None
    said = {field["name"] for field in parsed(writer.text)["fields"]}
    row = {name: fields[name] if name in said else None for name in NEWEST}
    row["actor"] = None if row["actor"] is None else Actor(**row["actor"])
    if said.isdisjoint(PARTS):
        row |= split(fields["reference"])._asdict()
    return PaymentInitiated(**row)


@examples(60)
@given(st.lists(st.tuples(st.sampled_from(IDS), _payments), min_size=1, max_size=COLUMNS_MIN - 1))
def test_columns_and_single_values_are_upcast_alike(payments: list[tuple[int, dict[str, Any]]]) -> None:
    values = [_framed(*payment) for payment in payments]
    expected = [_expected(*payment) for payment in payments]
    assert [CODEC.decode([value]).events[0] for value in values] == expected
    assert CODEC.decode(values) == (expected, {})
    frame = CODEC.frame(values * COLUMNS_MIN)  # each version has enough for columns now
    assert frame.events(0, len(values) * COLUMNS_MIN) == expected * COLUMNS_MIN
    by_columns = sum(len(group.positions) for group in frame.groups)
    assert by_columns == COLUMNS_MIN * sum(schema_id not in OWN for schema_id, _ in payments)


def test_damaged_old_values_are_read_as_strict_decoding_and_the_split_say() -> None:
    """Old versions whose bytes are damaged, in batches of 64: bad ones die alone, the others are upcast."""
    chance = Random(20_261_122)
    texts = ["rent", "RF18539007547034 May", "rf18 5390 0754 7034", ""]
    base = dict.fromkeys(NEWEST, "x") | {"occurred_at": 1, "amount_minor": 5, "payment_type": "deposit"}
    dead = alive = 0
    for version in VERSIONS[:2] * 30:
        head = REGISTRY.id_of(version).to_bytes(5, "big")
        raw = [
            _framed(REGISTRY.id_of(version), base | {"reference": chance.choice(texts)})[5:]
            for _ in range(64)
        ]
        for place in chance.sample(range(64), chance.choice([1, 2, 30])):
            raw[place] = chance.choice(MUTATIONS)(chance, raw[place], raw[0])
        decoded = CODEC.decode([head + value for value in raw])
        for place, value in enumerate(raw):
            try:
                row = decode_strict(value, version.text, version.text)
            except Malformed:
                assert decoded.events[place] is None and place in decoded.dead
                dead += 1
                continue
            named = dict.fromkeys(NEWEST) | row | split(row["reference"])._asdict()
            assert decoded.events[place] == PaymentInitiated(**named), value.hex()
            alive += 1
    assert dead > 200 and alive > 2_000


@examples(100)
@given(st.lists(st.one_of(references, st.text()), max_size=8))
def test_a_column_is_split_as_each_of_its_texts(texts: list[str]) -> None:
    creditors, rests = split_column(pa.array(texts, pa.string()))
    assert list(zip(creditors.to_pylist(), rests.to_pylist(), strict=True)) == list(map(split, texts))


@examples(100)
@given(references)
def test_no_word_is_lost_and_no_reference_is_made_up(text: str) -> None:
    creditor, rest = split(text)
    if creditor is None:
        assert rest == (text if text.strip(" ") else None)
        return
    assert is_creditor_reference(creditor)
    written, left = (Counter(one.upper().replace(" ", "")) for one in (text, rest or ""))
    times = sum((written - left).values()) // len(creditor)
    assert times >= 1 and written == left + Counter(creditor * times)


@examples(50)
@given(_valid, st.integers(0, 3), st.integers(0, 3))
def test_a_reference_alone_is_found_however_it_is_written(text: str, before: int, after: int) -> None:
    assert split(" " * before + text + " " * after) == (text.replace(" ", "").upper(), None)
