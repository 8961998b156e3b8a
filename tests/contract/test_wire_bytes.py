"""What the schemas put on the wire: golden bytes, and old versions read in the newest shape."""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import Any

import fastavro
import pyarrow as pa
import pyruhvro
import pytest

import schemas
from schemas import SchemaVersion
from schemas.upcasters import COMPUTED, UPCASTERS, to_compute, unchanged, upcast
from tests.contract.samples import GOLDEN, encoded, golden_file, parsed, records

ALL = pytest.mark.parametrize("version", schemas.load(), ids=lambda version: version.path)
OLD = pytest.mark.parametrize(
    "version",
    [version for version in schemas.load() if version != schemas.newest(version.record_name)],
    ids=lambda version: version.path,
)


def golden(version: SchemaVersion) -> list[bytes]:
    return [bytes.fromhex(line) for line in golden_file(version).read_text("ascii").splitlines()]


def decoded(version: SchemaVersion, value: bytes, reader: SchemaVersion | None = None) -> Any:
    source = io.BytesIO(value)
    record = fastavro.schemaless_reader(source, parsed(version), parsed(reader) if reader else None)
    assert source.read() == b""
    return record


def columns(version: SchemaVersion, values: list[bytes]) -> pa.RecordBatch:
    batch = pyruhvro.deserialize_array(values, version.text)
    batch.validate(full=True)
    return batch


def test_a_golden_file_belongs_to_a_version_and_every_version_has_one() -> None:
    assert set(GOLDEN.iterdir()) == {golden_file(version) for version in schemas.load()}


@ALL
def test_the_sample_records_are_written_as_the_golden_bytes(version: SchemaVersion) -> None:
    assert [encoded(version, record) for record in records(version)] == golden(version)


@ALL
def test_the_golden_bytes_are_read_as_the_sample_records(version: SchemaVersion) -> None:
    assert [decoded(version, value) for value in golden(version)] == records(version)


@ALL
def test_the_columnar_codec_reads_the_golden_bytes_and_writes_them_again(version: SchemaVersion) -> None:
    batch = columns(version, golden(version))
    assert batch.schema.names == [field["name"] for field in parsed(version)["fields"]]
    (written,) = pyruhvro.serialize_record_batch(batch, version.text, 1)
    assert [value.as_py() for value in written] == golden(version)


def test_every_version_but_the_newest_has_an_upcaster() -> None:
    steps = {(version.record_name, version.version) for version in schemas.load()}
    newest = {(name, schemas.newest(name).version) for name in schemas.record_names()}
    assert set(UPCASTERS) == steps - newest


def fields_of(version: SchemaVersion) -> set[str]:
    return {field["name"] for field in parsed(version)["fields"]}


def computed_since(version: SchemaVersion) -> set[str]:
    """Return the fields that the steps from a version on compute, by the register of upcasters."""
    steps = range(version.version, schemas.newest(version.record_name).version)
    return {name for step in steps for name in COMPUTED.get((version.record_name, step), ())}


@OLD
@pytest.mark.parametrize("repeats", [0, 1, 500])
def test_an_old_version_is_read_as_avro_resolves_it_to_the_newest_but_for_what_is_computed(
    version: SchemaVersion, repeats: int
) -> None:
    newest = schemas.newest(version.record_name)
    values = golden(version) * repeats
    resolved = columns(newest, [encoded(newest, decoded(version, value, newest)) for value in values])
    upcasted = upcast(version.record_name, version.version, columns(version, values))
    upcasted.validate(full=True)
    assert upcasted.schema.equals(resolved.schema, check_metadata=True)
    as_resolved = [name for name in resolved.schema.names if name not in computed_since(version)]
    assert upcasted.select(as_resolved).equals(resolved.select(as_resolved))


@pytest.mark.parametrize(("step", "computed"), COMPUTED.items(), ids=str)
def test_a_computed_field_is_added_by_its_step_and_cannot_be_a_default(
    step: tuple[str, int], computed: tuple[str, ...]
) -> None:
    older, newer = schemas.versions(step[0])[step[1] - 1 : step[1] + 1]
    assert set(computed) <= fields_of(newer) - fields_of(older)
    resolved = [decoded(older, value, newer) for value in golden(older)]
    said = UPCASTERS[step](columns(older, golden(older))).select(computed).to_pylist()
    assert said != [{name: row[name] for name in computed} for row in resolved]


def test_a_step_changes_nothing_exactly_where_both_versions_have_the_same_columns() -> None:
    for (name, number), upcaster in UPCASTERS.items():
        older, newer = schemas.versions(name)[number - 1 : number + 1]
        same = columns(older, []).schema.equals(columns(newer, []).schema, check_metadata=True)
        assert (upcaster is unchanged) == same, (name, number)


@ALL
def test_what_avro_leaves_to_upcasters_is_what_the_steps_from_a_version_on_compute(
    version: SchemaVersion,
) -> None:
    first, names = to_compute(version.record_name, fields_of(version))
    assert set(names) == computed_since(version)
    if names:
        assert first.version >= version.version and (first.record_name, first.version) in COMPUTED


PAIRS = [
    (older, newer)
    for name in schemas.record_names()
    for newer in schemas.versions(name)
    for older in schemas.versions(name)[: newer.version - 1]
]


@pytest.mark.parametrize(("older", "newer"), PAIRS, ids=lambda version: version.path)
def test_a_newer_version_is_read_by_a_reader_of_an_older_one(
    older: SchemaVersion, newer: SchemaVersion
) -> None:
    for value, record in zip(golden(newer), records(newer), strict=True):
        assert decoded(newer, value, older) == as_known(older, record)


def as_known(version: SchemaVersion, record: dict[str, Any]) -> dict[str, Any]:
    """Return a newer record as a version knows it: without new fields, the default for a new symbol."""
    known = {}
    for field in json.loads(version.text)["fields"]:
        kind, value = field["type"], record[field["name"]]
        an_enum = isinstance(kind, dict) and kind["type"] == "enum"
        known[field["name"]] = kind["default"] if an_enum and value not in kind["symbols"] else value
    return known


PAYMENT_OF_2019 = bytes.fromhex(
    "06 652d31"  # event_id e-1
    "0a 6e6f727468"  # tenant_id north
    "80c0cea8d8ddc205"  # occurred_at 2019-04-01 12:00 UTC
    "06 632d31"  # correlation_id c-1
    "00"  # causation_id null
    "06 702d31"  # payment_id p-1
    "0a 616c696365"  # debtor_account_id alice
    "06 626f62"  # creditor_account_id bob
    "c413"  # amount_minor 12.50
    "06 455552"  # currency EUR
    "02"  # payment_type payment
    "48 7266313820353339302030373534203730333420696e766f696365206f6620417072696c"  # reference
)
"""A value of version 1 as it has been in a topic since then; a byte of this must never need to change."""


def test_a_v1_payment_that_was_stored_years_ago_is_read_in_the_newest_shape() -> None:
    first = schemas.versions("ledgerflow.PaymentInitiated")[0]
    (row,) = upcast(first.record_name, 1, columns(first, [PAYMENT_OF_2019])).to_pylist()
    assert row == {
        "event_id": "e-1",
        "tenant_id": "north",
        "occurred_at": datetime(2019, 4, 1, 12),  # columns hold UTC without saying so
        "correlation_id": "c-1",
        "causation_id": None,
        "payment_id": "p-1",
        "debtor_account_id": "alice",
        "creditor_account_id": "bob",
        "amount_minor": 12_50,
        "currency": "EUR",
        "payment_type": "payment",
        "reference": "rf18 5390 0754 7034 invoice of April",
        "channel": None,
        "device_id": None,
        "counterparty_country": None,
        "merchant_category": None,
        "creditor_reference": "RF18539007547034",
        "remittance_text": "invoice of April",
        "hold_expires_at": None,
        "actor": None,
        "metadata": None,
        "compliance_score": None,
        "fees_charged_minor": None,
        "exchange_rate_e8": None,
        "settlement_date": None,
        "regulatory_reporting_required": None,
        "expected_sequence": None,
        "hold": None,
        "balancing": None,
        "creditor_currency": None,
        "rate_e8": None,
        "capture_tolerance_bp": None,
        "execute_at": None,
    }


def test_the_golden_v1_payments_are_read_in_the_newest_shape() -> None:
    first = schemas.versions("ledgerflow.PaymentInitiated")[0]
    rows = upcast(first.record_name, 1, columns(first, golden(first))).to_pylist()
    added = ("channel", "device_id", "counterparty_country", "merchant_category", "creditor_reference")
    for row, cause, amount in zip(
        rows, ("causation_id-é€", None), (2**63 - 1_304, 1_304 - 2**63), strict=True
    ):
        assert (row["payment_id"], row["causation_id"], row["amount_minor"]) == (
            "payment_id-é€",
            cause,
            amount,
        )
        assert row["reference"] == row["remittance_text"] == "reference-é€"
        assert [row[name] for name in added] == [None] * 5


def test_a_v1_account_is_read_as_v2_retail_without_flags_and_without_overdraft() -> None:
    v1 = schemas.versions("ledgerflow.AccountOpened")[0]
    for row in upcast(v1.record_name, 1, columns(v1, golden(v1))).to_pylist():
        assert row["regulatory_tier"] == "retail"
        assert row["compliance_flags"] == []
        assert row["overdraft_limit_minor"] == 0


def test_an_account_without_an_overdraft_limit_is_not_one_with_limit_zero() -> None:
    v2 = schemas.newest("ledgerflow.AccountOpened")
    filled, empty = columns(v2, golden(v2)).column("overdraft_limit_minor").to_pylist()
    assert filled is not None and empty is None


def test_the_newest_version_needs_no_upcasting_and_an_unknown_one_is_refused() -> None:
    newest = schemas.newest("ledgerflow.PaymentInitiated")
    batch = columns(newest, golden(newest))
    assert upcast(newest.record_name, newest.version, batch) is batch
    for version in (0, newest.version + 1):
        with pytest.raises(KeyError):
            upcast(newest.record_name, version, batch)
