"""Avro values as Python values, and back: the only module that may use fastavro.

fastavro is lenient with hostile bytes, ends the process where values are nested without end, and makes any
number of items that have no bytes. So a schema must be within the limits (`schema_limits`), and
`decode_strict` steps over the bytes first (`steps`). It is the authority on what is well-formed, for every
reader: the streams, `up`, tail, export, verify. The columnar path of the streams must agree with it.
"""

from __future__ import annotations

import io
import json
from functools import lru_cache
from typing import Any, BinaryIO

import fastavro
from fastavro.write import Writer

from pipeline.runtime.avro.schema_limits import NO_EVENT, UnreadableSchema, read_schema
from pipeline.runtime.avro.steps import Malformed, Step, step_over, stepper

__all__ = [
    "Malformed",
    "UnreadableSchema",
    "canonical",
    "container",
    "decode_strict",
    "encode",
    "parsed",
    "plain",
]

VALUE_BYTES_MAX = 2**24
"""No record has more: twice what a topic of events takes."""
LOGICAL_TYPES = ("timestamp-micros", "timestamp-millis", "date")
"""Those that files keep; they say how a whole number is to be read."""
SCHEMAS_KEPT = 300
"""The catalogue's, and those of upstreams that were met last."""


def decode_strict(raw: bytes, writer: str, reader: str) -> dict[str, Any]:
    """Return the record in `raw` (Avro binary, no header) written with `writer`, in the shape of `reader`.

    Both are schemas as JSON. Timestamps and dates stay integers. Raises Malformed where it is none,
    UnreadableSchema for a schema beyond the limits.
    """
    if len(raw) > VALUE_BYTES_MAX:
        raise Malformed(f"a value of more than {VALUE_BYTES_MAX} bytes")
    step_over(_step(writer), raw)
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


@lru_cache(SCHEMAS_KEPT)
def parsed(text: str) -> Any:
    """Return fastavro's form of a schema without its logical types: times and dates are read as integers.

    Raises UnreadableSchema for a schema beyond the limits, or that fastavro does not take.
    """
    return _parsed(plain(read_schema(text)))


def _parsed(schema: Any) -> Any:
    try:
        return fastavro.parse_schema(schema)
    except Exception as error:  # whatever an unknown schema makes it raise, it is not readable
        raise UnreadableSchema(NO_EVENT, f"no Avro schema: {type(error).__name__}") from None


def plain(schema: Any) -> Any:
    """Return a schema without its logical types."""
    if isinstance(schema, list):
        return [plain(branch) for branch in schema]
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    return schema


@lru_cache(SCHEMAS_KEPT)
def _step(text: str) -> Step:
    return stepper(parsed(text))


def canonical(text: str) -> str:
    """Return Avro's canonical form of a schema, which has no logical types. Raises as `parsed`."""
    form: str = fastavro.schema.to_parsing_canonical_form(_parsed(read_schema(text)))
    return form


def encode(target: BinaryIO, schema: str, record: dict[str, Any]) -> None:
    """Write a record (times and dates as integers) as Avro binary. Raises as fastavro for a wrong one."""
    fastavro.schemaless_writer(target, parsed(schema), record)


def container(target: BinaryIO, schema: dict[str, Any], marker: bytes) -> Any:
    """Return a writer of an Avro object container, compressed, with logical types; it has write and flush.

    `marker`: 16 bytes between its blocks. Raises UnreadableSchema where the schema is none.
    """
    complete = _with_our_logical_types(read_schema(json.dumps(schema)))
    return Writer(target, _parsed(complete), "deflate", sync_marker=marker)


def _with_our_logical_types(schema: Any) -> Any:
    """Return a schema without logical types that fastavro may not write from plain numbers and bytes."""
    if isinstance(schema, list):
        return [_with_our_logical_types(branch) for branch in schema]
    if isinstance(schema, dict):
        return {
            key: _with_our_logical_types(value)
            for key, value in schema.items()
            if key != "logicalType" or value in LOGICAL_TYPES
        }
    return schema
