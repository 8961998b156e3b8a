"""A strict reading of one Avro value: the authority on what is well-formed.

fastavro is lenient with hostile bytes: a negative union branch counts from the end, a boolean may be any
byte, bytes behind a value are ignored. `decode_strict` first steps over the bytes along the schema, refuses
all of that, and only then lets fastavro decode. The columnar path must agree with it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import fastavro

Step = Callable[[bytes, int], int]
"""Steps over the value that starts at an offset and returns the offset after it. Raises `Malformed`, or
`IndexError` at the end of the bytes; an offset beyond the end is found by the next step, or at the end."""


class Malformed(ValueError):
    """A value is not a well-formed encoding of its schema. The text says where, never what."""


def decode_strict(raw: bytes, writer: str, reader: str) -> dict[str, Any]:
    """Return the record in `raw` (Avro binary, no header) written with `writer`, in the shape of `reader`.

    Both are schemas as JSON. Timestamps and dates stay integers. Raises Malformed where it is none.
    """
    try:
        end = _stepper(writer)(raw, 0)
    except (IndexError, RecursionError):
        raise Malformed("the value ends too early, or is nested without end") from None
    if end != len(raw):
        raise Malformed("bytes follow the value" if end < len(raw) else "the value ends too early")
    resolved = None if reader == writer else parsed(reader)
    try:
        value = fastavro.schemaless_reader(io.BytesIO(raw), parsed(writer), resolved)
    except MemoryError:
        raise
    except Exception as error:  # what is left to find: text that is not UTF-8, and what resolution refuses
        raise Malformed(type(error).__name__) from None
    if not isinstance(value, dict):
        raise Malformed("not a record")
    return value


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


@cache
def _stepper(text: str) -> Step:
    return _compile(parsed(text), {})


def _compile(schema: Any, named: dict[str, Step]) -> Step:
    """Return the step over a value of `schema` (as fastavro has parsed it)."""
    if isinstance(schema, list):
        return partial(_union, [_compile(branch, named) for branch in schema])
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(kind, dict | list):
        return _compile(kind, named)
    if kind == "record":
        steps: list[Step] = []
        record = named[schema["name"]] = partial(_record, steps)  # known to its own fields
        steps.extend(_compile(field["type"], named) for field in schema["fields"])
        return record
    if kind == "enum":
        step = named[schema["name"]] = partial(_enum, len(schema["symbols"]))
        return step
    if kind == "fixed":
        step = named[schema["name"]] = partial(_fixed, schema["size"])
        return step
    if kind == "array":
        return partial(_blocks, _compile(schema["items"], named))
    if kind == "map":
        return partial(_blocks, partial(_record, [_text, _compile(schema["values"], named)]))
    return _SCALARS.get(kind) or named[kind]


def _varint(raw: bytes, at: int, bits: int = 64) -> tuple[int, int]:
    """Read one zigzag varint; return it and the offset after it."""
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise Malformed("a number of more than ten bytes")
    if shift and not byte:
        raise Malformed("a number that is longer than it need be")  # no writer does that: a bit has flipped
    if value >= 1 << bits:
        raise Malformed(f"a number of more than {bits} bits")
    return (value >> 1) ^ -(value & 1), at


def _long(raw: bytes, at: int) -> int:
    return at + 1 if raw[at] < 0x80 else _varint(raw, at)[1]


def _int(raw: bytes, at: int) -> int:
    return at + 1 if raw[at] < 0x80 else _varint(raw, at, 32)[1]


def _null(raw: bytes, at: int) -> int:
    return at


def _boolean(raw: bytes, at: int) -> int:
    if raw[at] > 1:
        raise Malformed("a boolean that is neither 0 nor 1")
    return at + 1


def _fixed(size: int, raw: bytes, at: int) -> int:
    return at + size


def _text(raw: bytes, at: int) -> int:
    head = raw[at]
    if head < 0x80 and not head & 1:  # up to 63 bytes, nearly every string
        return at + 1 + (head >> 1)
    length, at = _varint(raw, at)
    if not 0 <= length <= len(raw) - at:
        raise Malformed("a string longer than the value")
    return at + length


def _enum(symbols: int, raw: bytes, at: int) -> int:
    symbol, at = _varint(raw, at)
    if not 0 <= symbol < symbols:
        raise Malformed("an enum symbol that does not exist")
    return at


def _union(branches: list[Step], raw: bytes, at: int) -> int:
    if raw[at] == 0:
        return branches[0](raw, at + 1)
    branch, at = _varint(raw, at)
    if not 0 <= branch < len(branches):
        raise Malformed("a union branch that does not exist")
    return branches[branch](raw, at)


def _record(fields: list[Step], raw: bytes, at: int) -> int:
    for field in fields:
        at = field(raw, at)
    return at


def _blocks(item: Step, raw: bytes, at: int) -> int:
    """Step over the blocks of an array or map; a negative count is followed by the block's size in bytes."""
    total = 0
    while True:
        count, at = _varint(raw, at)
        if count == 0:
            return at
        size = None
        if count < 0:
            count = -count
            size, at = _varint(raw, at)
        total += count
        if total > len(raw):
            raise Malformed("more items than the value has bytes")
        start = at
        for _ in range(count):
            at = item(raw, at)
        if size is not None and at - start != size:
            raise Malformed("a block of another size than it says")


_SCALARS: dict[str, Step] = {
    "null": _null,
    "boolean": _boolean,
    "int": _int,
    "long": _long,
    "float": partial(_fixed, 4),
    "double": partial(_fixed, 8),
    "string": _text,
    "bytes": _text,
}
