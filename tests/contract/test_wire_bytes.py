"""What the schemas put on the wire: golden bytes, and old versions read in the newest shape."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pyarrow as pa
import pyruhvro
import pytest

import schemas
from schemas import SchemaVersion
from schemas.upcasters import UPCASTERS, upcast
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


@OLD
@pytest.mark.parametrize("repeats", [0, 1, 500])
def test_an_old_version_is_read_as_avro_resolves_it_to_the_newest(
    version: SchemaVersion, repeats: int
) -> None:
    newest = schemas.newest(version.record_name)
    values = golden(version) * repeats
    resolved = [encoded(newest, decoded(version, value, newest)) for value in values]
    upcasted = upcast(version.record_name, version.version, columns(version, values))
    upcasted.validate(full=True)
    assert upcasted.equals(columns(newest, resolved), check_metadata=True)


@OLD
def test_the_newest_version_is_read_by_a_reader_of_the_old_one(version: SchemaVersion) -> None:
    newest = schemas.newest(version.record_name)
    kept = [field["name"] for field in parsed(version)["fields"]]
    for value, record in zip(golden(newest), records(newest), strict=True):
        assert decoded(newest, value, version) == {name: record[name] for name in kept}


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
    v2 = schemas.newest("ledgerflow.PaymentInitiated")
    batch = columns(v2, golden(v2))
    assert upcast(v2.record_name, 2, batch) is batch
    for version in (0, 3):
        with pytest.raises(KeyError):
            upcast(v2.record_name, version, batch)
