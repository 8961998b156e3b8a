"""Rows of reconciliation for views: an account with a match, breaks, statements, and what waits."""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.desk.rules import Desk
from tests.reconciliation_desk.entries import DAY, Entries

STORY = """
    1 posting P1 -100 INV-10001
    1 line S1/1 -100 INV-10001
    2 posting P2 250 INV-10002
    2 line S1/2 -40 INV-10003 day:1
    2 close S1 0 -140 2
    3 close S2 -140 -100 1
    44 posting P3 5 INV-10004
"""


def reconciled(tenant_id: str = "t", account_id: str = "a") -> MemoryRows:
    """Return the rows after the story: P1 is matched, P2 and S1/2 are breaks, S2 lacks a line."""
    rows, entries, desk = MemoryRows(), Entries(), Desk()
    for entry in STORY.strip().splitlines():
        event = entries.read(entry)
        event = msgspec.structs.replace(event, tenant_id=tenant_id, account_id=account_id)
        desk.apply(event, Arrival(60 * DAY, 0, 4), rows, Outbox())
    return rows


def ids_of(rows: MemoryRows, family: str) -> list[str]:
    """Return the last parts of the keys of a family, in their order."""
    found = [key.decode().split("\0") for key in sorted(rows.data) if key.startswith(f"{family}\0".encode())]
    return [parts[-1] for parts in found]
