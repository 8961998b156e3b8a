"""Samples of the rows of the desk, and what it reads postings and lines of the stream before as."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.reconciliation.desk import rows
from pipeline.domain.reconciliation.item_rows import CHAIN_ROW, CLAIM_ROW, STATEMENT_ROW
from tests.contract.row_kinds import AT, HIGH, LOW, Sample

LINE_BEFORE = (
    "north", "nostro-1", "s-1", 3, "EUR", -12_50, 20_541, AT, "ref é€", b"\x00digest", True, "CLAIMED", "b-1",
    2, "p-1",
)  # fmt: skip
POSTING_BEFORE = (
    *("north", "nostro-1", "p-1", "EUR", LOW, 20_541, 9, AT),
    *(("pay-1", "e-1"), ("pay-1", "e-1", "free é€"), "AMOUNT", "b-2", 1),
)
"""The fields of a line and of a posting in the first layout; in the second one, when it has ended, too."""
STATEMENT = ["EUR", 3, 1, 4, LOW, True, 5, HIGH, 4, AT, "b-1", "b-2", 2]
OPEN_STATEMENT = ["EUR", 0, 0, 0, 0, False, 0, 0, 0, 0, "", "", 0]
CLAIM = [20_541, "reference", True]
LINKS = [[AT, "s-1", 5, LOW, "b-1"], [AT + 1, "s-2", 7, 8, ""]]
"""What the stream before kept of statements: rows that nobody reads any more."""


def _taken(content: type[rows.Posting] | type[rows.Line], *values: Any) -> rows.Entry:
    """Return an item of the stream before as the desk reads it."""
    taken: rows.Entry = content(*values)
    return msgspec.structs.replace(taken, form=rows.EARLIER)


EARLIER: dict[tuple[str, str, int], tuple[Any, ...]] = {
    ("reconciliation", name, layout): values
    for name, known, content in (
        ("line", LINE_BEFORE, rows.Line),
        ("posting", POSTING_BEFORE, rows.Posting),
    )
    for layout, values in (
        (1, (_taken(content, *known),)),
        (2, (_taken(content, *known), _taken(content, *known, AT))),
    )
} | {
    ("reconciliation", "statement", 1): ([*OPEN_STATEMENT, None], [*STATEMENT, None]),
    ("reconciliation", "claim", 1): ([*CLAIM, None],),
}
_POSTING = rows.Posting(
    *("north", "nostro-1", "p-1 é€", "EUR", LOW, 20_541, HIGH, AT, (), ("PAY1", "E1", "INV10017")),
    own_ids=2,
)
_POSTING_CLAIMED = msgspec.structs.replace(
    _POSTING,
    status=rows.CLAIMED,
    break_id="b-2",
    breaks=3,
    ended_at=AT + 1,
    words=("ACME", "RENT"),
    counterparty=("ACME",),
    sought=("RENT",),
    information=HIGH,
    stage=rows.ASKED,
    standing="SCORED",
    leader=b"l\x00" + b"0" * 32,
    rejected=(bytes(16), bytes(range(16))),
    tier="SCORED",
)
_LINE = rows.Line(
    *("north", "nostro-1", "s-1 é€", 3, "EUR", -12_50, 20_541, AT, "", b"\x00digest", False),
    line_id="0" * 32,
    booked_day=20_540,
)
_LINE_MATCHED = msgspec.structs.replace(
    _LINE,
    status=rows.CLAIMED,
    break_id="b-1",
    breaks=1,
    ended_at=AT,
    references=("INV10017", "RF18539007547034"),
    words=("ACME",),
    counterparty=("DE02100500000054540402",),
    kind="BATCH",
    original=(HIGH, "USD"),
    fee_minor=350,
    details=((-10_00, "EUR", ("A1",), ("ACME",), ()), (LOW, "EUR", (), (), ("BELL",))),
    sought=("ACME",),
    information=95,
    stage=rows.AGAIN,
    standing="GROUP",
    leader=b"l\x00" + b"0" * 32,
    partners=(b"o\x00p-1", "o\0é€".encode()),
    rejected=(bytes(16),),
    tier="GROUP",
    twin=b"1" * 32,
)
_DESK = rows.Desk(
    earlier=True,
    clock_at=AT,
    wakes_at=AT + 1,
    continues=True,
    met=HIGH,
    lags=(1, 2, *[0] * 44),
    of_postings={7: 1, 2**32 - 1: HIGH},
    of_lines={0: 2},
    stale=(("EUR", AT), ("USD", LOW)),
    before_at=AT,
)


def _sample(*values: msgspec.Struct) -> Sample:
    content = type(values[0])
    return Sample(
        rows.CLASSES.kinds[content], rows.CLASSES.pack, partial(rows.CLASSES.decode, content=content), values
    )


def _fields(kind: RowKind, *values: list[Any]) -> Sample:
    """Return the sample of a kind of row that has a list of fields."""
    return Sample(kind, kind.pack, unpacker(kind, list), values)


SAMPLES = (
    _fields(STATEMENT_ROW, [*OPEN_STATEMENT, None], [*STATEMENT, None], [*OPEN_STATEMENT, AT]),
    _fields(CHAIN_ROW, LINKS),
    _fields(CLAIM_ROW, [*CLAIM, None], [*CLAIM, AT]),
    _sample(rows.Watermark(AT)),
    _sample(_POSTING, _POSTING_CLAIMED),
    _sample(_LINE, _LINE_MATCHED),
    _sample(rows.Desk(), _DESK),
    _sample(rows.Edges(), rows.Edges(((b"l\x00" + b"0" * 32, bytes(range(11))), (b"o\x00p-1", b"")))),
    _sample(rows.Words(), rows.Words({0: 1, 2**26 - 1: HIGH})),
    _sample(rows.Rates(), rows.Rates((("EUR", "USD", ((20_541, 108_000_000), (20_542, HIGH))),))),
    _sample(rows.PublishedWeights(), rows.PublishedWeights(((LOW, ""), (AT, '{"version":1}')))),
    _sample(rows.Clock(AT), rows.Clock(AT, AT + 1)),
    _sample(rows.Unsound(0, AT), rows.Unsound(2, LOW)),
)
