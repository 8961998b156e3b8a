"""Schemas as a hostile or careless neighbour may register them, and values that claim to be of them.

Half of them begin with an event of the catalogue, so that they get as far as possible. A value is made along
the schema where that is possible, and is noise, huge counts or endless nesting otherwise.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import schemas
from tests.runtime.avro_mutations import GIANTS, MUTATIONS, varint

Json = Any
NAMES = [*schemas.record_names(), "ledgerflow.Unknown", "elsewhere.Payment", "R", "a.b.C"]
PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
LOGICAL = ["timestamp-micros", "timestamp-millis", "date", "decimal", "uuid", "duration", "\x1b[31mred", 7]
VALUE_BYTES_MAX = 20_000
STEPS = "steps taken so far"
"""Beside the names of types: a value of no bytes may have any number of parts."""


class Made:
    """Makes the types of one schema; knows which names it has given."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.names: list[str] = []

    def type(self, depth: int) -> Json:
        """Return a random type, nested at most so deep, that may refer to others, or to itself."""
        chance = self.chance
        kinds = ["primitive"] * 4 + ["record", "enum", "fixed", "array", "map", "union", "name", "logical"]
        kind = chance.choice(kinds if depth > 0 else kinds[:4])
        if kind == "primitive":
            return chance.choice(PRIMITIVES)
        if kind == "array":
            return {"type": "array", "items": self.type(depth - 1)}
        if kind == "map":
            return {"type": "map", "values": self.type(depth - 1)}
        if kind == "union":
            return [self.type(depth - 1) for _ in range(chance.choice([1, 2, 2, 3, 5]))]
        if kind == "logical":
            return {"type": chance.choice(PRIMITIVES), "logicalType": chance.choice(LOGICAL), "precision": 4}
        if kind == "name":
            return chance.choice([*(self.names * 3), "Nowhere"])
        return self.named(kind, depth)

    def named(self, kind: str, depth: int) -> Json:
        """Return a definition of a new name, or rarely of one that is taken."""
        chance = self.chance
        name = chance.choice(self.names) if self.names and chance.random() < 0.05 else f"T{len(self.names)}"
        self.names.append(name)
        if kind == "enum":
            return {"type": "enum", "name": name, "symbols": ["A", "B"][: chance.choice([0, 1, 2, 2, 2, 2])]}
        if kind == "fixed":
            return {
                "type": "fixed",
                "name": name,
                "size": chance.choice([0, 1, 1, 16, 16, 16, 2**20, 2**60, -1, "x", None]),
            }
        fields = [
            {"name": f"f{number}", "type": self.type(depth - 1)}
            for number in range(chance.choice([0, 1, 2, 4]))
        ]
        return {"type": "record", "name": name, "fields": fields}


def _extended(chance: random.Random) -> Json:
    """Return an event of the catalogue with new fields: an upstream's next version."""
    record = json.loads(chance.choice(schemas.load()).text)
    made = Made(chance)
    for number in range(chance.choice([1, 1, 2, 5])):
        record["fields"].append({"name": f"new{number}", "type": made.type(chance.randrange(4))})
    return record


def _changed(chance: random.Random) -> Json:
    """Return an event of the catalogue with a field changed, renamed or gone."""
    record = json.loads(chance.choice(schemas.load()).text)
    field = chance.choice(record["fields"])
    what = chance.randrange(4)
    if what == 0:
        record["fields"].remove(field)
    elif what == 1:
        field["type"] = Made(chance).type(3)
    elif what == 2:
        field["name"] = chance.choice(["x", "\x1b[2J", "a b", "", 5, "../../x", "x" * 5000])
    else:
        record["name"] = chance.choice(["Other", "../../../etc/x", "x" * 300, "", None, "a..b"])
    return record


def _random(chance: random.Random) -> Json:
    made = Made(chance)
    name = chance.choice(NAMES)
    fields = [{"name": f"f{number}", "type": made.type(5)} for number in range(chance.randrange(1, 8))]
    return {"type": "record", "name": name, "fields": fields}


def _recursive(chance: random.Random) -> Json:
    """Return a record that holds itself: at once, through others, through arrays, in an event or not."""
    name = chance.choice(NAMES)
    wrap: Callable[[Json], Json] = chance.choice(
        [
            lambda inner: ["null", inner],
            lambda inner: {"type": "array", "items": inner},
            lambda inner: {"type": "map", "values": inner},
            lambda inner: inner,
            lambda inner: {
                "type": "record",
                "name": "Link",
                "fields": [{"name": "to", "type": ["null", inner]}],
            },
        ]
    )
    fields: list[Json] = [{"name": "next", "type": wrap(name), "default": None}]
    if chance.random() < 0.5:
        record = json.loads(schemas.newest(chance.choice(schemas.record_names())).text)
        own = {"type": "record", "name": "Chain", "fields": [{"name": "n", "type": ["null", "Chain"]}]}
        record["fields"].append({"name": "chain", "type": ["null", own], "default": None})
        return record
    return {"type": "record", "name": name, "fields": fields}


def _huge(chance: random.Random) -> Json:
    """Return a schema that is large, or a small one whose values are."""
    what = chance.randrange(5)
    record = json.loads(schemas.newest(chance.choice(schemas.record_names())).text)
    if what == 0:
        count = chance.choice([500, 1_500, 5_000])
        record["fields"] += [
            {"name": f"n{number}", "type": ["null", "string"], "default": None} for number in range(count)
        ]
    elif what == 1:
        inner: Json = "null"
        for number in range(chance.choice([4, 12, 30])):
            copies = [
                {"name": f"c{copy}", "type": inner if copy == 0 else f"B{number - 1}"} for copy in range(10)
            ]
            inner = {"type": "record", "name": f"B{number}", "fields": copies if number else copies[:1]}
        record["fields"].append({"name": "bomb", "type": inner})
    elif what == 2:
        inner = "long"
        for _ in range(chance.choice([10, 60, 400])):
            inner = {"type": "array", "items": inner}
        record["fields"].append({"name": "deep", "type": inner, "default": []})
    elif what == 3:
        empty = {"type": "record", "name": "Empty", "fields": []}
        items = chance.choice(["null", empty, {"type": "fixed", "name": "Zero", "size": 0}])
        record["fields"].append({"name": "many", "type": {"type": "array", "items": items}, "default": []})
    else:
        record["doc"] = "x" * chance.choice([100_000, 300_000])
    return record


def _no_schema(chance: random.Random) -> Json:
    return chance.choice(
        [None, 5, "string", [], {}, ["null", "R"], {"type": "record"}, {"type": ["null"]}, "R"]
    )


KINDS: dict[str, Callable[[random.Random], Json]] = {
    "extended": _extended,
    "changed": _changed,
    "random": _random,
    "recursive": _recursive,
    "huge": _huge,
    "no schema": _no_schema,
}


def text_of(chance: random.Random) -> tuple[str, str]:
    """Return a kind, and the text of a schema of it, which is JSON nearly always."""
    kind = chance.choices(list(KINDS), [4, 3, 3, 2, 2, 1])[0]
    text = json.dumps(KINDS[kind](chance))
    broken = chance.random()
    if broken < 0.02:
        return "no JSON", text[: chance.randrange(len(text) + 1)]
    if broken < 0.03:
        depth = chance.choice([100, 10_000, 100_000])
        return "no JSON", '{"type": ' * depth + '"null"' + "}" * depth
    return kind, text


def value_of(schema: Json, chance: random.Random) -> bytes:
    """Return bytes that claim to be a value of a schema."""
    what = chance.randrange(6)
    if what == 0:
        return b"\2" * chance.choice([100, 100_000]) + b"\0"
    if what == 1:
        return chance.randbytes(chance.randrange(40))
    out = bytearray()
    try:
        _write(schema, {}, chance, out)
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError, IndexError):
        out += varint(chance.choice(GIANTS))
    value = bytes(out) or b"\0"
    return chance.choice(MUTATIONS)(chance, value, value) if what == 2 and len(value) > 2 else value


def _write(schema: Json, named: dict[str, Json], chance: random.Random, out: bytearray) -> None:
    """Write a random value along a schema; stop by ValueError where it gets too long."""
    named[STEPS] = named.get(STEPS, 0) + 1
    if len(out) > VALUE_BYTES_MAX or named[STEPS] > VALUE_BYTES_MAX:
        raise ValueError("long enough")
    if isinstance(schema, list):
        branch = chance.randrange(len(schema))
        out += varint(branch)
        return _write(schema[branch], named, chance, out)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(kind, dict | list):
        return _write(kind, named, chance, out)
    if isinstance(schema, dict) and "name" in schema:
        named[schema["name"]] = named[str(schema["name"]).rpartition(".")[2]] = schema
    if kind == "record":
        for field in schema["fields"]:
            _write(field["type"], named, chance, out)
    elif kind == "enum":
        out += varint(chance.randrange(len(schema["symbols"])))
    elif kind == "fixed":
        out += bytes(min(schema["size"], VALUE_BYTES_MAX))
    elif kind in ("array", "map"):
        count = chance.choice([0, 1, 3, 2**20, 2**60]) if chance.random() < 0.2 else chance.randrange(3)
        out += varint(count)
        for _ in range(min(count, 3)):
            if kind == "map":
                out += b"\2k"
            _write(schema["items" if kind == "array" else "values"], named, chance, out)
        out += b"\0" if count else b""
    elif kind in PRIMITIVES:
        sizes = {"null": b"", "boolean": b"\1", "float": bytes(4), "double": bytes(8), "string": b"\4ab"}
        out += (
            sizes.get(kind) if kind in sizes else b"\4ab" if kind == "bytes" else varint(chance.randrange(99))
        )
    else:
        _write(named[kind.rpartition(".")[2]], named, chance, out)
