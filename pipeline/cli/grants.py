"""`ledgerflow grants`: who has which role in which tenant at the gateway, until when."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from pipeline.cli.options import Data, Json
from pipeline.cli.problems import BadInput, Failed
from pipeline.gateway.identity.entrance import first_link
from pipeline.gateway.identity.grants import DAYS_MAX, Grant, GrantRefused, Grants
from pipeline.gateway.identity.principal import text_of
from pipeline.gateway.identity.store import FILE_NAME, SqliteStore, StoreFull
from pipeline.gateway.policy.reading import PolicyError, read_policy
from pipeline.runtime.connections import ENV_PREFIX
from pipeline.runtime.settings import Settings, load_settings

app = typer.Typer(help="Roles of people and programs at the gateway.", no_args_is_help=True)
_T = TypeVar("_T")


@app.command("add")
def add(
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="The name at the provider (its `sub`), or a passkey's.")
    ],
    role: Annotated[str, typer.Option("--role", metavar="TENANT:ROLE", help="A role in a tenant (*: all).")],
    issuer: Annotated[
        str | None, typer.Option("--issuer", help="Who vouches for the name; by default the OpenID provider.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, max=DAYS_MAX, help="For how many days; by default without an end."),
    ] = None,
    program: Annotated[
        bool, typer.Option("--program", help="For a program's access tokens, and not for a person.")
    ] = False,
    accounts: Annotated[
        list[str] | None,
        typer.Option("--account", metavar="ACCOUNT", help="Of a customer: an own account; may be repeated."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Give somebody a role in a tenant. It is in force at the next request."""
    settings = load_settings(data_dir=data)
    vouches = issuer or settings.oidc_issuer
    if not vouches:
        raise BadInput(f"say who vouches for {subject}: --issuer, or {ENV_PREFIX}OIDC_ISSUER")
    tenant, _, name = role.partition(":")
    if not tenant or not name:
        raise BadInput(f"--role {role!r}: write TENANT:ROLE")

    async def work(grants: Grants) -> Grant:
        return await grants.add(
            vouches,
            subject,
            "program" if program else "person",
            tenant,
            name,
            days=days,
            accounts=accounts,
            made_by=f"command line, {getpass.getuser()}",
        )

    made = _done(settings, work)
    typer.echo(json.dumps(_shown(made)) if as_json else _line(made))


@app.command("list")
def list_grants(data: Data = None, as_json: Json = False) -> None:
    """List who has which role, the newest first."""
    found = _done(load_settings(data_dir=data), lambda grants: grants.all())
    if as_json:
        typer.echo(json.dumps([_shown(grant) for grant in found]))
        return
    for grant in found:
        typer.echo(_line(grant))


@app.command("remove")
def remove(
    grant_id: Annotated[str, typer.Argument(metavar="GRANT_ID", help="As `grants list` shows it.")],
    data: Data = None,
) -> None:
    """Take a role away at once."""
    if not _done(load_settings(data_dir=data), lambda grants: grants.remove(grant_id)):
        raise BadInput(f"there is no grant {grant_id}: see `ledgerflow grants list`")
    typer.echo(f"{grant_id} is removed")


@app.command("first")
def first(data: Data = None) -> None:
    """Print a link that makes the first administrator: for 15 minutes, on the gateway's machine alone."""
    settings = load_settings(data_dir=data)
    try:
        link = first_link(settings, read_policy(settings.policy_file))
    except PolicyError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise Failed(str(error)) from None
    if link is None:
        raise Failed("there is an administrator already, or the gateway is not of this machine alone")
    typer.echo(link)


def _done(settings: Settings, work: Callable[[Grants], Coroutine[Any, Any, _T]]) -> _T:
    """Do something with the grants. Raises BadInput, Failed."""
    try:
        policy = read_policy(settings.policy_file)
        store = SqliteStore(_path(settings))
        try:
            return asyncio.run(work(Grants(store, policy)))
        finally:
            store.close()
    except (GrantRefused, PolicyError) as error:
        raise BadInput(str(error)) from None
    except (StoreFull, OSError) as error:
        raise Failed(str(error)) from None


def _path(settings: Settings) -> Path:
    return settings.data_dir / FILE_NAME


def _line(grant: Grant) -> str:
    end = text_of(grant.expires_at)
    until = "without an end" if end is None else f"until {end[:10]}"
    own = f" of {', '.join(grant.accounts)}" if grant.accounts else ""
    who = f"{grant.of} {grant.subject} of {grant.issuer}"
    return f"{grant.grant_id}  {who}  {grant.tenant}:{grant.role}{own}  {until}"


def _shown(grant: Grant) -> dict[str, object]:
    times = {name: text_of(getattr(grant, name)) for name in ("made_at", "expires_at")}
    return {**msgspec.structs.asdict(grant), **times}
