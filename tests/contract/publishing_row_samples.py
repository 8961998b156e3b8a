"""Samples of the rows of rules, lists and models that were published."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pipeline.domain.fraud.publishing import rows
from pipeline.domain.kernel.layouts import RowKind
from tests.contract.row_kinds import AT, HIGH, LOW, Sample

_INDEX = rows.Index(
    contents=[rows.Content("l", "a" * 64, [0, 1, 5]), rows.Content("m", "b" * 64, [0])],
    sets=[
        rows.PublishedSet(None, "mine", 1, "c" * 64, ["a" * 64]),
        rows.PublishedSet("north", "own", HIGH, "d" * 64, []),
    ],
    roles=[rows.Role("LIVE", None, AT, "b" * 64), rows.Role("ANOMALY", "nörth", LOW, None)],
)


def _bytes(kind: RowKind) -> Sample:
    read: Callable[[bytes], bytes] = partial(rows.read_bytes, kind)
    return Sample(kind, partial(rows.pack_bytes, kind), read, (b"", bytes(range(256)), '[1,"é€"]'.encode()))


SAMPLES = (
    Sample(rows.INDEX_ROW, rows.INDEX_ROW.pack, rows.unpack_index, (rows.Index(), _INDEX)),
    *map(_bytes, (rows.HEAD_ROW, rows.LIST_PART_ROW, rows.MODEL_PART_ROW)),
)
