"""The view of reconciliation: open breaks."""

from __future__ import annotations

from pipeline.domain.kernel.views import (
    ACCOUNT,
    ACCOUNT_PAGE,
    TENANT_PAGE,
    Row,
    Tables,
    TableView,
    ViewPage,
    time_text,
)
from pipeline.domain.reconciliation.item_rows import Break
from pipeline.domain.reconciliation.rows import decode


def _open_break(tables: Tables, key: tuple[str, ...], value: bytes) -> Row | None:
    row = decode(value, Break)
    if row.resolution is not None:
        return None
    return {
        "tenant_id": key[0],
        "account_id": key[1],
        "break_id": key[2],
        "type": row.type,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "statement_id": row.statement_id,
        "line_no": row.line_no,
        "posting_id": row.posting_id,
        "detail": row.detail,
        "opened_at": time_text(row.opened_at),
    }


BREAKS = TableView(
    name="breaks",
    table="reconciliation",
    family="b",
    key=(*ACCOUNT, "break_id"),
    columns=(
        *(*ACCOUNT, "break_id", "type", "amount_minor", "currency", "statement_id", "line_no"),
        *("posting_id", "detail", "opened_at"),
    ),
    show=_open_break,
    pages=(
        ViewPage(TENANT_PAGE, "Open reconciliation breaks of a tenant"),
        ViewPage(ACCOUNT_PAGE, "Open breaks of one account"),
    ),
    marker="w",
)
VIEWS = (BREAKS,)
