"""`ledgerflow statement`."""

from __future__ import annotations

import csv
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import typer

from pipeline.cli.amounts import money
from pipeline.cli.asking import NotFound, Url, account_path, ask, payment_path, urls_of
from pipeline.cli.options import Data, Json
from pipeline.cli.problems import BadInput
from pipeline.cli.screen import Table, screen
from pipeline.domain.kernel.amounts import amount_columns, with_amounts
from pipeline.runtime.escaping import csv_cell

PAGE = "1000"
ASKED_AT_ONCE = 8
COLUMNS = (
    *("line", "booked_at", "effective_at", "kind", "currency", "booked_minor", "held_change_minor"),
    *("balance_minor", "held_minor", "available_minor", "counterparty_account_id", "payment_id"),
    *("reference", "entry_id", "record_id", "correlation_id"),
)
"""Of the lines of CSV; beside minor units stands the decimal number."""
SHOWN = ("booked_minor", "held_change_minor", "balance_minor")


def statement(
    account: Annotated[str, typer.Argument(metavar="TENANT/ACCOUNT", show_default=False)],
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Start of the span, by time of booking. Left out: all."),
    ] = None,
    stop: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="End of the span, not included. Left out: now.")
    ] = None,
    url: Url = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write the bookings as CSV.")] = False,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Show an account's statement: opening balance, every booking and hold, closing balance.

    Give a time with its zone, such as 2026-11-21T15:00:00Z. Exit code 1 if the account is not known, or if
    its history starts after the span.
    """
    if as_csv and as_json:
        raise BadInput("--csv and --json: choose one")
    found = _whole(urls_of(url, data), account_path("statements", account), {"from": start, "to": stop})
    if as_json:
        typer.echo(json.dumps(found))
    elif as_csv:
        asked = urls_of(url, data)
        names, lines = amount_columns(COLUMNS), _lines(found, _counterparties(asked, found))
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([csv_cell(line.get(name)) for name in names] for line in map(with_amounts, lines))
    else:
        _show(found)


def _whole(urls: list[str], path: str, times: dict[str, str | None]) -> dict[str, Any]:
    """Return a statement with the bookings of all its pages.

    A span without an end ends with the first page's state: later bookings are not in it.
    """
    parameters = {name: time for name, time in times.items() if time is not None} | {"limit": PAGE}
    found: dict[str, Any] = ask(urls, path, parameters)
    whole: dict[str, Any] = found["data"]
    while found["next"] is not None and len(whole["bookings"]) < whole["lines"]:
        after = str(whole["bookings"][-1]["line"])
        found = ask(urls, path, {**parameters, "after": after})
        whole["bookings"] += found["data"]["bookings"]
    del whole["bookings"][whole["lines"] :]
    return whole


def _lines(found: dict[str, Any], counterparties: dict[str, str]) -> list[dict[str, Any]]:
    """Return a statement as lines: its opening balance, its bookings, its closing balance."""
    currency = {"currency": found["currency"]}
    opening = {"kind": "OPENING", "booked_at": found["from"], **currency, **found["opening"]}
    closing = {"kind": "CLOSING", "booked_at": found["to"], **currency, **found["closing"]}
    bookings = [
        {**line, **currency, "counterparty_account_id": counterparties.get(line["payment_id"] or "")}
        for line in found["bookings"]
    ]
    return [opening, *bookings, closing]


def _counterparties(urls: list[str], found: dict[str, Any]) -> dict[str, str]:
    """Return the other account of each payment in a statement, by the payment's id; journals have several.

    A payment that is not known any more has none, nor has an id that several debtors use.
    """
    tenant, account = found["tenant_id"], found["account_id"]

    def other(payment_id: str) -> tuple[str, str] | None:
        try:
            answer = ask(urls, payment_path(f"{tenant}/{payment_id}"))
        except NotFound:
            return None
        parties = answer["data"]["debtor_account_id"], answer["data"]["creditor_account_id"]
        return (payment_id, parties[account == parties[0]]) if account in parties else None

    ids = {line["payment_id"] for line in found["bookings"]} - {None}
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return dict(filter(None, pool.map(other, sorted(ids))))


def _show(found: dict[str, Any]) -> None:
    currency = found["currency"]
    table = Table(box=None, pad_edge=False)
    table.add_column("booked at, UTC", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    for name in SHOWN:
        table.add_column(name.partition("_")[0], justify="right", no_wrap=True)
    table.add_column("reference")
    for line in _lines(found, {}):
        amounts = [money(line[name], currency) if name in line else "" for name in SHOWN]
        at = "" if line["booked_at"] is None else f"{line['booked_at'][:10]} {line['booked_at'][11:19]}"
        table.add_row(at, line["kind"], *amounts, line.get("reference") or "")
    screen().print(table, markup=False)
    available = " -> ".join(money(found[end]["available_minor"], currency) for end in ("opening", "closing"))
    typer.echo(f"available: {available}", err=True)
