"""`ledgerflow proposals|approve|reject`: commands that wait for a second person, and what they decide.

the view /proposals -> what is proposed, and its hash -> proposal_approved or _rejected -> topic approvals
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote
from uuid import uuid4

import typer

from pipeline.cli.asking import NotFound, Url, ask
from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import settings_for
from pipeline.cli.reasons import Reason, reason_of
from pipeline.cli.screen import Table, screen
from pipeline.cli.sending import WAIT_S, Wait, answer_within, event_of, names_of, no_answer, send, urls_to_ask
from pipeline.events import Actor, ProposalApproved, ProposalRejected
from pipeline.input_event import InputEvent
from pipeline.runtime.kafka.operator_actions import who
from pipeline.runtime.settings import Settings

ISSUER = "ledgerflow-cli"
"""Vouches for the names of people who decide by command: a login to Kafka, or a user of the machine."""
PAGE = "1000"

Account = Annotated[str, typer.Argument(metavar="TENANT/ACCOUNT", show_default=False)]
Proposal = Annotated[
    str, typer.Argument(metavar="PROPOSAL", help="Its id: the event_id of the command.", show_default=False)
]
Hash = Annotated[
    str | None,
    typer.Option(
        "--hash", metavar="HASH", help="What you have read; without it you are asked.", show_default=False
    ),
]


def proposals(
    place: Annotated[str, typer.Argument(metavar="TENANT[/ACCOUNT]", show_default=False)],
    url: Url = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Show the commands of a tenant, or of one account, that wait for a second person."""
    urls, (tenant_id, slash, account) = urls_to_ask(url, settings_for(data)), place.partition("/")
    path = f"/proposals/{quote(tenant_id, safe='')}/{quote(account, safe='')}" if slash else "/proposals"
    parameters, found = {"limit": PAGE, **({} if slash else {"tenant": tenant_id})}, []
    while True:
        page = ask(urls, path, parameters)
        found += page["data"]
        if page.get("next") is None:
            break
        last = found[-1]
        names = [last[name] for name in ("tenant_id", "account_id", "proposal_id")]
        parameters["after"] = "/".join(quote(name, safe="") for name in names)
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("account", "proposal", "command", "proposed by", "expires"):
        table.add_column(heading, overflow="fold")
    for row in found:
        maker = row["proposed_by"]["subject"]
        table.add_row(row["account_id"], row["proposal_id"], row["command"], maker, row["expires_at"])
    screen().print(table, markup=False)
    typer.echo(f"{len(found)} wait for a second person", err=True)


def approve(
    account: Account,
    proposal: Proposal,
    content_hash: Hash = None,
    wait: Wait = WAIT_S,
    url: Url = None,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Let a proposed command be done: shows what is proposed, and sends `proposal_approved` for exactly that.

    Whoever has proposed it cannot approve it. What is proposed is judged when it is approved: `ledgerflow
    tail payment-events` has the answer. Exit code 1 if it was not approved.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    actor = _actor(settings)

    def decision(tenant_id: str, row: dict[str, Any], **about: Any) -> InputEvent:
        maker = row["proposed_by"]
        if (maker["issuer"], maker["subject"]) == (actor.issuer, actor.subject):
            raise BadInput(f"{actor.subject} has proposed it: another person has to approve it")
        return event_of(ProposalApproved, tenant_id, actor=actor, **about)

    _decide(settings, "approve", account, proposal, content_hash, wait, url, decision)


def reject(
    account: Account,
    proposal: Proposal,
    reason: Reason,
    content_hash: Hash = None,
    wait: Wait = WAIT_S,
    url: Url = None,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Let a proposed command not be done: shows what is proposed, and sends `proposal_rejected`.

    Whoever has proposed it may do so, too. Exit code 1 if it was not rejected.
    """
    words, settings = reason_of(reason), settings_for(data, bootstrap_servers, schema_registry_url)

    def decision(tenant_id: str, row: dict[str, Any], **about: Any) -> InputEvent:
        return event_of(ProposalRejected, tenant_id, actor=_actor(settings), reason=words, **about)

    _decide(settings, "reject", account, proposal, content_hash, wait, url, decision)


def _decide(
    settings: Settings,
    verb: str,
    account: str,
    proposal: str,
    content_hash: str | None,
    wait: float,
    url: str | None,
    decision: Callable[..., InputEvent],
) -> None:
    """Show a proposal, and send a decision about what was shown. Raises Failed, BadInput, typer.Abort."""
    tenant_id, account_id = names_of(account, "account", "north/alice")
    urls, names = urls_to_ask(url, settings), (tenant_id, account_id, proposal)
    path = "/proposals/" + "/".join(quote(name, safe="") for name in names)
    row: dict[str, Any] = ask(urls, path)["data"]
    typer.echo(json.dumps(row, indent=1, ensure_ascii=False))
    if content_hash is None:
        typer.confirm(f"{verb} {row['command']} as it is shown?", abort=True)
    elif content_hash != row["content_hash"]:
        raise Failed(f"what is proposed is not {content_hash} any more: read it, and decide again")
    about = {"account_id": account_id, "proposal_id": proposal, "content_hash": row["content_hash"]}
    sent = send(settings, decision(tenant_id, row, **about))
    typer.echo(f"sent to {sent.said}")
    if not wait:
        return

    def decided() -> bool | None:
        try:
            ask(urls, path)
        except NotFound:
            return True
        return None

    if answer_within(wait, decided) is None:
        raise no_answer(sent, wait, f"ledgerflow proposals {account}")
    typer.echo(f"{proposal} does not wait any more: `ledgerflow tail payment-events` has what came of it")


def _actor(settings: Settings) -> Actor:
    """Return who decides: the login to Kafka, else the user of the machine; each command is a session."""
    return Actor(**person(settings))


def person(settings: Settings) -> dict[str, str]:
    """Return the fields of the Actor of whoever runs this command."""
    return {"issuer": ISSUER, "subject": who(settings), "session_id": f"command-{uuid4()}"}
