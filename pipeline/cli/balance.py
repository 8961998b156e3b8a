"""`ledgerflow balance`."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from pipeline.cli.options import Data, Json
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import START, settings_for, worker_urls
from pipeline.cli.screen import screen

ANSWER_WITHIN_S = 10.0
MINOR_DIGITS = {"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3} | dict.fromkeys(
    (
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ),
    0,
)
"""ISO 4217: currencies whose minor unit is not a hundredth."""


def balance(
    account: Annotated[str, typer.Argument(metavar="TENANT/ACCOUNT", show_default=False)],
    url: Annotated[
        str | None,
        typer.Option(
            "--url", metavar="URL", help="A worker's table views; any worker answers for any account."
        ),
    ] = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Show an account's balance, as the workers' tables have it. Exit code 1 if there is no such account."""
    tenant_id, slash, account_id = account.partition("/")
    if not (tenant_id and slash and account_id):
        raise BadInput(f"{account!r} is no account: write TENANT/ACCOUNT, such as north/c1-7")
    urls = worker_urls(settings_for(data)) if url is None else [url.rstrip("/")]
    answer = _ask(urls, account)
    if as_json:
        typer.echo(json.dumps(answer))
        return
    row, meta = answer["data"], answer["meta"]
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in row.items():
        table.add_row(name, money(value, row["currency"]) if _is_money(name) else str(value))
    screen().print(table, markup=False)
    typer.echo(
        f"as of {meta['log']}[{meta['partition']}]@{meta['as_of_offset']}, lag {meta['lag']}", err=True
    )


def _ask(urls: list[str], account: str) -> dict[str, Any]:
    """Return what the first worker that answers says (`data`, `meta`). Raises Failed."""
    reason = "no worker"
    for url in urls:
        request = urllib.request.Request(
            f"{url}/balances/{quote(account)}", headers={"Accept": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise Failed(f"there is no account {account}") from None
            reason = f"{url} answers {error.code}" + (
                ": still recovering, try again" if error.code == 503 else ""
            )
        except (OSError, http.client.HTTPException, ValueError):
            reason = f"{url} does not answer: {START}, or say where a worker is (--data, --url)"
    raise Failed(reason)


def _is_money(name: str) -> bool:
    return name.endswith("_minor") or name.startswith(("debits_", "credits_"))


def money(minor: int | None, currency: str) -> str:
    """Return an amount of minor units in its currency, exactly; None is a limit that is not set."""
    if minor is None:
        return "unlimited"
    digits = MINOR_DIGITS.get(currency, 2)
    whole, part = divmod(abs(minor), 10**digits)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole:,}" + (f".{part:0{digits}}" if digits else "") + f" {currency}"
