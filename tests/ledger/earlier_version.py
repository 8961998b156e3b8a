"""Rows of the ledger as fa04242 wrote them: layout 1, and without the kinds of rows that came later."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.domain.kernel.rows import MemoryRows

FIELDS_OF_LAYOUT_1 = {b"p": 8, b"j": 18}
"""How many fields rows of layout 1 have; later ones follow them."""


def as_layout_1(row: bytes, family: bytes) -> bytes:
    """Return a payment (`p`), a hold (`h`) or a journal (`j`) in layout 1."""
    fields: list[Any] = msgspec.msgpack.decode(row[1:])
    if family == b"h":
        fields = [*fields[:7], [part[:4] for part in fields[7]]]
    return b"\x01" + msgspec.msgpack.encode(fields[: FIELDS_OF_LAYOUT_1.get(family)])


def schedule_as_before(rows: MemoryRows) -> None:
    """Turn the rows of what is scheduled into their earlier form."""
    for key, row in list(rows.data.items()):
        if key[:1] in b"dyo":
            del rows.data[key]
        if key[:1] == b"d":
            rows.put(b"x" + key[1:], row)
        if key[:1] == b"t":
            _, waiting = msgspec.msgpack.decode(row[1:])
            del rows.data[key]
            if waiting:
                rows.put(key, b"\1" + msgspec.msgpack.encode(waiting))


def all_as_before(rows: MemoryRows) -> None:
    """Turn all rows into their earlier form."""
    schedule_as_before(rows)
    for key, row in list(rows.data.items()):
        family = key[:1]
        if family in (b"b", b"e"):
            del rows.data[key]
        elif family in (b"p", b"h", b"j"):
            del rows.data[key]
            earlier = key.rpartition(b"\0")[0] if family == b"j" else key
            assert earlier not in rows.data
            rows.put(earlier, as_layout_1(row, family))
