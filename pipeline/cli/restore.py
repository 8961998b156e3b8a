"""`ledgerflow restore`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.cli import endpoints
from pipeline.cli.local_kafka import with_kafka
from pipeline.cli.options import Bootstrap, Data, Json
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import NOTHING, errors_in_one_line, require_kafka, settings_for
from pipeline.cli.screen import screen
from pipeline.cli.snapshot import Tables
from pipeline.runtime.folders import TABLES, own_folder, worker_folder
from pipeline.runtime.kafka.access import OPERATOR
from pipeline.runtime.manifests import SnapshotError, names
from pipeline.runtime.private_files import snapshot_key
from pipeline.runtime.settings import Settings
from pipeline.runtime.signing import trusted_parts
from pipeline.runtime.store.restoring import ask_cluster, check, choose, restore

_FREE_WITHIN_S = 1.0


def restore_command(
    snapshot: Annotated[
        str | None,
        typer.Argument(
            metavar="SNAPSHOT", help="Name or folder of a snapshot.", show_default="the newest one"
        ),
    ] = None,
    number: Annotated[
        int,
        typer.Option("--worker", metavar="N", min=0, help="Number of the worker to restore."),
    ] = 0,
    table: Tables = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the tables that it has.")] = False,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
) -> None:
    """Restore a stopped worker's tables from a snapshot; it then reads only what came since.

    The manifest must be signed with the key of the data directory, or of LEDGERFLOW_SNAPSHOT_KEY_FILE. Every
    file is checked against the manifest, and the manifest against the cluster: the application and the
    changelogs must be the same, and the changelogs must still have all that came since. Otherwise nothing
    changes. Kafka of a local stack that is stopped is started for it.
    """
    settings = settings_for(data, bootstrap_servers, needs=NOTHING)
    folder = folder_of(settings, snapshot)
    _refuse_worker_of_up(settings, number)
    tables = frozenset(table or ())
    with ExitStack() as running, errors_in_one_line(settings):
        settings = with_kafka(settings, running, OPERATOR)
        require_kafka(settings)
        try:
            chosen = choose(trusted_parts(folder, snapshot_key(settings)), tables)
            missing = tables - {copy.table for _, copy in chosen}
            if missing or not chosen:
                raise BadInput(f"{folder} has no copy of {', '.join(sorted(missing)) or 'any table'}")
            copies = [copy for _, copy in chosen]
            cluster = ask_cluster(settings, copies)
            check(chosen, settings, cluster, datetime.now(UTC))
            size = sum(copy.size for copy in copies)
            target = worker_folder(settings, number) / TABLES
            with own_folder(settings, number, _FREE_WITHIN_S), _progress() as progress:
                target.mkdir(parents=True, exist_ok=True)
                bar = progress.add_task(f"restoring {folder.name}", total=size)
                restore(chosen, target, replace=replace, on_bytes=lambda count: progress.advance(bar, count))
        except SnapshotError as error:
            raise Failed(str(error)) from None
    behind = sum(
        max(0, cluster[copy.changelog].offsets[copy.partition][1] - copy.changelog_offset) for copy in copies
    )
    if as_json:
        told = {"name": folder.name, "partitions": len(copies), "size": size, "offsets_behind": behind}
        typer.echo(json.dumps({**told, "folder": str(target)}))
    else:
        typer.echo(
            f"restored {len(copies)} partitions to {target}; {behind:,} offsets of changelogs are newer"
        )


def folder_of(settings: Settings, snapshot: str | None) -> Path:
    """Return the folder of a snapshot by its name or path; None: of the newest that is signed with our key.

    Raises BadInput where there is none.
    """
    if snapshot is None:
        return _newest(settings)
    if snapshot in names(settings.snapshots_dir):
        return settings.snapshots_dir / snapshot
    if Path(snapshot).is_dir():
        return Path(snapshot)
    raise BadInput(f"there is no snapshot {snapshot}: `ledgerflow snapshot --list` lists them")


def _refuse_worker_of_up(settings: Settings, number: int) -> None:
    """Raises Failed for a worker of an `up` that runs: where it is stopped, `up` starts it again at once."""
    running = endpoints.read(settings.data_dir)
    if running is not None and number < len(running.workers):
        raise Failed(
            f"worker {number} is one of the `ledgerflow up` that runs on {settings.data_dir}: stop that first"
            " (Kafka is then started for the restore)"
        )


def _newest(settings: Settings) -> Path:
    key, refused = snapshot_key(settings), []
    for name in reversed(names(settings.snapshots_dir)):
        try:
            if trusted_parts(settings.snapshots_dir / name, key):
                return settings.snapshots_dir / name
        except SnapshotError as error:
            refused.append(str(error))
            typer.echo(f"left out: {error}", err=True)
    raise BadInput(
        refused[0] if refused else f"there is no snapshot in {settings.snapshots_dir}: name its folder"
    )


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
        console=screen(stderr=True), transient=True,
    )  # fmt: skip
