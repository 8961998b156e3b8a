"""Steps over Avro values: whether bytes are a well-formed encoding of their schema, before anything decodes
them.

A decoder is lenient with hostile bytes: a negative union branch counts from the end, a boolean may be any
byte, bytes behind a value are ignored, and 2^60 items of no width are made one by one. The steps refuse all
of that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

Step = Callable[[bytes, int], int]
"""Steps over the value that starts at an offset and returns the offset after it. Raises `Malformed`, or
`IndexError` at the end of the bytes; an offset beyond the end is found by the next step, or at the end."""

PARTS_MIN = 10_000
PARTS_PER_BYTE = 2
"""Items of arrays and maps, with their parts, that a value may have: so many, and so many for each byte of
it. Every value of the catalogue's schemas has less than two parts a byte. Where items have no bytes of their
own, as nulls and empty records, nothing else bounds their number."""


class Malformed(ValueError):
    """A value is not a well-formed encoding of its schema. The text says where, never what."""


class _Counted(threading.local):
    """What the value that a thread steps over has left of its parts."""

    left = 0


_COUNTED = _Counted()


def step_over(step: Step, raw: bytes) -> None:
    """Step over `raw`, which is to be one value of the schema of `step`. Raises Malformed."""
    _COUNTED.left = PARTS_MIN + PARTS_PER_BYTE * len(raw)
    try:
        end = step(raw, 0)
    except IndexError:
        raise Malformed("the value ends too early") from None
    if end != len(raw):
        raise Malformed("bytes follow the value" if end < len(raw) else "the value ends too early")


def stepper(schema: Any) -> Step:
    """Return the step over a value of a schema within the limits, with full names as fastavro gives them."""
    return _compile(schema, {})[0]


def _compile(schema: Any, named: dict[str, tuple[Step, int]]) -> tuple[Step, int]:
    """Return the step over a value, and the most parts that it has, without the items of its arrays and
    maps."""
    if isinstance(schema, list):
        branches = [_compile(branch, named) for branch in schema]
        return partial(_union, [step for step, _ in branches]), max(parts for _, parts in branches)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(kind, dict | list):
        return _compile(kind, named)
    if kind in ("record", "error"):
        fields = [_compile(field["type"], named) for field in schema["fields"]]
        found = partial(_record, [step for step, _ in fields]), 1 + sum(parts for _, parts in fields)
    elif kind == "enum":
        found = partial(_enum, len(schema["symbols"])), 1
    elif kind == "fixed":
        found = partial(_fixed, schema["size"]), 1
    elif kind == "array":
        return partial(_blocks, *_compile(schema["items"], named)), 1
    elif kind == "map":
        value, parts = _compile(schema["values"], named)
        return partial(_blocks, partial(_record, [_text, value]), 1 + parts), 1
    else:
        return (_SCALARS[kind], 1) if kind in _SCALARS else named[kind]
    named[schema["name"]] = found
    return found


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
    """Step over a string, also one that no reader asks for: it must be UTF-8."""
    start, end = _span(raw, at)
    text = raw[start:end]
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            raise Malformed("a string that is not UTF-8") from None
    return end


def _bytes(raw: bytes, at: int) -> int:
    return _span(raw, at)[1]


def _span(raw: bytes, at: int) -> tuple[int, int]:
    """Return where a string begins, after its length, and where it ends."""
    head = raw[at]
    if head < 0x80 and not head & 1:  # up to 63 bytes, nearly every string
        return at + 1, at + 1 + (head >> 1)
    length, at = _varint(raw, at)
    if not 0 <= length <= len(raw) - at:
        raise Malformed("a string longer than the value")
    return at, at + length


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


def _blocks(item: Step, parts: int, raw: bytes, at: int) -> int:
    """Step over the blocks of an array or map; a negative count is followed by the block's size in bytes."""
    while True:
        count, at = _varint(raw, at)
        if count == 0:
            return at
        size = None
        if count < 0:
            count = -count
            size, at = _varint(raw, at)
        _COUNTED.left -= count * parts
        if _COUNTED.left < 0:
            raise Malformed("more items than a value of its bytes may have")
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
    "bytes": _bytes,
}
