"""What is shown of items: postings and lines, how they stand, and with what they are matched."""

from __future__ import annotations

from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.kernel.views import Row, Tables, time_text
from pipeline.domain.reconciliation.breaks.views import day_text
from pipeline.domain.reconciliation.desk.items import as_item
from pipeline.domain.reconciliation.desk.rows import (
    ASKED,
    CLAIMED,
    EARLIER,
    MET,
    OPEN,
    Entry,
    Line,
    Posting,
    decode,
    read,
    row_of,
)
from pipeline.domain.reconciliation.item_rows import LINE_ROW
from pipeline.domain.reconciliation.sortable import number_at

TABLE = "reconciliation"
STEPS = {MET: "COMPARED", ASKED: "SUGGESTED"}
"""How far an open item has come; before that it WAITS."""
STANDING = ("status", "step", "standing", "due_at", "tier", "matched_with", "break_id", "rejected_matches")
"""What a posting and a line have in common."""


def show_posting(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    """Return a posting; `key`: tenant, account, posting. Raises UnreadableRow."""
    posting = decode(value, Posting)
    return {
        "tenant_id": key[0],
        "account_id": key[1],
        "posting_id": key[2],
        "currency": posting.currency,
        "amount_minor": posting.amount_minor,
        "posted_on": day_text(posting.day),
        "sequence": posting.sequence,
        "references": list(posting.references),
        **_standing(tables, posting),
    }


def show_line(tables: Tables, key: tuple[str, ...], value: bytes) -> Row | None:
    """Return a line; `key`: tenant, account, line. None: one of an earlier version that was not taken over.

    Raises UnreadableRow.
    """
    line = decode(value, Line)
    if line.form == EARLIER:
        return None
    amount_minor, currency = line.original or (None, None)
    return {
        "tenant_id": key[0],
        "account_id": key[1],
        "line_id": key[2],
        "statement_id": line.statement_id,
        "line_no": line.line_no,
        "currency": line.currency,
        "amount_minor": line.amount_minor,
        "booked_on": day_text(as_item(line).booked_day),
        "value_on": day_text(line.day),
        "kind": line.kind or None,
        "references": list(line.references),
        "fee_minor": line.fee_minor,
        "original": None if currency is None else {"amount_minor": amount_minor, "currency": currency},
        **_standing(tables, line),
    }


def _standing(tables: Tables, entry: Entry) -> Row:
    is_open = entry.status == OPEN
    return {
        "status": entry.status,
        "step": STEPS.get(entry.stage, "WAITS") if is_open else None,
        "standing": entry.standing,
        "due_at": time_text(entry.due_at) if is_open else None,
        "tier": entry.tier or None,
        "matched_with": _match_of(tables.rows(TABLE), entry) if entry.status == CLAIMED else [],
        "break_id": entry.break_id or None,
        "rejected_matches": len(entry.rejected),
    }


def _match_of(rows: Rows, entry: Entry) -> list[str]:
    """Return the other items of a match, lines first, such as posting/p1 and line/0123...

    An item that is over may be gone, and its match with it.
    """
    part = row_key("", entry.tenant_id, entry.account_id)
    leader: Entry | None = entry
    if entry.leader not in (b"", entry.key):
        kind: type[Entry] = Line if entry.leader[:1] == LINE_ROW.family.encode() else Posting
        leader = read(rows, row_of(part, entry.leader), kind)
    if leader is None:
        return []
    return [_name_of(item) for item in (leader.key, *leader.partners) if item != entry.key]


def _name_of(item: bytes) -> str:
    """Return an item for people; of an earlier line its statement and number."""
    family, _, name = item.partition(b"\0")
    if family != LINE_ROW.family.encode():
        return f"posting/{name.decode()}"
    statement, nul, _ = name.partition(b"\0")
    if not nul:
        return f"line/{name.decode()}"
    return f"line/{statement.decode()}/{number_at(name, len(statement) + 1)}"
