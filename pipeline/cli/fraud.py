"""`ledgerflow fraud label`: says what a payment turned out to be, as an upstream does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from pipeline.cli.asking import Url, ask, payment_path
from pipeline.cli.letters import milliseconds
from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import BadInput
from pipeline.cli.proposals import person
from pipeline.cli.sending import DryRun, event_of, names_of, send, settings_to_send, show_unsent, urls_to_ask
from pipeline.domain.kernel.times import EPOCH
from pipeline.events import Actor, FraudLabel, LabelSource, PaymentLabelled

app = typer.Typer(no_args_is_help=True, help="Say what a payment turned out to be.")


class Source(StrEnum):
    """Where a label comes from."""

    CHARGEBACK = "chargeback"
    CUSTOMER = "customer"
    REVIEW = "review"


@app.callback()
def fraud() -> None:
    """Take `label` as a command of a group: Typer would make a single one the group itself."""


@app.command("label")
def label(
    payment: Annotated[str, typer.Argument(metavar="TENANT/PAYMENT", show_default=False)],
    is_fraud: Annotated[
        bool | None,
        typer.Option("--fraud/--genuine", help="What it turned out to be.", show_default=False),
    ] = None,
    source: Annotated[Source, typer.Option("--source", help="Where it is known from.")] = Source.REVIEW,
    debtor: Annotated[
        str | None,
        typer.Option("--debtor", metavar="ACCOUNT", help="Who paid.", show_default="as the views say"),
    ] = None,
    creditor: Annotated[
        str | None,
        typer.Option("--creditor", metavar="ACCOUNT", help="Who was paid.", show_default="as the views say"),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When it was known.", show_default="now")
    ] = None,
    dry_run: DryRun = False,
    url: Url = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Label a payment: sends `payment_labelled` to the topic fraud-labels.

    It counts from the time at which it was known, and not for payments before. The newest label of a payment
    counts, so `--genuine` takes an earlier `--fraud` back. Labels that come after 120 days change nothing.
    """
    tenant_id, payment_id = names_of(payment, "payment", "north/p-1")
    what = _label_of(is_fraud)
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, dry_run)
    if debtor is None or creditor is None:
        told = _accounts(payment, debtor, None if dry_run else urls_to_ask(url, settings))
        debtor, creditor = told[0], creditor or told[1]
    event = event_of(
        PaymentLabelled, tenant_id, payment_id=payment_id, debtor_account_id=debtor,
        creditor_account_id=creditor, label=what, source=LabelSource(source.name), labelled_at=_time(at),
        actor=Actor(**person(settings)),
    )  # fmt: skip
    if dry_run:
        show_unsent([event], settings.partitions)
        return
    sent = send(settings, event)
    if as_json:
        typer.echo(json.dumps({"sent": sent._asdict()}))
        return
    typer.echo(f"sent to {sent.said}: payment {payment_id} is {event.label.lower()}")


def _label_of(is_fraud: bool | None) -> FraudLabel:
    if is_fraud is None:
        raise BadInput("say what it turned out to be: --fraud or --genuine")
    return FraudLabel.FRAUD if is_fraud else FraudLabel.GENUINE


def _accounts(payment: str, debtor: str | None, urls: list[str] | None) -> tuple[str, str]:
    """Return who paid and who was paid, as the views say; None: nobody may be asked."""
    if urls is None:
        raise BadInput("a dry run asks nobody: say --debtor and --creditor")
    row = ask(urls, payment_path(payment), {} if debtor is None else {"debtor": debtor})["data"]
    return row["debtor_account_id"], row["creditor_account_id"]


def _time(at: str | None) -> datetime:
    return datetime.now(UTC) if at is None else EPOCH + timedelta(milliseconds=milliseconds(at))
