"""A strict reading of one Avro value: the authority on what is well-formed.

fastavro is lenient where bytes are hostile: a negative union branch counts from the end, a boolean may be
any byte, what follows a value is not looked at. `decode_strict` walks the bytes along the schema first,
refuses all of that, and only then lets fastavro decode. It is the slow path; the columnar path must agree with it.
"""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import fastavro

LENGTH_MAX = 64 * 2**20
"""No string and no number of items in one value may be above this; a Kafka record is far smaller."""


class Malformed(ValueError):
    """A value is not a well-formed encoding of its schema. The text says where, never what."""


def decode_strict(raw: bytes, writer: str, reader: str) -> dict[str, Any]:
    """Return the record in `raw` (Avro binary, no header) written with `writer`, in the shape of `reader`.

    Both are schemas as JSON. Timestamps and dates stay integers. Raises `Malformed`.
    """
    end = _walk(raw, 0, _named(writer), {})
    if end != len(raw):
        raise Malformed(f"{len(raw) - end} bytes follow the value")
    try:
        value = fastavro.schemaless_reader(io.BytesIO(raw), parsed(writer), parsed(reader))
    except (UnicodeDecodeError, ValueError, EOFError, OverflowError, IndexError, TypeError) as error:
        raise Malformed(type(error).__name__) from None
    if not isinstance(value, dict):
        raise Malformed("not a record")
    return value


@cache
def _named(text: str) -> Any:
    return json.loads(text)


@cache
def parsed(text: str) -> Any:
    """Return fastavro's form of a schema without its logical types: times and dates are read as integers."""
    return fastavro.parse_schema(_plain(json.loads(text)))


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(branch) for branch in schema]
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if key != "logicalType"}
    return schema


def _long(raw: bytes, at: int, bits: int = 64) -> tuple[int, int]:
    """Read one zigzag varint; return it and the offset after it."""
    value = shift = 0
    while True:
        if at >= len(raw):
            raise Malformed("the value ends too early")
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise Malformed("a number of more than ten bytes")
    if value >= 1 << bits:
        raise Malformed(f"a number of more than {bits} bits")
    return (value >> 1) ^ -(value & 1), at


def _walk(raw: bytes, at: int, schema: Any, names: dict[str, Any]) -> int:
    """Return the offset after the value of `schema` that starts at `at`; raise `Malformed`."""
    if isinstance(schema, list):
        branch, at = _long(raw, at)
        if not 0 <= branch < len(schema):
            raise Malformed("a union branch that does not exist")
        return _walk(raw, at, schema[branch], names)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(schema, dict) and "name" in schema:
        names[schema["name"]] = names[f"{schema.get('namespace', 'ledgerflow')}.{schema['name']}"] = schema
    if kind == "record":
        for field in schema["fields"]:
            at = _walk(raw, at, field["type"], names)
        return at
    if kind in ("string", "bytes"):
        return _text(raw, at)
    if kind == "array" or kind == "map":
        return _blocks(raw, at, schema, names)
    if kind == "enum":
        symbol, at = _long(raw, at)
        if not 0 <= symbol < len(schema["symbols"]):
            raise Malformed("an enum symbol that does not exist")
        return at
    return _scalar(raw, at, kind, names)


def _scalar(raw: bytes, at: int, kind: Any, names: dict[str, Any]) -> int:
    if kind == "long":
        return _long(raw, at)[1]
    if kind == "int":
        return _long(raw, at, 32)[1]
    if kind == "null":
        return at
    if kind == "boolean":
        if at >= len(raw) or raw[at] > 1:
            raise Malformed("a boolean that is neither 0 nor 1")
        return at + 1
    if kind in ("float", "double"):
        at += 4 if kind == "float" else 8
        if at > len(raw):
            raise Malformed("the value ends too early")
        return at
    if isinstance(kind, dict | list):
        return _walk(raw, at, kind, names)
    return _walk(raw, at, names[kind], names)


def _text(raw: bytes, at: int) -> int:
    length, at = _long(raw, at)
    if not 0 <= length <= len(raw) - at:
        raise Malformed("a string longer than the value")
    return at + length


def _blocks(raw: bytes, at: int, schema: Any, names: dict[str, Any]) -> int:
    """Walk the blocks of an array or map; a negative count is followed by the block's size in bytes."""
    total = 0
    while True:
        count, at = _long(raw, at)
        if count == 0:
            return at
        size = None
        if count < 0:
            count = -count
            size, at = _long(raw, at)
        total += count
        if total > min(LENGTH_MAX, len(raw)):
            raise Malformed("more items than the value has bytes")
        start = at
        for _ in range(count):
            if schema["type"] == "map":
                at = _text(raw, at)
                at = _walk(raw, at, schema["values"], names)
            else:
                at = _walk(raw, at, schema["items"], names)
        if size is not None and at - start != size:
            raise Malformed("a block of another size than it says")
