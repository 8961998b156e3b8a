"""The end of a period: from then on nothing counts before it."""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.wire import row_key


def close_period(branch: Books, event: dict[str, Any]) -> None:
    tenant, until = event["tenant_id"], event["closed_through"]
    known = branch.closed_through.get(tenant)
    if known is None or until > known:
        branch.closed_through[tenant] = until
        branch.number_row(row_key("c", tenant), until)
    elif branch.here(event["period_id"]):
        branch.refuse("period_closed", event["period_id"], "exists")
