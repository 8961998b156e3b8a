"""`ledgerflow balance`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pipeline.cli.amounts import money
from pipeline.cli.asking import Url, account_path, ask, urls_of
from pipeline.cli.options import Data, Json
from pipeline.cli.screen import Table, screen
from pipeline.domain.kernel.amounts import MINOR


def balance(
    account: Annotated[str, typer.Argument(metavar="TENANT/ACCOUNT", show_default=False)],
    url: Url = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="TIME", help="At this value time: what had happened in the world by then."
        ),
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option(
            "--known-at", metavar="TIME", help="As the ledger knew it then: what it had booked by then."
        ),
    ] = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Show an account's balance, now or at another time.

    Give a time with its zone, such as 2026-11-21T15:00:00Z. Exit code 1 if there is no such account, or if
    its history starts later.
    """
    path = account_path("balances", account)
    times = {name: time for name, time in (("as_of", as_of), ("known_at", known_at)) if time is not None}
    answer = ask(urls_of(url, data), path, times)
    if as_json:
        typer.echo(json.dumps(answer))
        return
    row, meta = answer["data"], answer["meta"]
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in row.items():
        if f"{name}{MINOR}" not in row:
            minor = f"{value:,} minor units" if name.endswith(MINOR) and value is not None else ""
            table.add_row(name.removesuffix(MINOR), shown(name, value, row["currency"]), minor)
    screen().print(table, markup=False)
    typer.echo(
        f"as of {meta['log']}[{meta['partition']}]@{meta['as_of_offset']}, lag {meta['lag']}", err=True
    )


def shown(name: str, value: Any, currency: str) -> str:
    """Return a column for people: without a minimum or maximum there is none, an overdraft is unlimited."""
    if value is None:
        return "unlimited" if name == "overdraft_limit_minor" else "none"
    is_money = name.endswith("_minor") or name.startswith(("debits_", "credits_"))
    return money(value, currency) if is_money else str(value)
