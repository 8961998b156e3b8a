"""Samples of the rows of the chain of statements."""

from __future__ import annotations

from functools import partial

import msgspec

from pipeline.domain.reconciliation.chain import rows
from pipeline.domain.reconciliation.chain.inputs import Closing
from tests.contract.row_kinds import AT, HIGH, LOW, Sample

_CLOSING = Closing("s-1 é€", "EUR", LOW, HIGH, 3, AT, 9, 2, AT - 1)
_PLAIN = Closing("", "EUR", 0, 0, 0, AT)
_OPEN = (rows.Open("GAP", 2, LOW), rows.Open("OVERLAP", 3, 0))
_WHOLE = rows.Instance(
    2, 20_541, 20_500, 20_542, 3, 2, HIGH, ((0, 1), (7, 7)), 0, 7, 1, -5, _CLOSING, _OPEN, 3
)
_AGAIN = rows.Again(1, b"\x00digest", -5, 20_541)
_LINK = rows.Link(_CLOSING, 2, 20_541, True, 2, 1, LOW, True, _OPEN, 3)
_FIRST = rows.Link(_PLAIN, 1, 20_541)


def _sample(*values: msgspec.Struct) -> Sample:
    content = type(values[0])
    return Sample(
        rows.CLASSES.kinds[content], rows.CLASSES.pack, partial(rows.CLASSES.decode, content=content), values
    )


SAMPLES = (
    _sample(rows.Content(b"\x00place", 1, AT), rows.Content(b"", rows.CONTRADICTS, LOW)),
    _sample(rows.Place(2, AT)),
    _sample(rows.Series(), rows.Series(2, (rows.Instance(1, 20_541, 20_541, 20_541), _WHOLE), (_AGAIN,), AT)),
    _sample(
        rows.History(),
        rows.History((_LINK, _FIRST), _FIRST, 20_500, 3, 4, _LINK, 20_100, (20_540, 20_541), 4, 5),
    ),
    _sample(rows.Page((_FIRST, _LINK))),
)
