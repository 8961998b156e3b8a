"""The rules that every schema must follow, also where a registry would accept more.

All versions of an event are compatible with each other in both directions (FULL_TRANSITIVE). Registries and
the `avro` package ignore logical types, so this module also forbids any change of a field's type:
microseconds that are read as milliseconds would be compatible, and wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

import schemas

ENVELOPE = ("event_id", "tenant_id", "occurred_at", "correlation_id", "causation_id")
"""The first fields of every event; input models have them from `pipeline.input_event.InputEvent`."""

LOGICAL_TYPES = ("long timestamp-micros", "int date")
"""The logical types that the columnar codec carries exactly."""

_CHECKER: Any = ReaderWriterCompatibilityChecker
"""Typed as Any: the package has no annotations for it."""

FORBIDDEN_TYPES = ("bytes", "fixed", "float", "double")
"""The codec supports no bytes and no fixed; quantities are scaled integers, so floats are not needed."""

SCALED_SUFFIXES = ("_minor", "_minor_after", "_e8")
"""Suffixes of names that state a scaled unit: the values are 64-bit integers."""


def check(versions: Iterable[schemas.SchemaVersion] | None = None) -> list[str]:
    """Return the problems of `versions` (by default, of the whole catalogue), one sentence each."""
    by_event: dict[str, list[schemas.SchemaVersion]] = {}
    for version in schemas.load() if versions is None else versions:
        by_event.setdefault(version.record_name, []).append(version)
    problems: list[str] = []
    for family in by_event.values():
        for version in family:
            problems.extend(
                f"{version.path}: {problem}" for problem in _own_problems(json.loads(version.text))
            )
        for older, newer in combinations(family, 2):
            pair = f"{older.path} and {newer.path}"
            problems.extend(f"{pair}: {problem}" for problem in problems_between(older.text, newer.text))
    return problems


def problems_between(older: str, newer: str) -> list[str]:
    """Return why two schemas (JSON) of one event are incompatible: by Avro's rules, then by field types."""
    problems = [
        *(f"as a reader, the older: {problem}" for problem in reading_problems(older, newer)),
        *(f"as a reader, the newer: {problem}" for problem in reading_problems(newer, older)),
    ]
    return list(dict.fromkeys(problems + type_changes(older, newer)))


def reading_problems(reader: str, writer: str) -> list[str]:
    """Return why Avro could not read what `writer` wrote with `reader` (both JSON)."""
    result = _CHECKER().get_compatibility(parse(reader), parse(writer))
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    return sorted(result.messages)


def type_changes(older: str, newer: str) -> list[str]:
    """Return the fields of both schemas (as JSON) whose base type or logical type differs."""
    before, after = field_types(json.loads(older)), field_types(json.loads(newer))
    return [
        f"{path} was {kind} and is {after[path]}"
        for path, kind in before.items()
        if path in after and after[path] != kind
    ]


def field_types(record: dict[str, Any]) -> dict[str, str]:
    """Return each field's type without nullability, such as `long timestamp-micros`, by its path."""
    return {path: kind for path, kind, _ in _walk(record, "", {})}


def _walk(avro_type: Any, path: str, named: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield path, type and schema of every part of a type; nullable types without their null."""
    if isinstance(avro_type, list):
        branches = [branch for branch in avro_type if branch != "null"]
        for branch in branches:
            yield from _walk(branch, path if len(branches) == 1 else f"{path}|{_kind(branch)}", named)
        return
    if isinstance(avro_type, str):
        yield path, avro_type, named.get(avro_type, avro_type)
        return
    yield path, _kind(avro_type), avro_type
    if "name" in avro_type:
        named[f"{avro_type.get('namespace', '')}.{avro_type['name']}"] = avro_type
    for part in ("items", "values"):
        if part in avro_type:
            yield from _walk(avro_type[part], f"{path}[]", named)
    for field in avro_type.get("fields", ()):
        yield from _walk(field["type"], f"{path}.{field['name']}" if path else field["name"], named)


def _kind(avro_type: Any) -> str:
    """Return a type's name with its logical type or its own name, such as `enum PaymentType`."""
    if isinstance(avro_type, str):
        return avro_type
    extra = avro_type.get("logicalType") or avro_type.get("name", "").rpartition(".")[2]
    return f"{avro_type['type']} {extra}" if extra else str(avro_type["type"])


def _own_problems(record: dict[str, Any]) -> Iterator[str]:
    """Yield the problems of one schema, without a comparison."""
    if tuple(field["name"] for field in record["fields"][: len(ENVELOPE)]) != ENVELOPE:
        yield f"does not start with the envelope ({', '.join(ENVELOPE)})"
    for path, kind, avro_type in _walk(record, "", {}):
        logical = isinstance(avro_type, dict) and "logicalType" in avro_type
        if kind.split()[0] in FORBIDDEN_TYPES or (logical and kind not in LOGICAL_TYPES):
            yield f"{path} is {kind}, which is not allowed"
        if path.endswith(SCALED_SUFFIXES) and kind != "long":
            yield f"{path} is {kind}; a value in scaled units is a long"
        for field in avro_type.get("fields", ()) if isinstance(avro_type, dict) else ():
            yield from _default_problems(path, field)


def _default_problems(path: str, field: dict[str, Any]) -> Iterator[str]:
    branches = field["type"] if isinstance(field["type"], list) else [field["type"]]
    logical = any(isinstance(branch, dict) and "logicalType" in branch for branch in branches)
    if logical and field.get("default") is not None:
        yield f"{path}.{field['name']}".lstrip(".") + " has a logical type and a default other than null"
