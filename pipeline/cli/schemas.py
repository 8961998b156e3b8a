"""`ledgerflow schemas list|check|register`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

import schemas as catalogue
from pipeline.cli.options import Data, Json, RegistryUrl
from pipeline.cli.problems import EXIT_FAILED
from pipeline.cli.reach import NOTHING, REGISTRY, errors_in_one_line, settings_for
from pipeline.cli.screen import Table, screen
from pipeline.runtime.avro.foreign import differences
from pipeline.runtime.avro.registry import COMPATIBILITY, register_all
from pipeline.runtime.local.credentials import ADMIN
from schemas.compatibility import check as problems_of

app = typer.Typer(no_args_is_help=True, help="The Avro schemas of the events: list, check, register.")


@app.command("list")
def list_schemas(as_json: Json = False, data: Data = None) -> None:
    """List the events: topic, versions, record name. Needs no stack: they are those of this version."""
    settings_for(data, needs=NOTHING)
    rows: list[dict[str, Any]] = []
    for name in catalogue.record_names():
        versions = catalogue.versions(name)
        newest = versions[-1]
        rows.append(
            {
                "topic": newest.topic,
                "event": newest.event,
                "versions": [version.version for version in versions],
                "record_name": name,
                "subject": newest.subject,
                "newest": newest.path,
            }
        )
    if as_json:
        typer.echo(json.dumps(rows))
        return
    table = Table("topic", "event", "versions", "record", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        versions_said = ", ".join(f"v{number}" for number in row["versions"])
        table.add_row(row["topic"], row["event"], versions_said, row["record_name"])
    screen().print(table)


@app.command("check")
def check_schemas(
    registry: Annotated[
        bool, typer.Option("--registry", help="Compare the schema registry with the catalogue, too.")
    ] = False,
    data: Data = None,
    schema_registry_url: RegistryUrl = None,
    as_json: Json = False,
) -> None:
    """Check that all versions of each event are compatible both ways, and that their types are allowed.

    With --registry, every version there that is an event of ours and is not of the catalogue is named, with
    its new fields. Exit code 1 if there is one, or something is wrong.
    """
    problems, others = problems_of(), 0
    if registry:
        settings = settings_for(data, None, schema_registry_url, needs=REGISTRY)
        with errors_in_one_line(settings):
            found = differences(settings.registry())
        problems += [str(one) for one in found.foreign]
        others = found.others
    if as_json:
        told = {"ok": not problems, "schemas": len(catalogue.load()), "problems": problems}
        typer.echo(json.dumps(told | ({"other_subjects": others} if registry else {})))
    elif problems:
        for problem in problems:
            typer.echo(problem, err=True)
    else:
        typer.echo(f"{len(catalogue.load())} schemas of {len(catalogue.record_names())} events: ok")
    if others and not as_json:
        typer.echo(f"{others} other subjects in the registry are no events of the catalogue", err=True)
    raise typer.Exit(EXIT_FAILED if problems else 0)


@app.command("register")
def register_schemas(
    data: Data = None, schema_registry_url: RegistryUrl = None, as_json: Json = False
) -> None:
    """Register every schema as FULL_TRANSITIVE.

    A second time changes nothing. `ledgerflow up` does it by itself.
    """
    settings = settings_for(data, None, schema_registry_url, ADMIN, REGISTRY)
    with errors_in_one_line(settings):
        registered = register_all(settings.registry())
    if as_json:
        found = {subject: {"id": number, "version": last} for subject, (number, last) in registered.items()}
        typer.echo(json.dumps(found))
        return
    for subject, (number, last) in registered.items():
        typer.echo(f"{subject}  version {last}, id {number}")
    typer.echo(f"{len(registered)} subjects in {settings.schema_registry_url}, {COMPATIBILITY}", err=True)
