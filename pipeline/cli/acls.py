"""`ledgerflow acls print|apply|check`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline.cli.options import Bootstrap, Data, Json
from pipeline.cli.problems import EXIT_FAILED, BadInput
from pipeline.cli.reach import errors_in_one_line, require_kafka, settings_for
from pipeline.cli.screen import Table, screen
from pipeline.runtime.kafka import acls
from pipeline.runtime.kafka.access import PREFIXED, ROLES, rights
from pipeline.runtime.kafka.acls import Acl, principals_of
from pipeline.runtime.local.credentials import ADMIN
from pipeline.runtime.settings import Settings, load_settings

app = typer.Typer(
    no_args_is_help=True, help="Who may do what in Kafka, by role: print, apply, check against a cluster."
)
Principals = Annotated[
    Path | None,
    typer.Option(
        "--principals",
        metavar="FILE",
        help='TOML, a line a role that is not called so: worker = "User:CN=ledger-worker".',
        show_default="User:<app id>-<role>",
    ),
]
PRINCIPAL_BEGINS = "User:"


@app.command("print")
def print_acls(
    commands: Annotated[
        bool, typer.Option("--commands", help="As commands of Kafka's own kafka-acls.sh.")
    ] = False,
    principals: Principals = None,
    as_json: Json = False,
) -> None:
    """Print the rights of every role. Needs no cluster."""
    settings = load_settings()
    said = _principals(settings, principals)
    table = acls.wanted(said, settings.app_id)
    if as_json:
        typer.echo(json.dumps([acl._asdict() for acl in table]))
    elif commands:
        for line in acls.as_commands(table):
            typer.echo(line)
    else:
        screen().print(_table(settings, said), markup=False)


@app.command("apply")
def apply_acls(
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Also delete what the cluster lets these principals do beyond the table."
        ),
    ] = False,
    principals: Principals = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
) -> None:
    """Give every role its rights, as an administrator of the cluster.

    Other principals keep theirs. A second time changes nothing.
    """
    settings = settings_for(data, bootstrap_servers, role=ADMIN)
    admin = require_kafka(settings)
    with errors_in_one_line(settings):
        comparison = acls.compare(admin, _principals(settings, principals), settings.app_id)
        acls.apply(admin, comparison, prune)
    deleted = comparison.surplus if prune else ()
    if as_json:
        typer.echo(json.dumps({"made": _texts(comparison.missing), "deleted": _texts(deleted)}))
        return
    for word, found in (("made", comparison.missing), ("deleted", deleted)):
        for acl in found:
            typer.echo(f"{word}: {acl}")
    typer.echo(f"made {len(comparison.missing)}, deleted {len(deleted)}", err=True)


@app.command("check")
def check_acls(
    principals: Principals = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
) -> None:
    """Compare a cluster's ACLs with the table of roles, and name who else may write what the streams write.

    Exit code 1 if anything differs.
    """
    settings = settings_for(data, bootstrap_servers, role=ADMIN)
    admin = require_kafka(settings)
    with errors_in_one_line(settings):
        comparison = acls.compare(admin, _principals(settings, principals), settings.app_id)
    differs = any(comparison)
    if as_json:
        said = {name: _texts(found) for name, found in comparison._asdict().items()}
        typer.echo(json.dumps({"ok": not differs, **said}))
    else:
        says = {
            "missing": "missing",
            "surplus": "too much",
            "strangers": "no role, and may write what the streams write",
        }
        for name, found in comparison._asdict().items():
            for acl in found:
                typer.echo(f"{says[name]}: {acl}")
        typer.echo("the cluster and the table of roles " + ("differ" if differs else "agree"), err=True)
    raise typer.Exit(EXIT_FAILED if differs else 0)


def _principals(settings: Settings, file: Path | None) -> dict[str, str]:
    """Return the principal of each role. Raises BadInput for a file that does not say some."""
    found = principals_of(settings.app_id)
    if file is None:
        return found
    try:
        given = msgspec.toml.decode(file.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInput(f"--principals {file}: {why}") from None
    if unknown := sorted(set(given) - set(ROLES)):
        raise BadInput(f"--principals {file}: there is no role {unknown[0]!r}, only {', '.join(ROLES)}")
    found |= given
    for role, principal in found.items():
        if not principal.startswith(PRINCIPAL_BEGINS) or principal == acls.EVERYONE:
            raise BadInput(f"--principals {file}: {role} = {principal!r} is no principal such as User:name")
    if len(set(found.values())) < len(found):
        raise BadInput(
            f"--principals {file}: two roles have one principal, which would have the rights of both"
        )
    return found


def _texts(found: Iterable[Acl]) -> list[str]:
    return [str(acl) for acl in found]


def _table(settings: Settings, principals: dict[str, str]) -> Table:
    table = Table("principal", "may", "on", box=None, header_style="bold", pad_edge=False)
    for role, principal in principals.items():
        grouped: dict[tuple[tuple[str, ...], str], list[str]] = {}
        for right in rights(role, settings.app_id):
            name = right.name + ("*" if right.pattern == PREFIXED else "")
            grouped.setdefault((right.operations, right.kind), []).append(name)
        for (operations, kind), names in grouped.items():
            table.add_row(principal, ", ".join(operations), f"{kind} {', '.join(names)}")
    return table
