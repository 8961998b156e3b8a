"""`ledgerflow verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pipeline import verify as verification
from pipeline.cli import endpoints
from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import EXIT_FAILED, BadInput
from pipeline.cli.reach import errors_in_one_line, require_kafka, require_registry, settings_for
from pipeline.cli.screen import Table, screen
from pipeline.runtime.settings import Settings
from pipeline.verify import PresentSettings, Report

MANIFESTS = "manifests"
"""Folder of the data directory for the manifests of `up --demo` and `load`."""


def manifests_of(settings: Settings) -> list[Path]:
    """Return the manifests in a data directory, oldest first."""
    return sorted((settings.data_dir / MANIFESTS).glob("*.jsonl"))


def verify(
    manifest: Annotated[
        list[Path] | None,
        typer.Option(
            "--manifest",
            metavar="FILE",
            help="Manifest of a `ledgerflow load`: check what it planted, too. May be given several times.",
            show_default="those of the data directory",
        ),
    ] = None,
    wait_quiet_s: Annotated[
        float,
        typer.Option("--wait-quiet", metavar="S", min=0, help="Start once no record has come for S seconds."),
    ] = 3.0,
    timeout_s: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="S",
            min=0,
            help="Give up waiting for that once the streams have not moved on for S seconds.",
        ),
    ] = 120.0,
    present_settings: Annotated[
        bool,
        typer.Option(
            "--present-settings",
            help="Judge also what settings decide (fraud, quotas, matching, standstill, what is too old), by"
            " those of now: for topics on which they have never been others.",
        ),
    ] = False,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Check every invariant from the topics alone: money, sequences, one effect per event, alerts, breaks.

    On a stack that runs here it checks the table views, too. It shares no rule with the streams.
    Exit code 1 if something does not hold.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    for path in manifest or ():
        if not path.is_file():
            raise BadInput(f"there is no manifest {path}")
    require_kafka(settings)
    require_registry(settings)
    running = endpoints.read(settings.data_dir)
    workers = [] if running is None else [worker.url for worker in running.workers]
    present = present_of(settings) if present_settings else None
    planted = manifest or manifests_of(settings)
    report = verified(settings, planted, workers, wait_quiet_s, timeout_s, present)
    if as_json:
        typer.echo(report.to_json())
    else:
        screen().print(table_of(report))
        verdict = "everything holds" if report.ok else "SOMETHING DOES NOT HOLD"
        typer.echo(f"{verdict}; {sum(report.records.values()):,} records read in {report.seconds:.1f} s")
    raise typer.Exit(0 if report.ok else EXIT_FAILED)


def present_of(settings: Settings) -> PresentSettings:
    """Return what decides beside the log. Raises BadInput for a file of tenants that cannot be read."""
    told = settings.model_dump()  # what the concepts declare is known by name only
    file: Path | None = told["tenants"]
    try:
        tenants = "" if file is None else file.read_text("utf-8")
    except OSError as error:
        raise BadInput(f"tenants: {error.strerror}: {file}") from None
    numbers = {name: told[name] for name in PresentSettings._fields if isinstance(told.get(name), int)}
    words = {"tenants": tenants, "backdating": told["backdating"]}
    return PresentSettings(**words, **numbers)


def verified(
    settings: Settings,
    manifests: list[Path],
    workers: list[str],
    wait_quiet_s: float,
    timeout_s: float,
    present: PresentSettings | None = None,
) -> Report:
    """Verify the topics, with a progress line on standard error. Raises Failed, BadInput."""
    progress = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        console=screen(stderr=True), transient=True,
    )  # fmt: skip
    with errors_in_one_line(settings), progress:
        line = progress.add_task("waiting until it is quiet")
        try:
            return verification.verify(
                settings.librdkafka(),
                settings.registry(),
                manifests=manifests,
                workers=workers,
                wait_quiet_s=wait_quiet_s,
                timeout_s=timeout_s,
                group=settings.app_id,
                present=present,
                on_progress=lambda topic, count: progress.update(
                    line, description=f"reading {topic}: {count:,}"
                ),
            )
        except ValueError as error:
            raise BadInput(str(error)) from None


def table_of(report: Report) -> Table:
    """Return the checks as a table; under each failed one its first problems."""
    table = Table("", "check", "looked at", "what must hold", box=None, header_style="bold", pad_edge=False)
    for check in report.checks:
        mark = "[green]ok[/green]" if check.ok else f"[red]{check.failed:,} wrong[/red]"
        table.add_row(mark, check.name, f"{check.counted:,}", check.says)
        for colour, texts in (("yellow", check.notes), ("red", check.problems)):
            for text in texts:
                table.add_row("", "", "", f"[{colour}]{text.replace('[', chr(92) + '[')}[/{colour}]")
    return table
