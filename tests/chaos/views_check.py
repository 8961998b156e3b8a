"""The views held against the last states: every worker must show all of them, and nothing else."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pipeline.verify.findings import Problem
from tests.chaos.log_reader import TIMEOUT_S

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OWNER = ("tenant_id", "account_id")


class View(NamedTuple):
    """A view: its path, the fields that make its key, and those that it shows besides."""

    name: str
    key: tuple[str, ...]
    fields: tuple[str, ...]
    asked: tuple[tuple[str, str], ...] = ()
    """What a list is asked for besides."""


BALANCE_VIEW = View(
    "balances",
    OWNER,
    (
        *("debits_pending", "debits_posted", "credits_pending", "credits_posted", "balance_minor"),
        *("available_minor", "account_sequence", "currency", "status", "account_type"),
        *("overdraft_limit_minor", "minimum_balance_minor", "maximum_balance_minor", "frozen"),
    ),
)
POSITION_VIEW = View(
    "positions",
    (*OWNER, "instrument_id"),
    (
        *("currency", "quantity_e8", "average_cost_e8", "cost_basis_e8", "realised_pnl_e8"),
        *("unrealised_pnl_e8", "last_price_e8", "last_price_at", "fees_minor", "trades"),
    ),
)
BREAK_VIEW = View(
    "breaks",
    (*OWNER, "break_id"),
    (
        *("type", "amount_minor", "currency", "statement_id", "line_no", "posting_id", "detail"),
        "opened_at",
    ),
    asked=(("state", "OPEN"),),
)
STUCK_VIEW = View(
    "stuck",
    ("tenant_id", "debtor_account_id", "payment_id"),
    (
        *("creditor_account_id", "amount_minor", "currency", "state", "waiting_for", "progressed_at"),
        *("stuck_id", "refused_commands"),
    ),
)


def compare_view(
    url: str, view: View, rows: Iterable[Mapping[str, Any]], latest: Iterable[Mapping[str, Any]]
) -> list[Problem]:
    """Compare all rows of a view with the last states. Times are text in rows, microseconds in states."""
    there = f"{url.rstrip('/')}/{view.name}"
    wanted = {tuple(state[name] for name in view.key): state for state in latest}
    shown: dict[tuple[str, ...], Mapping[str, Any]] = {}
    found = []
    for row in rows:
        key = tuple(row[name] for name in view.key)
        if key in shown:
            found.append(Problem("views", there, -1, -1, f"{'/'.join(key)} is shown twice"))
        shown[key] = row
    missing, extra = wanted.keys() - shown.keys(), shown.keys() - wanted.keys()
    found += [Problem("views", there, -1, -1, f"{'/'.join(key)} is missing") for key in sorted(missing)[:1]]
    found += [Problem("views", there, -1, -1, f"{'/'.join(key)} is not known") for key in sorted(extra)[:1]]
    for key in sorted(wanted.keys() & shown.keys()):
        for name in view.fields:
            value, state = shown[key].get(name), wanted[key][name]
            if (micros(value) if name.endswith("_at") else value) != state:
                text = f"{name} of {'/'.join(key)} is {value}, not {state}"
                return [*found, Problem("views", there, -1, -1, text)]
    return found


def micros(text: str | None) -> int | None:
    """Return the microseconds of an ISO 8601 time; a time beyond the year 9999 stands as its number."""
    if text is None or text.lstrip("-").isdigit():
        return None if text is None else int(text)
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def read_view(url: str, view: View, tenants: Iterable[str]) -> list[dict[str, Any]]:
    """Return all rows that a worker shows of some tenants, page by page."""
    return [row for tenant in sorted(tenants) for row in read_list(url, view, tenant)]


def read_list(url: str, view: View, tenant: str) -> list[dict[str, Any]]:
    """Return the rows that a worker shows as a tenant's, page by page."""
    rows: list[dict[str, Any]] = []
    query = urllib.parse.urlencode({"tenant": tenant, "limit": 1000, **dict(view.asked)})
    page: str | None = f"{url.rstrip('/')}/{view.name}?{query}"
    while page is not None:
        request = urllib.request.Request(page, headers={"Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            body = json.load(answer)
        rows += body["data"]
        page = None if body["next"] is None else urllib.parse.urljoin(page, body["next"])
    return rows
