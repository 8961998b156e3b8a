"""Fixed sample records of any schema, and the golden files that keep their bytes.

`python -m tests.contract.samples` writes the files that are missing. A golden file is never rewritten: bytes
that differ from it are a broken wire contract, not a stale file.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro

import schemas
from schemas import SchemaVersion

FORMS = {
    **dict.fromkeys(
        ("currency", "creditor_currency", "base_currency", "quote_currency", "original_currency"), "EUR"
    ),
    "creditor_reference": "RF18539007547034",
    "country": "DE",
    **{f"countries-{number}": code for number, code in enumerate(("DE", "CH"))},
    "scheme": "passport",
}
"""Texts that must have a form."""
GOLDEN = Path(__file__).parent / "golden"


def records(version: SchemaVersion) -> list[dict[str, Any]]:
    """Return two records: everything filled in, and every nullable null with every array empty."""
    schema = json.loads(version.text)
    return [_sample(schema, version.record_name, filled, {}) for filled in (True, False)]


def encoded(version: SchemaVersion, record: dict[str, Any]) -> bytes:
    """Return the Avro bytes of a record, without framing."""
    target = io.BytesIO()
    fastavro.schemaless_writer(target, parsed(version), record)
    return target.getvalue()


def parsed(version: SchemaVersion) -> Any:
    """Return the schema as fastavro takes it."""
    return fastavro.parse_schema(json.loads(version.text))


def golden_file(version: SchemaVersion) -> Path:
    """Return where the golden bytes of a version are: one line of hex for each of its `records`."""
    return GOLDEN / f"{version.topic}.{version.event}.v{version.version}.hex"


def _sample(avro_type: Any, name: str, filled: bool, named: dict[str, Any]) -> Any:
    """Return a value of a type that is told apart by its field's name, so that swapped fields show."""
    avro_type = named.get(avro_type, avro_type) if isinstance(avro_type, str) else avro_type
    number = sum(name.encode())
    match avro_type:
        case list():
            other = next(branch for branch in avro_type if branch != "null")
            return _sample(other, name, filled, named) if filled else None
        case {"type": "record", "fields": fields}:
            return {field["name"]: _sample(field["type"], field["name"], filled, named) for field in fields}
        case {"type": "array", "items": items}:
            return [_sample(items, f"{name}-{i}", filled, named) for i in range(2)] if filled else []
        case {"type": "map"}:
            return {f"{name}-{i}": f"é€-{i}" for i in range(2)} if filled else {}
        case {"type": "enum", "symbols": symbols}:
            named[f"ledgerflow.{avro_type['name']}"] = avro_type
            return symbols[number % len(symbols)]
        case {"logicalType": "timestamp-micros"}:
            return datetime(2026, 3, 29, 1, 59, 59, 999_999, UTC) + timedelta(seconds=number)
        case {"logicalType": "date"}:
            return date(2024, 2, 29) if filled else date(1969, 12, 31)
        case "string":
            return FORMS.get(name, f"{name}-é€")
        case "boolean":
            return filled
        case "int":
            return number if filled else -number
        case "long":
            return 2**63 - number if filled else number - 2**63
    raise TypeError(f"{name}: no sample for {avro_type}")


def write_missing() -> list[Path]:
    """Write the golden files of new versions; return their paths."""
    GOLDEN.mkdir(exist_ok=True)
    written = []
    for version in schemas.load():
        path = golden_file(version)
        if not path.exists():
            path.write_text("".join(f"{encoded(version, record).hex()}\n" for record in records(version)))
            written.append(path)
    return written


if __name__ == "__main__":
    for new in write_missing():
        print(new.name)
