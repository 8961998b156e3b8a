"""Samples of the rows of breaks' lives and of the figures of days."""

from __future__ import annotations

from pipeline.domain.reconciliation.breaks import rows
from tests.contract.row_kinds import AT, HIGH, LOW, Sample

_LEGS = (
    rows.Leg(0, 1, "nostro-1", "DEBIT", HIGH, "EUR"),
    rows.Leg(1, 1, "fees é€", "CREDIT", HIGH, "EUR", "fee", 5),
)
_MAKER = ("idp", "anna", "s-1", None, "roles-1")
_OPEN = rows.Life(
    *("MISSING_INTERNAL", -12_50, -12_50, "EUR", True, "s-1", 3, None, None),
    *((), (), "é€", 20_541, AT, "NORMAL"),
)
_WORKED_ON = rows.Life(
    *("FEE", LOW, HIGH, "USD", False, None, None, "line-1", "p-1"),
    *((rows.Line("s-1", 3), rows.Line("é€", HIGH, "l-1")), ("p-2", "p-3"), "", -1, AT, "MATERIAL"),
    status="CORRECTION_SUGGESTED",
    assignee="bob é€",
    acted=(b"\x00" * 16, bytes(range(16))),
    corrections=2,
    correction=rows.Correction(2, "e-1", _MAKER, "why é€", "INV 7", "RESOLVED", True, 1, _LEGS, HIGH, LOW),
    posted=1,
    posted_minor=LOW,
    explained_minor=HIGH,
    postings=("p-4", "p é€"),
    refused="creditor_closed",
    resolution="corrected",
    changed_at=AT + 1,
    ended_at=AT + 2,
)
_DAY = rows.Day(
    lines={"WAITING": rows.Tally(1, "5"), "GROUP": rows.Tally(HIGH, "9" * 30)},
    postings={"WRITTEN_OFF": rows.Tally(2, "0")},
    statements=2,
    unsound=1,
    announced=7,
    ended_at=AT,
)
SAMPLES = (
    Sample(rows.LIFE_ROW, rows.LIFE_ROW.pack, rows.unpack_life, (_OPEN, _WORKED_ON)),
    Sample(rows.DAY_ROW, rows.DAY_ROW.pack, rows.unpack_day, (rows.Day(), _DAY)),
)
