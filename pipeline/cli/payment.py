"""`ledgerflow payment show|send`; `ledgerflow payment TENANT/PAYMENT` shows it. Links: `payment_link`."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Annotated, Any
from uuid import uuid4

import typer
from typer.core import TyperGroup

from pipeline.cli.amounts import minor_units, money, rate_e8
from pipeline.cli.asking import NotFound, Url, ask, payment_path, urls_of
from pipeline.cli.letters import milliseconds
from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import EXIT_FAILED, BadInput, Failed
from pipeline.cli.screen import Table, screen
from pipeline.cli.sending import (
    WAIT_S,
    DryRun,
    Wait,
    answer_within,
    event_of,
    meaning_of,
    names_of,
    no_answer,
    send,
    settings_to_send,
    show_unsent,
    tell,
    urls_to_ask,
)
from pipeline.domain.kernel.rates import UNIT_E8
from pipeline.domain.kernel.times import EPOCH
from pipeline.events import PaymentInitiated, PaymentType

SHOWN = (
    "debtor_account_id",
    "creditor_account_id",
    "state",
    "code",
    "waiting_for",
    "link_id",
    "hold_expires_at",
    "due_at",
    "stuck_id",
)
ENDED_BADLY = ("rejected", "failed")
STEP = ("occurred_at", "event", "state", "code", "recorded_at", "event_id", "causation_id")


class _ShownByDefault(TyperGroup):
    """Takes the name of a payment in the place of a subcommand."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `show` before what is neither a subcommand nor a request for help."""
        first = args[0] if args else "--help"
        known = first in self.commands or first in ctx.help_option_names
        return super().parse_args(ctx, args if known else ["show", *args])


app = typer.Typer(
    cls=_ShownByDefault,
    no_args_is_help=True,
    help="Show a payment; or send one, as an upstream does, to try it.",
)


@app.command("show")
def show(
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
    _show(answer["data"])


@app.command("send")
def send_payment(
    account: Annotated[str, typer.Argument(metavar="TENANT/DEBTOR", show_default=False)],
    creditor: Annotated[
        str, typer.Argument(metavar="CREDITOR", help="An account of the tenant.", show_default=False)
    ],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Such as 12.50.", show_default=False)],
    currency: Annotated[str, typer.Argument(metavar="CURRENCY", help="Such as EUR.", show_default=False)],
    payment_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Its id, which has one effect.", show_default="a new one"),
    ] = None,
    reference: Annotated[str, typer.Option("--reference", metavar="TEXT", help="What it is for.")] = "",
    to_currency: Annotated[
        str | None,
        typer.Option(
            "--to-currency", metavar="CURRENCY", help="What the creditor gets it in.", show_default="the same"
        ),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate",
            metavar="RATE",
            help="Units of that for one of CURRENCY, such as 1.08.",
            show_default="the quoted one",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="When it is to be executed.", show_default="at once"),
    ] = None,
    kind: Annotated[PaymentType, typer.Option("--type", help="Its type.")] = PaymentType.TRANSFER,
    dry_run: DryRun = False,
    wait: Wait = WAIT_S,
    url: Url = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Pay: sends `payment_initiated` to the topic payments, and waits until it is settled, held or rejected.

    Exit code 1 if it is rejected or fails, or if no answer comes.
    """
    tenant_id, debtor = names_of(account, "account", "north/alice")
    if rate is not None and to_currency is None:
        raise BadInput("--rate is for --to-currency: what the creditor gets it in")
    name = f"p-{uuid4()}" if payment_id is None else payment_id
    event = event_of(
        PaymentInitiated, tenant_id, payment_id=name, debtor_account_id=debtor, creditor_account_id=creditor,
        amount_minor=minor_units(amount, currency), currency=currency, payment_type=kind, reference=reference,
        creditor_currency=to_currency, rate_e8=None if rate is None else rate_e8(rate),
        execute_at=None if at is None else EPOCH + timedelta(milliseconds=milliseconds(at)),
    )  # fmt: skip
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, dry_run)
    if dry_run:
        show_unsent([event], settings.partitions)
        return
    urls = urls_to_ask(url, settings)
    path, showing = payment_path(f"{tenant_id}/{name}"), f"payment show {tenant_id}/{name}"
    look = partial(known, urls, path, debtor)
    before = look() if wait and payment_id else None
    sent = send(settings, event)
    found = answer_within(wait, lambda: decided(look(), before)) if wait else None
    if wait and found is None:
        raise no_answer(sent, wait, f"ledgerflow {showing}")
    if before is not None and found is not None:
        raise Failed(
            f"payment {name} was {before['state']} before, and this one is refused: an id has one effect."
            f" `ledgerflow {showing}` shows it, `ledgerflow tail payment-events` the code"
        )
    told = None if found is None else in_words(name, found)
    tell([sent], found, told, [showing, f"balance {account}", f"statement {account}"], as_json, data)
    if found is not None and found["state"] in ENDED_BADLY:
        raise typer.Exit(EXIT_FAILED)


def known(urls: list[str], path: str, debtor: str) -> dict[str, Any] | None:
    """Return a payment of a debtor, None where it is not known."""
    try:
        found: dict[str, Any] = ask(urls, path, {"debtor": debtor})["data"]
        return found
    except NotFound:
        return None


def decided(row: dict[str, Any] | None, before: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a payment once nothing but a person or a capture moves it on.

    `before`: as it was when its id was sent again; then it is returned once that is refused.
    """
    if row is None or (before is not None and row["refused_commands"] == before["refused_commands"]):
        return None
    return None if row["state"] == "processing" and before is None else row


def in_words(name: str, found: dict[str, Any]) -> str:
    """Return what has become of a payment."""
    why = "" if found["code"] == "ok" else f", {meaning_of(found['code'])}"
    waits = "" if found["waiting_for"] is None else f", and waits for {found['waiting_for']}"
    return f"payment {name} is {found['state']}{waits}{why}"


def _in_exchange(found: dict[str, Any], exchange: dict[str, Any]) -> str:
    """Return what the creditor gets and at which rate: 108.00 USD at 1.08 USD for 1 EUR."""
    one = exchange["rate_currency"]
    other = exchange["currency"] if one == found["currency"] else found["currency"]
    whole, part = divmod(exchange["rate_e8"], UNIT_E8)
    rate = f"{whole}.{part:08}".rstrip("0").rstrip(".")
    got = money(exchange["creditor_amount_minor"], exchange["currency"])
    return f"{got} at {rate} {other} for 1 {one}"


def _show(found: dict[str, Any]) -> None:
    about = Table(show_header=False, box=None, pad_edge=False)
    about.add_row("amount", money(found["amount_minor"], found["currency"]))
    exchange = found.get("exchange")  # a worker of an earlier version knows none
    if exchange is not None:
        about.add_row("exchanged", _in_exchange(found, exchange))
    for name in SHOWN:
        if found.get(name) is not None:  # a worker of an earlier version may not know it
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
