"""`ledgerflow payment link`: several payments of one account, settled together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any
from uuid import uuid4

import typer

from pipeline.cli.amounts import minor_units
from pipeline.cli.asking import Url, payment_path
from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.payment import ENDED_BADLY, decided, in_words, known
from pipeline.cli.problems import EXIT_FAILED, BadInput, Failed
from pipeline.cli.sending import (
    WAIT_S,
    DryRun,
    Wait,
    answer_within,
    event_of,
    names_of,
    no_answer,
    send,
    settings_to_send,
    show_unsent,
    tell,
    urls_to_ask,
)
from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.domain.kernel.links import PAYMENTS_MAX
from pipeline.events import AccountType, LinkedPayment, LinkOpening, PaymentsLinked, PaymentType

To = Annotated[
    list[str],
    typer.Option("--to", metavar="CREDITOR=AMOUNT", help="One payment; once for each.", show_default=False),
]


def link_payments(
    account: Annotated[str, typer.Argument(metavar="TENANT/DEBTOR", show_default=False)],
    currency: Annotated[str, typer.Argument(metavar="CURRENCY", help="Such as EUR.", show_default=False)],
    to: To,
    link_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Its id, which has one effect.", show_default="a new one"),
    ] = None,
    opened_with: Annotated[
        str | None,
        typer.Option("--open", metavar="AMOUNT", help="Open the account with this balance, all or nothing."),
    ] = None,
    reference: Annotated[str, typer.Option("--reference", metavar="TEXT", help="What they are for.")] = "",
    dry_run: DryRun = False,
    wait: Wait = WAIT_S,
    url: Url = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Pay several accounts as one: all or none. Sends `payments_linked`, and waits until all are decided.

    The payments are named ID-1, ID-2 and so on. Exit code 1 if they are rejected or fail, or if no answer
    comes.
    """
    tenant_id, debtor = names_of(account, "account", "north/alice")
    name = f"l-{uuid4()}" if link_id is None else link_id
    event = event_of(
        PaymentsLinked, tenant_id, link_id=name, debtor_account_id=debtor,
        payments=_payments(name, to, currency, reference),
        open_account=None if opened_with is None else _opening(debtor, opened_with, currency),
    )  # fmt: skip
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, dry_run)
    if dry_run:
        show_unsent([event], settings.partitions)
        return
    urls = urls_to_ask(url, settings)
    names = [payment.payment_id for payment in event.payments]
    looks = [partial(known, urls, payment_path(f"{tenant_id}/{one}"), debtor) for one in names]
    before = [look() for look in looks] if wait and link_id else []
    sent = send(settings, event)
    showing = f"payment show {tenant_id}/{names[0]}"
    if any(before):
        raise Failed(
            f"link {name} came before, and this one is refused: an id has one effect."
            f" `ledgerflow {showing}` shows its first payment, `ledgerflow tail payment-events` the code"
        )
    found = answer_within(wait, lambda: _all(looks)) if wait else None
    if wait and found is None:
        raise no_answer(sent, wait, f"ledgerflow {showing}")
    told = None if found is None else "\n".join(map(in_words, names, found))
    answer = None if found is None else {"payments": found}
    tell([sent], answer, told, [showing, f"balance {account}"], as_json, data)
    if any(one["state"] in ENDED_BADLY for one in found or ()):
        raise typer.Exit(EXIT_FAILED)


def _payments(name: str, to: list[str], currency: str, reference: str) -> tuple[LinkedPayment, ...]:
    """Return the payments that are asked for. Raises BadInput."""
    if len(to) > PAYMENTS_MAX:
        raise BadInput(f"--to {len(to)} times: a link has at most {PAYMENTS_MAX} payments")
    if len(f"{name}-{len(to)}") > ID_CHARS_MAX:
        raise BadInput(
            f"--id is too long: its payments are named ID-1 and so on, with {ID_CHARS_MAX} characters"
        )
    payments = []
    for number, text in enumerate(to, 1):
        creditor, _, amount = text.rpartition("=")
        if not creditor or not amount:
            raise BadInput(f"--to {text}: write CREDITOR=AMOUNT, such as shop=12.50")
        payment = LinkedPayment(
            payment_id=f"{name}-{number}", creditor_account_id=creditor, currency=currency,
            amount_minor=minor_units(amount, currency), payment_type=PaymentType.TRANSFER,
            reference=reference,
        )  # fmt: skip
        payments.append(payment)
    return tuple(payments)


def _opening(debtor: str, balance: str, currency: str) -> LinkOpening:
    """Return the opening of the debtor's account. Raises BadInput."""
    return LinkOpening(
        customer_id=debtor, account_type=AccountType.CHECKING, currency=currency,
        initial_balance_minor=minor_units(balance, currency), overdraft_limit_minor=0,
    )  # fmt: skip


def _all(looks: Sequence[Callable[[], dict[str, Any] | None]]) -> list[dict[str, Any]] | None:
    """Return all payments once each is decided, None until then."""
    found = [decided(look(), None) for look in looks]
    return None if None in found else [one for one in found if one is not None]
