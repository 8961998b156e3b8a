"""`ledgerflow keys`: API keys of programs at the gateway."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from pipeline.cli.options import Data, Json
from pipeline.cli.problems import BadInput, Failed
from pipeline.domain.fraud.expressions.problems import did_you_mean
from pipeline.gateway.identity.keys import DAYS_MAX, FILE_NAME, ApiKey, KeyRefused, Keys
from pipeline.gateway.identity.principal import PrincipalError
from pipeline.gateway.policy.permissions import flaw_of
from pipeline.gateway.policy.policy import Policy
from pipeline.gateway.policy.reading import PolicyError, read_policy
from pipeline.runtime.settings import ENV_PREFIX, load_settings

app = typer.Typer(help="API keys of programs at the gateway.", no_args_is_help=True)
DAYS_DEFAULT = 90
_T = TypeVar("_T")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the program is called in the logs.")],
    roles: Annotated[
        list[str],
        typer.Option("--role", metavar="TENANT:ROLE", help="A role in a tenant (*: all); may be repeated."),
    ],
    days: Annotated[
        int, typer.Option("--days", min=1, max=DAYS_MAX, help="For how many days it is good.")
    ] = DAYS_DEFAULT,
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="PERMISSION", help="Limit it, such as to command:payments.*; may be repeated."
        ),
    ] = None,
    accounts: Annotated[
        list[str] | None,
        typer.Option("--account", metavar="TENANT/ACCOUNT", help="Of a customer: an own account."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it. It is shown once, and kept nowhere."""
    for scope in scopes or ():
        if flaw := flaw_of(scope):
            raise BadInput(f"--only {scope}: {flaw}")
    granted = _by_tenant(roles, ":", "--role", "TENANT:ROLE")
    known = _policy(data).roles
    for name_of_role in {one for some in granted.values() for one in some}:
        if name_of_role not in known:
            raise BadInput(f"--role: there is no role {name_of_role!r}{did_you_mean(name_of_role, known)}")
    owned = _by_tenant(accounts or [], "/", "--account", "TENANT/ACCOUNT")
    try:
        text, made = _told(lambda: _keys(data).create(name, granted, days, scopes, owned))
    except (KeyRefused, PrincipalError) as error:
        raise BadInput(str(error)) from None
    if as_json:
        typer.echo(json.dumps({"key": text, **_shown(made)}))
        return
    typer.echo(text)
    said = f"{made.key_id} is good until {_day(made.expires_at)}; keep it: it is not shown again"
    typer.echo(said, err=True)


@app.command("list")
def list_keys(data: Data = None, as_json: Json = False) -> None:
    """List the keys, without their secrets."""
    found = _told(lambda: _keys(data).all())
    if as_json:
        typer.echo(json.dumps([_shown(key) for key in found]))
        return
    for key in found:
        state = "revoked" if key.revoked_at is not None else f"until {_day(key.expires_at)}"
        roles = ", ".join(f"{tenant}:{role}" for tenant, some in key.roles.items() for role in some)
        typer.echo(f"{key.key_id}  {key.subject}  {roles}  {state}")


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `keys list` shows it.")],
    data: Data = None,
) -> None:
    """End a key at once."""
    if not _told(lambda: _keys(data).revoke(key_id)):
        raise BadInput(f"there is no key {key_id} that is in force: see `ledgerflow keys list`")
    typer.echo(f"{key_id} is revoked")


def _policy(data: Path | None) -> Policy:
    """Return the policy that the gateway has. Raises BadInput."""
    file = load_settings(data_dir=data).policy_file
    try:
        return read_policy(file)
    except PolicyError as error:
        raise BadInput(f"{ENV_PREFIX}POLICY_FILE={file}: {error}") from None
    except OSError as error:
        raise BadInput(f"{ENV_PREFIX}POLICY_FILE={file}: {error.strerror}") from None


def _keys(data: Path | None) -> Keys:
    return Keys(load_settings(data_dir=data).data_dir / FILE_NAME)


def _told(work: Callable[[], _T]) -> _T:
    """Do something with the file of keys. Raises Failed where it cannot be used."""
    try:
        return work()
    except (sqlite3.Error, OSError) as error:
        raise Failed(f"the file of keys cannot be used: {error}") from None


def _by_tenant(given: list[str], sign: str, option: str, form: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in given:
        tenant, there, name = one.partition(sign)
        if not (tenant and there and name):
            raise BadInput(f"{option} {one!r}: write {form}")
        found.setdefault(tenant, []).append(name)
    return found


def _shown(key: ApiKey) -> dict[str, object]:
    times = {name: getattr(key, name) for name in ("made_at", "expires_at", "revoked_at")}
    return {**key._asdict(), **{name: None if at is None else _text(at) for name, at in times.items()}}


def _text(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="seconds")


def _day(at: int) -> str:
    return _text(at)[:10]
