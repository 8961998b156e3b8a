"""`ledgerflow statement`."""

from __future__ import annotations

import csv
import json
import sys
from typing import Annotated, Any

import typer

from pipeline.cli.asking import Url, account_path, ask, urls_of
from pipeline.cli.balance import money
from pipeline.cli.options import Data, Json
from pipeline.cli.problems import BadInput
from pipeline.cli.screen import Table, screen
from pipeline.runtime.escaping import csv_cell

PAGE = "1000"
SHOWN = (
    "booked_at",
    "kind",
    "booked_minor",
    "held_change_minor",
    "balance_minor",
    "available_minor",
    "reference",
)


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
        columns = list(found["bookings"][0]) if found["bookings"] else list(SHOWN)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(map(csv_cell, columns))
        writer.writerows([csv_cell(line[name]) for name in columns] for line in found["bookings"])
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


def _show(found: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in SHOWN:
        table.add_column(name.removesuffix("_minor"), justify="right" if name.endswith("_minor") else "left")
    currency = found["currency"]
    table.add_row("", "OPENING", "", "", *_balance_cells(found["opening"], currency), "")
    for line in found["bookings"]:
        cells = [money(line[name], currency) if name.endswith("_minor") else line[name] for name in SHOWN]
        table.add_row(*(str(cell) if cell is not None else "" for cell in cells))
    table.add_row("", "CLOSING", "", "", *_balance_cells(found["closing"], currency), "")
    screen().print(table, markup=False)


def _balance_cells(state: dict[str, int], currency: str) -> tuple[str, str]:
    return money(state["balance_minor"], currency), money(state["available_minor"], currency)
