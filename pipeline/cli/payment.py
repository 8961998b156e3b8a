"""`ledgerflow payment`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pipeline.cli.amounts import money
from pipeline.cli.asking import Url, ask, payment_path, urls_of
from pipeline.cli.options import Data, Json
from pipeline.cli.screen import Table, screen

SHOWN = (
    "debtor_account_id",
    "creditor_account_id",
    "state",
    "code",
    "waiting_for",
    "hold_expires_at",
    "due_at",
    "stuck_id",
)
STEP = ("occurred_at", "event", "state", "code", "recorded_at", "event_id", "causation_id")


def payment(
    payment: Annotated[str, typer.Argument(metavar="TENANT/PAYMENT", show_default=False)],
    debtor: Annotated[
        str | None,
        typer.Option(
            "--debtor", metavar="ACCOUNT", help="The account that pays; needed where several use this id."
        ),
    ] = None,
    url: Url = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Show a payment: its state, and every step with its time and its cause.

    Exit code 1 if there is no such payment.
    """
    given = {} if debtor is None else {"debtor": debtor}
    answer = ask(urls_of(url, data), payment_path(payment), given)
    if as_json:
        typer.echo(json.dumps(answer))
        return
    found: dict[str, Any] = answer["data"]
    about = Table(show_header=False, box=None, pad_edge=False)
    about.add_row("amount", money(found["amount_minor"], found["currency"]))
    for name in SHOWN:
        if found[name] is not None:
            about.add_row(name, str(found[name]))
    if found["refused_commands"]:
        about.add_row("refused_commands", str(found["refused_commands"]))
    steps = Table(box=None, pad_edge=False)
    for name in STEP:
        steps.add_column(name, overflow="fold")
    for step in found["steps"]:
        steps.add_row(*("" if step[name] is None else str(step[name]) for name in STEP))
    for table in (about, "", steps):
        screen().print(table, markup=False)
