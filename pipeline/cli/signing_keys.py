"""`ledgerflow signing-keys`: public keys of programs that sign their requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from pipeline.cli.options import Data, Json
from pipeline.cli.problems import BadInput, Failed
from pipeline.gateway.identity.keys import ISSUER
from pipeline.gateway.identity.principal import text_of
from pipeline.gateway.identity.signing_keys import (
    DAYS_MAX,
    PEM_CHARS_MAX,
    SigningKey,
    SigningKeyRefused,
    SigningKeys,
)
from pipeline.gateway.identity.store import FILE_NAME, SqliteStore, StoreFull
from pipeline.runtime.settings import load_settings

app = typer.Typer(help="Keys by which programs sign their requests at the gateway.", no_args_is_help=True)
DAYS_DEFAULT = 365
_T = TypeVar("_T")


@app.command("add")
def add(
    subject: Annotated[
        str, typer.Argument(metavar="PROGRAM", help="The program's name, as its API key has it.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Its public key: Ed25519, P-256 or RSA, PEM.")],
    issuer: Annotated[
        str, typer.Option("--issuer", help="Who vouches for the name, if it comes with access tokens.")
    ] = ISSUER,
    days: Annotated[
        int, typer.Option("--days", min=1, max=DAYS_MAX, help="For how many days it is good.")
    ] = DAYS_DEFAULT,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take a program's public key; print the key id that its signatures name."""
    try:
        with file.open(encoding="utf-8") as opened:
            pem = opened.read(PEM_CHARS_MAX + 1)
    except (OSError, UnicodeError) as error:
        raise BadInput(f"{file}: {getattr(error, 'strerror', None) or 'no text'}") from None
    made = _done(data, lambda keys: keys.add(issuer, subject, pem, days))
    typer.echo(json.dumps(_shown(made)) if as_json else made.key_id)


@app.command("list")
def list_keys(data: Data = None, as_json: Json = False) -> None:
    """List the keys that are in force."""
    found = _done(data, lambda keys: keys.all())
    if as_json:
        typer.echo(json.dumps([_shown(key) for key in found]))
        return
    for key in found:
        end = text_of(key.expires_at) or ""
        typer.echo(f"{key.key_id}  {key.subject} of {key.issuer}  until {end[:10]}")


@app.command("remove")
def remove(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `signing-keys list` shows it.")],
    data: Data = None,
) -> None:
    """End a key at once."""
    if not _done(data, lambda keys: keys.remove(key_id)):
        raise BadInput(f"there is no signing key {key_id}: see `ledgerflow signing-keys list`")
    typer.echo(f"{key_id} is removed")


def _done(data: Path | None, work: Callable[[SigningKeys], Coroutine[Any, Any, _T]]) -> _T:
    """Do something with the keys. Raises BadInput, Failed."""
    try:
        store = SqliteStore(load_settings(data_dir=data).data_dir / FILE_NAME)
        try:
            return asyncio.run(work(SigningKeys(store)))
        finally:
            store.close()
    except SigningKeyRefused as error:
        raise BadInput(str(error)) from None
    except (StoreFull, OSError) as error:
        raise Failed(str(error)) from None


def _shown(key: SigningKey) -> dict[str, object]:
    times = {name: text_of(getattr(key, name)) for name in ("made_at", "expires_at")}
    return {**msgspec.structs.asdict(key), **times}
