"""`ledgerflow rebuild`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from confluent_kafka.admin import AdminClient
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.cli.asking import Url, urls_of
from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import EXIT_FAILED, BadInput, Failed
from pipeline.cli.proposing import asked_of
from pipeline.cli.reach import (
    errors_in_one_line,
    require_kafka,
    require_registry,
    require_topic,
    settings_for,
)
from pipeline.cli.restore import folder_of
from pipeline.cli.screen import Table, screen
from pipeline.cli.snapshot import take_now
from pipeline.cli.supervisor import environment
from pipeline.rebuild import postings
from pipeline.rebuild.differences import SHOWN_MAX, Differences
from pipeline.rebuild.logs import LogCut, OnProgress, OnStage
from pipeline.rebuild.scratch import Scratch, ScratchBusy
from pipeline.runtime import interrupts
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.faults import WorkerFault
from pipeline.runtime.kafka import patches
from pipeline.runtime.kafka.topic_ids import topic_ids
from pipeline.runtime.manifests import SnapshotError
from pipeline.runtime.settings import Settings

FOLDER = "rebuild"
"""Folder of the data directory with the databases of rebuilds."""
REPLAY = (sys.executable, "-m", "topologies.replay")
"""A process of its own, because `pipeline.cli` must not import the topologies."""


class RebuildSource(StrEnum):
    """What the tables are rebuilt from."""

    POSTINGS = "postings"
    COMMANDS = "commands"


def rebuild(
    source: Annotated[
        RebuildSource,
        typer.Option(
            "--from",
            help="postings: add up the journal, compare with the balances topic. commands: apply the"
            " ledger's log from its first event, by the rules installed here, compare with the live table.",
        ),
    ] = RebuildSource.POSTINGS,
    snapshot: Annotated[
        str | None,
        typer.Option(
            "--snapshot",
            metavar="SNAPSHOT",
            help="With commands: compare with this one; left out: a new one is taken.",
        ),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Start over, in the place of continuing an earlier run.")
    ] = False,
    propose: Annotated[
        bool,
        typer.Option(
            "--propose",
            help="With commands: show the journals that put balances right after a change of rules.",
        ),
    ] = False,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            metavar="TENANT=ACCOUNT",
            help="With --propose: the account to book them against; one a tenant and currency.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --propose: send them, for a second person to approve.")
    ] = False,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", "-n", metavar="N", min=0, max=SHOWN_MAX, help="How many differences to show."
        ),
    ] = 100,
    url: Url = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Compute the balances again from the logs alone, and show what differs, account by account.

    The streams keep running, and nothing but what --propose --yes sends is written to Kafka. Progress is kept
    in the data directory: a run that was interrupted continues, a later run reads only what is new. Exit code
    1 if anything differs, with --propose if a balance differs and no correction of it was sent.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    if source is RebuildSource.POSTINGS and (snapshot is not None or url is not None):
        raise BadInput("--snapshot and --url are for --from commands")
    if (propose and source is not RebuildSource.COMMANDS) or (not propose and (against or yes)):
        raise BadInput("--propose is for --from commands, --against and --yes are for --propose")
    asked_of(against or [], yes)
    if snapshot is not None:
        folder_of(settings, snapshot)
    admin = require_kafka(settings)
    require_registry(settings)
    if source is RebuildSource.POSTINGS:
        _from_postings(settings, admin, limit, as_json, anew)
        return
    if snapshot is None:
        snapshot = take_now(settings, urls_of(url, data))
    os.environ.update(environment(settings))
    said = (("--json", as_json), ("--anew", anew), ("--propose", propose), ("--yes", yes))
    flags = [name for name, given in said if given]
    flags += [part for one in against or [] for part in ("--against", one)]
    folder = folder_of(settings, snapshot).absolute()
    interrupts.hold()
    os.execv(REPLAY[0], [*REPLAY, str(folder), "--limit", str(limit), *flags])


def _from_postings(settings: Settings, admin: AdminClient, limit: int, as_json: bool, anew: bool) -> None:
    partitions = require_topic(admin, postings.POSTINGS)
    with errors_in_one_line(settings), rebuild_errors_in_one_line():
        about = {"app_id": settings.app_id, **topic_ids(admin, (postings.POSTINGS, postings.BALANCES))}
        registry = Registry(settings.registry(), settings.data_dir / "schemas")
        codec = Codec(registry, refuse_foreign=settings.foreign_schemas == "refuse")
        with (
            Scratch(settings.data_dir / FOLDER / RebuildSource.POSTINGS, about, anew) as scratch,
            bar_on_screen() as (move, say),
        ):
            found = asyncio.run(
                postings.rebuild(settings.aiokafka(), codec, scratch, partitions, limit, move, say)
            )
    faults = found.faults
    told = {
        "from": RebuildSource.POSTINGS,
        "undecided": found.undecided,
        "journal_faults": faults.count,
        "faults": faults.shown,
        "other_events": faults.others,
        "records_read": found.records,
    }
    right = not (found.differences.found or found.undecided or faults.count)
    if not as_json:
        for text in faults.shown:
            typer.echo(f"the journal contradicts itself: {text}")
        if faults.others:
            typer.echo(
                f"{faults.others:,} records of the journal are of kinds that change no balance", err=True
            )
        if found.undecided:
            typer.echo(
                f"{found.undecided:,} accounts changed all the time, so they are undecided:"
                " run it again when there is less traffic"
            )
    show_result(found.differences, told, right, as_json, "the balances topic", "the postings")


def show_result(
    differences: Differences, told: dict[str, Any], right: bool, as_json: bool, live: str, rebuilt: str
) -> None:
    """Show the differences. Raises typer.Exit: exit code 0 where everything is right, else 1."""
    shown = msgspec.to_builtins(differences.shown)
    if as_json:
        counted = {"compared": dict(differences.compared), "differing": dict(differences.differing)}
        typer.echo(json.dumps({"ok": right, **told, **counted, "differences": shown}))
        raise typer.Exit(0 if right else EXIT_FAILED)
    if shown:
        table = Table(*shown[0], box=None, header_style="bold", pad_edge=False)
        for row in shown:
            table.add_row(*("-" if value is None else str(value) for value in row.values()))
        screen().print(table, markup=False)
    compared = ", ".join(f"{count:,} {kind}s" for kind, count in sorted(differences.compared.items()))
    typer.echo(f"{compared or 'nothing'} compared; {differences.found:,} differ between {live} and {rebuilt}")
    raise typer.Exit(0 if right else EXIT_FAILED)


@contextmanager
def rebuild_errors_in_one_line() -> Iterator[None]:
    """Turn the errors of a rebuild into one line, and install the patches of aiokafka. Raises Failed."""
    try:
        patches.install()
        yield
    except (ScratchBusy, LogCut, SnapshotError, WorkerFault, patches.UnsupportedVersion) as error:
        raise Failed(str(error)) from None
    except OffsetOutOfRangeError as error:
        raise Failed(f"records were deleted that are still to be read: {error}") from None
    except KafkaError as error:
        raise Failed(f"Kafka does not answer: {error}; run it again, it continues where it was") from None


@contextmanager
def bar_on_screen() -> Iterator[tuple[OnProgress, OnStage]]:
    """Show a progress bar on standard error; yield the functions that move it and that set its text."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen(stderr=True), transient=True) as progress:
        bar = progress.add_task("reading", total=None)

        def move(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        def say(text: str) -> None:
            progress.update(bar, description=text)

        yield move, say
