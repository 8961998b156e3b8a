"""`ledgerflow account open|fund`: events of an upstream, for people who try it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

import typer

from pipeline.cli.amounts import minor_units, money
from pipeline.cli.asking import NotFound, Url, account_path, ask
from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import Failed
from pipeline.cli.sending import (
    WAIT_S,
    DryRun,
    Sent,
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
from pipeline.events import AccountOpened, AccountType, JournalSubmitted
from pipeline.input_event import InputEvent

app = typer.Typer(no_args_is_help=True, help="Open and fund accounts, as an upstream does, to try it.")
Account = Annotated[str, typer.Argument(metavar="TENANT/ACCOUNT", show_default=False)]
Currency = Annotated[str, typer.Argument(metavar="CURRENCY", help="Such as EUR.", show_default=False)]
_EXAMPLE = "north/alice"
_BETWEEN = ("PREPARING", "HELD")
"""States of a journal that is not decided yet."""


@app.command("open")
def open_account(
    account: Account,
    currency: Currency,
    balance: Annotated[
        str, typer.Option("--balance", metavar="AMOUNT", help="Its initial balance, such as 100.00.")
    ] = "0",
    overdraft: Annotated[
        str, typer.Option("--overdraft", metavar="AMOUNT", help="How far it may be overdrawn.")
    ] = "0",
    kind: Annotated[AccountType, typer.Option("--type", help="Its type.")] = AccountType.CHECKING,
    customer: Annotated[
        str | None,
        typer.Option("--customer", metavar="ID", help="Whose it is.", show_default="as the account"),
    ] = None,
    dry_run: DryRun = False,
    wait: Wait = WAIT_S,
    url: Url = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Open an account: sends `account_opened` to the topic accounts, and waits until the ledger has it.

    Exit code 1 if there is one of that name already, or if no answer comes.
    """
    tenant_id, name = names_of(account, "account", _EXAMPLE)
    event = event_of(
        AccountOpened, tenant_id, account_id=name, customer_id=customer or name, account_type=kind,
        currency=currency, initial_balance_minor=minor_units(balance, currency),
        overdraft_limit_minor=minor_units(overdraft, currency),
    )  # fmt: skip
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, dry_run)
    if dry_run:
        show_unsent([event], settings.partitions)
        return
    urls = urls_to_ask(url, settings)
    if wait and balance_of(urls, account) is not None:
        raise Failed(f"there is an account {account} already: `ledgerflow balance {account}` shows it")
    sent = send(settings, event)
    found = _opened(urls, account, sent, wait)
    told = None if found is None else f"{account} is open, with {money(found['balance_minor'], currency)}"
    tell([sent], found, told, [f"account fund {account} 100 {currency}", f"balance {account}"], as_json, data)


@app.command("fund")
def fund(
    account: Account,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Such as 100.00.", show_default=False)],
    currency: Currency,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="ACCOUNT",
            help="The tenant's account that the money comes from.",
            show_default="funding-CURRENCY",
        ),
    ] = None,
    dry_run: DryRun = False,
    wait: Wait = WAIT_S,
    url: Url = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Put money on an account: sends `journal_submitted` to the topic journals, and waits for its end.

    In double entry money comes from another account. Without --from that is an internal one of the tenant,
    without a limit, which is opened on first use. Exit code 1 if the journal is refused, or no answer comes.
    """
    tenant_id, name = names_of(account, "account", _EXAMPLE)
    minor = minor_units(amount, currency)
    giver = source or f"funding-{currency}"
    legs = [
        {"leg_no": number, "entry_no": 1, "account_id": party, "side": side, "amount_minor": minor}
        | {"currency": currency}
        for number, (party, side) in enumerate(((giver, "DEBIT"), (name, "CREDIT")), 1)
    ]
    journal_id = f"fund-{uuid4()}"
    journal = event_of(
        JournalSubmitted, tenant_id, journal_id=journal_id, account_id=giver, legs=legs, late="NEXT_PERIOD",
        reference=f"funding of {name}",
    )  # fmt: skip
    opening = event_of(
        AccountOpened, tenant_id, account_id=giver, customer_id=giver, account_type=AccountType.INTERNAL,
        currency=currency, initial_balance_minor=0, overdraft_limit_minor=None,
    )  # fmt: skip
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, dry_run)
    if dry_run:
        events: list[InputEvent] = [journal] if source else [opening, journal]
        show_unsent(events, settings.partitions)
        return
    urls, sent = urls_to_ask(url, settings), []
    if source is None and balance_of(urls, f"{tenant_id}/{giver}") is None:
        sent.append(send(settings, opening))
        _opened(urls, f"{tenant_id}/{giver}", sent[0], wait or WAIT_S)  # topics have no order between them
    sent.append(send(settings, journal))
    path = account_path("journals", f"{tenant_id}/{journal_id}")

    def look() -> dict[str, Any] | None:
        row: dict[str, Any] = ask(urls, path, {"account": giver})["data"]
        return None if row["state"] in _BETWEEN else row

    found = answer_within(wait, look) if wait else None
    if wait and found is None:
        raise no_answer(sent[-1], wait, f"ledgerflow balance {account}")
    if found is not None and found["state"] != "POSTED":
        leg = "" if found["leg_no"] is None else f" (leg {found['leg_no']})"
        raise Failed(f"journal {journal_id} is {found['state'].lower()}{leg}, {meaning_of(found['code'])}")
    told = None if found is None else f"{account} has got {money(minor, currency)} from {giver}"
    tell(sent, found, told, [f"balance {account}", f"statement {account}"], as_json, data)


def balance_of(urls: list[str], account: str) -> dict[str, Any] | None:
    """Return an account's balance, None where there is no such account. Raises Failed, BadInput."""
    try:
        found: dict[str, Any] = ask(urls, account_path("balances", account))["data"]
        return found
    except NotFound:
        return None


def _opened(urls: list[str], account: str, sent: Sent, wait: float) -> dict[str, Any] | None:
    """Return the balance of an account that was opened, once the ledger has it; None where nobody waits.

    Raises Failed where it does not come.
    """
    if not wait:
        return None
    found = answer_within(wait, lambda: balance_of(urls, account))
    if found is None:
        raise no_answer(sent, wait, f"ledgerflow balance {account}")
    return found
