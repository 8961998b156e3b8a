"""Makes records from fields: envelope, ids that contain the seed, key, encoding. Notes planted items."""

from __future__ import annotations

import copy
import io
import itertools
from collections.abc import Callable
from typing import Any

import schemas
from pipeline.loadgen.plan import LoadPlan, PlantedItem, Produce
from pipeline.runtime.avro import check
from schemas import SchemaVersion

Encode = Callable[[SchemaVersion, dict[str, Any]], bytes]
"""Returns the whole value: magic byte, schema id, Avro."""

HEAD_BYTES = 5


def framed(id_of: Callable[[SchemaVersion], int]) -> Encode:
    """Return an encoder. It calls `id_of` once per schema."""
    heads: dict[SchemaVersion, bytes] = {}

    def encode(schema: SchemaVersion, fields: dict[str, Any]) -> bytes:
        head = heads.get(schema)
        if head is None:
            head = heads[schema] = b"\0" + id_of(schema).to_bytes(4, "big")
        out = io.BytesIO()
        out.write(head)
        check.encode(out, schema.text, fields)
        return out.getvalue()

    return encode


class Emitter:
    """Makes records. Every id is unique to the seed; numbers count up, so they are the same in every run."""

    def __init__(self, plan: LoadPlan, encode: Encode, planted: dict[int, PlantedItem]) -> None:
        self._encode = encode
        self._seed = str(plan.seed)
        self._numbers: dict[str, int] = {}
        self._planted = planted
        self._items = itertools.count(1)

    def apart(self, mark: str) -> Emitter:
        """Return an emitter with ids of its own, `mark` after the seed: its records change no other's ids."""
        other = copy.copy(self)
        other._seed, other._numbers = f"{self._seed}{mark}", {}
        return other

    def name(self, prefix: str) -> str:
        """Return a new id, such as `p7-12`: the prefix, the seed, a number."""
        number = self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return f"{prefix}{self._seed}-{number}"

    def plant(
        self, kind: str, name: str, tenant: str, expected: dict[str, Any], parts: int = 1, **ids: Any
    ) -> int:
        """Note a planted item, before its first record is made, and return its number."""
        number = next(self._items)
        self._planted[number] = PlantedItem(number, kind, name, tenant, ids, expected, parts)
        return number

    def event(
        self,
        topic: str,
        record: str,
        version: int,
        tenant: str,
        key: str,
        at: int,
        fields: dict[str, Any],
        planted: tuple[int, ...] = (),
    ) -> Produce:
        """Return the record of an event that happened `at` (microseconds UTC), keyed `tenant/key`."""
        event_id = self.name("e")
        fields.update(
            event_id=event_id, tenant_id=tenant, occurred_at=at, correlation_id=event_id, causation_id=None
        )
        value = self._encode(schemas.versions(record)[version - 1], fields)
        return Produce(topic, f"{tenant}/{key}".encode(), value, None, planted)
