"""Samples of the rows of the desk, and what it reads postings and lines of the stream before as."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from pipeline.domain.reconciliation import rows as before
from pipeline.domain.reconciliation.desk import rows
from tests.contract.row_kinds import AT, HIGH, LOW, Sample

LINE_BEFORE = before.BankLine(
    "north", "nostro-1", "s-1", 3, "EUR", -12_50, 20_541, AT, "ref é€", b"\x00digest", True, "CLAIMED", "b-1",
    2, "p-1",
)  # fmt: skip
POSTING_BEFORE = before.Posting(
    *("north", "nostro-1", "p-1", "EUR", LOW, 20_541, 9, AT),
    *(("pay-1", "e-1"), ("pay-1", "e-1", "free é€"), "AMOUNT", "b-2", 1),
)


def ended(row: Any) -> Any:
    """Return a row of which is known when it has ended."""
    return msgspec.structs.replace(row, ended_at=AT)


def _taken(row: Any, content: type[rows.Posting] | type[rows.Line]) -> rows.Entry:
    """Return an item of the stream before as the desk reads it."""
    taken: rows.Entry = content(*msgspec.structs.astuple(row))
    return msgspec.structs.replace(taken, form=rows.EARLIER)


EARLIER: dict[tuple[str, str, int], tuple[Any, ...]] = {
    ("reconciliation", name, layout): values
    for name, known, content in (
        ("line", LINE_BEFORE, rows.Line),
        ("posting", POSTING_BEFORE, rows.Posting),
    )
    for layout, values in (
        (1, (_taken(known, content),)),
        (2, (_taken(known, content), _taken(ended(known), content))),
    )
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


SAMPLES = (
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
