"""`ledgerflow personal keys`: the keys of personal data, which stand in a store beside the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Data, Json
from pipeline.cli.problems import BadInput, Failed
from pipeline.personal.backups import DAYS_MAX, backed_up, restored
from pipeline.personal.errors import KeysUnavailable, PersonalDataError
from pipeline.personal.keystore import KeyStore
from pipeline.personal.opening import KEK_NAME, STORE_NAME, named_key, open_in
from pipeline.personal.rewrapping import rewrapped
from pipeline.runtime.settings import ENV_PREFIX, load_settings

app = typer.Typer(help="Personal data: its keys.", no_args_is_help=True)
keys = typer.Typer(help="Keys of personal data.", no_args_is_help=True)
app.add_typer(keys, name="keys")

Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant.")]
Person = Annotated[
    str, typer.Argument(metavar="PERSON", help="Whose keys: party:ID, or account:ID for who holds it.")
]
EarlierKek = Annotated[
    list[str] | None,
    typer.Option("--earlier-kek", metavar="KEK", help="A key that wrapped what is there; may be repeated."),
]


@keys.command("list")
def list_keys(
    tenant: Tenant,
    person: Annotated[str | None, typer.Option("--person", metavar="PERSON", help="Only this one's.")] = None,
    after: Annotated[str, typer.Option("--after", metavar="PERSON", help="Go on behind this one.")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the keys of a tenant, without their secrets: the first 1,000, by person."""
    with _store(data) as store:
        found = store.keys(tenant, person, after)
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in found]))
        return
    for one in found:
        typer.echo(f"{one.person}  {one.field}  version {one.version}  {_text(one.created_at)}  {one.kek_id}")


@keys.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    days: Annotated[int, typer.Option("--days", min=1, max=DAYS_MAX, help="For how long it is of use.")] = (
        DAYS_MAX
    ),
    data: Data = None,
) -> None:
    """Write an encrypted backup of all keys. Keep the key-encryption key elsewhere."""
    with _store(data) as store:
        about = backed_up(store, file, days)
    typer.echo(f"{file}: of use until {_text(about.expires_at)}, with the key {about.kek_id}")


@keys.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `backup` has written.")],
    erased: Annotated[
        list[str] | None,
        typer.Option("--erased", metavar="TENANT/PERSON", help="Erased since the backup; may be repeated."),
    ] = None,
    earlier_kek: EarlierKek = None,
    data: Data = None,
) -> None:
    """Bring back the keys of a backup, but none of persons who were erased."""
    gone = []
    for one in erased or ():
        tenant, there, person = one.partition("/")
        if not (tenant and there and person):
            raise BadInput(f"--erased {one!r}: write TENANT/PERSON")
        gone.append((tenant, person))
    with _store(data, earlier_kek, made=True) as store:
        back = restored(store, file, gone)
    typer.echo(f"{back.keys:,} keys are back; {back.left_out:,} were there already, or are of erased persons")


@keys.command("rotate")
def rotate(tenant: Tenant, person: Person, data: Data = None) -> None:
    """Make new versions of all keys of a person, for what is written from now on.

    A gateway that runs uses them within a minute. Earlier values open with the earlier versions.
    """
    with _store(data) as store:
        fields = sorted({one.field for one in store.keys(tenant, person)})
        if not fields:
            raise BadInput(f"there are no keys of {person} in {tenant}")
        for field in fields:
            typer.echo(f"{field}  version {store.rotate(tenant, person, field).version}")


@keys.command("destroy")
def destroy(
    tenant: Tenant,
    person: Person,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: Data = None,
) -> None:
    """Destroy all keys of a person: nothing of them opens again, and nothing new about them is taken.

    Processes that run forget the keys within a minute, backups are of no use after 35 days.
    """
    with _store(data) as store:
        count = len(store.keys(tenant, person))
        if not yes:
            question = f"Destroy {count:,} keys of {person} in {tenant}? It cannot be undone."
            typer.confirm(question, abort=True)
        typer.echo(f"{store.destroy(tenant, person):,} keys of {person} are destroyed")


@keys.command("rewrap")
def rewrap(
    new_kek: Annotated[
        str, typer.Argument(metavar="KEK", help="The new one, as LEDGERFLOW_KEK names it; made if missing.")
    ],
    data: Data = None,
) -> None:
    """Encrypt all keys with another key-encryption key. Stop the gateways first; if killed, run it again."""
    settings = load_settings(data_dir=data)
    old = settings.kek or str(settings.personal_dir / KEK_NAME)
    with _errors():
        _require_store(settings.personal_dir)
        named_key(new_kek, make=True)
        with open_in(settings.personal_dir, new_kek, [old]) as store:
            count = rewrapped(store)
    typer.echo(f"{count:,} keys are encrypted with {new_kek}: set {ENV_PREFIX}KEK to it")


@contextmanager
def _store(data: Path | None, earlier: list[str] | None = None, *, made: bool = False) -> Iterator[KeyStore]:
    """Open the store. `made`: it may be missing, but its key-encryption key may not."""
    settings = load_settings(data_dir=data)
    with _errors():
        if not made:
            _require_store(settings.personal_dir)
        elif settings.kek is None and not (settings.personal_dir / KEK_NAME).exists():
            raise BadInput(f"put the key-encryption key of the backup at {settings.personal_dir / KEK_NAME}")
        with open_in(settings.personal_dir, settings.kek, earlier or ()) as store:
            yield store


def _require_store(folder: Path) -> None:
    if not (folder / STORE_NAME).exists():
        raise BadInput(f"there is no key store in {folder}: see {ENV_PREFIX}PERSONAL_DIR")


@contextmanager
def _errors() -> Iterator[None]:
    """Make errors of keys and files those of commands."""
    try:
        yield
    except KeysUnavailable as error:
        raise Failed(str(error)) from None
    except PersonalDataError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"{error.filename}: {error.strerror}") from None


def _text(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="seconds")
