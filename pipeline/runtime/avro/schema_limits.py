"""Which schemas are read at all: bounded in size and depth before any library sees them, and never recursive.

    text -> size -> depth of the JSON -> JSON -> types: names, fields, nesting, sizes -> complete schema

A registry takes nearly any schema from nearly anybody. One that refers to itself makes values that are nested
without end, and a small one may stand for a huge value; libraries crash or take minutes over both. What
passes here is safe to give to them. Imports the standard library only: the verifier uses it, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

SCHEMA_BYTES_MAX = 2**18
"""UTF-8, with the schemas that it refers to; the largest of the catalogue has 4 KB."""
JSON_DEPTH_MAX = 128
"""Brackets within brackets. A type takes up to four; the rest is for documentation and properties."""
FIELDS_MAX = 1_000
"""Of all records of a schema together; parsing and comparing them then takes milliseconds."""
DEPTH_MAX = 16
"""Types within types, with the named ones that are only referred to."""
PARTS_MAX = 10_000
"""Values that a value without arrays and maps can consist of: named types count wherever they are used."""
BRANCHES_MAX = 100
FIXED_BYTES_MAX = 2**16
NAME_CHARS_MAX = 200
"""Of a full name. Names go into file names, messages and alerts."""

RECURSIVE = "recursive_schema"
TOO_LARGE = "schema_too_large"
NO_EVENT = "unknown_schema_id"
"""Codes of the dead letters of values whose schema is not read."""

PRIMITIVES = frozenset(("null", "boolean", "int", "long", "float", "double", "bytes", "string"))
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_BRACKET_OR_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


class UnreadableSchema(ValueError):
    """A schema that is not read. The text says why, in one line, and quotes names only."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        """Of the dead letters of its values."""


class _Extent(NamedTuple):
    """How large the values of a type can be, arrays and maps counted once."""

    parts: int
    depth: int


def read_schema(text: str, references: Sequence[str] = ()) -> Any:
    """Return an Avro schema (JSON) as Python values, complete.

    `references`: the schemas that it refers to, and those that they refer to. A type of theirs is put where
    it is first used. Raises UnreadableSchema.
    """
    size = sum(len(part.encode(errors="replace")) for part in (text, *references))
    if size > SCHEMA_BYTES_MAX:
        raise UnreadableSchema(TOO_LARGE, f"the schema has {size} bytes, at most {SCHEMA_BYTES_MAX}")
    elsewhere: dict[str, Any] = {}
    for part in references:
        elsewhere.update(_named(bounded_json(part), ""))
    return _Walk(elsewhere).complete(bounded_json(text), "", 1)[0]


def bounded_json(text: str) -> Any:
    """Return what a schema's JSON says. Raises UnreadableSchema where it is nested too deep, or no JSON."""
    depth = 0
    for found in _BRACKET_OR_TEXT.finditer(text):
        mark = found[0]
        if mark in "[{":
            depth += 1
            if depth > JSON_DEPTH_MAX:
                raise UnreadableSchema(
                    TOO_LARGE, f"the schema's JSON is nested more than {JSON_DEPTH_MAX} deep"
                )
        elif mark in "]}":
            depth -= 1
    try:
        return json.loads(text)
    except ValueError:
        raise UnreadableSchema(NO_EVENT, "the schema is no JSON") from None


def _named(schema: Any, namespace: str) -> Iterator[tuple[str, Any]]:
    """Yield the full names of the types that a schema defines, with each definition under its full name."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _named(branch, namespace)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("name"), str) and schema.get("type") in ("record", "error", "enum", "fixed"):
        name, namespace = _full_name(schema, namespace)
        yield name, {**schema, "name": name, "namespace": namespace}
    for part in ("type", "items", "values"):
        yield from _named(schema.get(part), namespace)
    fields = schema.get("fields")
    for field in fields if isinstance(fields, list) else ():
        if isinstance(field, dict):
            yield from _named(field.get("type"), namespace)


def _full_name(schema: Mapping[str, Any], enclosing: str) -> tuple[str, str]:
    """Return the full name of a definition, and the namespace of what it holds. Raises UnreadableSchema."""
    name, namespace = schema.get("name"), schema.get("namespace", enclosing)
    if not isinstance(name, str) or not isinstance(namespace, str | None):
        raise UnreadableSchema(NO_EVENT, "a type of the schema has no name")
    full = name if "." in name or not namespace else f"{namespace}.{name}"
    return _checked(full), full.rpartition(".")[0]


def _checked(name: Any) -> str:
    if not isinstance(name, str) or len(name) > NAME_CHARS_MAX or not _NAME.fullmatch(name):
        raise UnreadableSchema(NO_EVENT, f"a name is no Avro name of up to {NAME_CHARS_MAX} characters")
    return name


class _Walk:
    """Goes through the types of one schema once, in their order, and counts."""

    def __init__(self, elsewhere: Mapping[str, Any]) -> None:
        self._elsewhere = elsewhere
        self._known: dict[str, _Extent] = {}
        self._open: set[str] = set()
        """Names of the types around the present one."""
        self._fields = 0

    def complete(self, schema: Any, namespace: str, depth: int) -> tuple[Any, _Extent]:
        """Return a type with what it refers to elsewhere, and its extent. Raises UnreadableSchema."""
        if isinstance(schema, str):
            schema, extent = self._by_name(schema, namespace, depth)
        elif isinstance(schema, list):
            extent = self._union(schema, namespace, depth)
        elif isinstance(schema, dict):
            schema, extent = self._complex(schema, namespace, depth)
        else:
            raise UnreadableSchema(NO_EVENT, "the schema has a type that is none")
        if depth - 1 + extent.depth > DEPTH_MAX:
            raise UnreadableSchema(TOO_LARGE, f"the schema's types are nested more than {DEPTH_MAX} deep")
        if extent.parts > PARTS_MAX:
            raise UnreadableSchema(TOO_LARGE, f"a value of the schema has more than {PARTS_MAX} parts")
        return schema, extent

    def _by_name(self, name: str, namespace: str, depth: int) -> tuple[Any, _Extent]:
        if name in PRIMITIVES:
            return name, _Extent(1, 1)
        full = _checked(name if "." in name or not namespace else f"{namespace}.{name}")
        if full in self._open:
            raise UnreadableSchema(RECURSIVE, f"the type {full} holds itself")
        if full in self._known:
            return name, self._known[full]
        if full in self._elsewhere:
            return self.complete(self._elsewhere[full], "", depth)
        raise UnreadableSchema(NO_EVENT, f"the schema does not define {full}")

    def _union(self, branches: list[Any], namespace: str, depth: int) -> _Extent:
        if not 0 < len(branches) <= BRANCHES_MAX:
            raise UnreadableSchema(TOO_LARGE, f"a union has {len(branches)} branches, at most {BRANCHES_MAX}")
        parts, deepest = 0, 0
        for index, branch in enumerate(branches):
            if isinstance(branch, list):
                raise UnreadableSchema(NO_EVENT, "a union is within a union")
            branches[index], extent = self.complete(branch, namespace, depth)
            parts, deepest = max(parts, extent.parts), max(deepest, extent.depth)
        return _Extent(parts, deepest)

    def _complex(self, schema: dict[str, Any], namespace: str, depth: int) -> tuple[Any, _Extent]:
        kind = schema.get("type")
        if isinstance(kind, dict | list):
            schema["type"], extent = self.complete(kind, namespace, depth + 1)
            return schema, _Extent(extent.parts, extent.depth + 1)
        if kind in ("record", "error", "enum", "fixed"):
            return self._definition(schema, namespace, depth)
        if kind in ("array", "map"):
            part = "items" if kind == "array" else "values"
            schema[part], extent = self.complete(schema.get(part), namespace, depth + 1)
            return schema, _Extent(extent.parts + 1, extent.depth + 1)
        schema["type"], extent = self.complete(kind, namespace, depth)
        return schema, extent

    def _definition(self, schema: dict[str, Any], namespace: str, depth: int) -> tuple[Any, _Extent]:
        name, inner = _full_name(schema, namespace)
        if name in self._known and name in self._elsewhere:
            return name, self._known[name]  # it was needed before the schema that defines it
        if name in self._known or name in self._open:
            raise UnreadableSchema(NO_EVENT, f"the schema defines {name} twice")
        self._open.add(name)
        if schema["type"] == "fixed":
            extent = _fixed(schema, name)
        elif schema["type"] == "enum":
            extent = _enum(schema, name)
        else:
            extent = self._record(schema, inner, depth)
        self._open.discard(name)
        self._known[name] = extent
        return schema, extent

    def _record(self, schema: dict[str, Any], namespace: str, depth: int) -> _Extent:
        fields = schema.get("fields")
        if not isinstance(fields, list) or not all(isinstance(field, dict) for field in fields):
            raise UnreadableSchema(NO_EVENT, "a record of the schema has no fields")
        self._fields += len(fields)
        if self._fields > FIELDS_MAX:
            raise UnreadableSchema(TOO_LARGE, f"the schema has more than {FIELDS_MAX} fields")
        parts, deepest = 1, 0
        for field in fields:
            _checked(field.get("name"))
            field["type"], extent = self.complete(field.get("type"), namespace, depth + 1)
            parts, deepest = parts + extent.parts, max(deepest, extent.depth)
        return _Extent(parts, deepest + 1)


def _fixed(schema: dict[str, Any], name: str) -> _Extent:
    size = schema.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise UnreadableSchema(NO_EVENT, f"the size of {name} is none")
    if size > FIXED_BYTES_MAX:
        raise UnreadableSchema(TOO_LARGE, f"{name} is fixed at {size} bytes, at most {FIXED_BYTES_MAX}")
    return _Extent(1, 1)


def _enum(schema: dict[str, Any], name: str) -> _Extent:
    symbols = schema.get("symbols")
    if not isinstance(symbols, list) or not symbols or not all(isinstance(one, str) for one in symbols):
        raise UnreadableSchema(NO_EVENT, f"{name} has no symbols")
    return _Extent(1, 1)
