"""`ledgerflow snapshot`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

import typer
from rich.filesize import decimal

from pipeline.cli.asking import Url, ask, urls_of
from pipeline.cli.options import Data, Json
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import settings_for
from pipeline.cli.screen import Table, screen
from pipeline.runtime.settings import Settings
from pipeline.runtime.snapshots import (
    COMMAND,
    COMMAND_HEADER,
    SnapshotError,
    WorkerSnapshot,
    names,
    new_name,
    parts_of,
)

TAKEN_WITHIN_S = 600.0
Tables = Annotated[
    list[str] | None,
    typer.Option("--table", metavar="TABLE", help="Only this table; may be given several times."),
]


def snapshot(
    table: Tables = None,
    show: Annotated[
        bool, typer.Option("--list", help="Show the snapshots that there are; take none.")
    ] = False,
    url: Url = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Take a snapshot of the running workers' tables, for `ledgerflow restore`; the streams go on.

    Each worker writes its partitions into LEDGERFLOW_SNAPSHOTS_DIR (the data directory's `snapshots`) on its
    own machine, as hard links where that is the same disk. It keeps the newest LEDGERFLOW_SNAPSHOTS_KEEP.
    """
    settings = settings_for(data)
    if show:
        if table or url:
            raise BadInput("--list shows every snapshot: leave --table and --url out")
        _show(settings, as_json)
        return
    name = new_name(datetime.now(UTC))
    taken = _taken(urls_of(url, data), name, table or [])
    copies = sum(len(manifest["copies"]) for manifest in taken)
    size = sum(copy["size"] for manifest in taken for copy in manifest["copies"])
    if as_json:
        typer.echo(json.dumps({"name": name, "workers": taken}))
    else:
        typer.echo(f"snapshot {name}: {copies} partitions, {decimal(size)}, of {len(taken)} workers")
        typer.echo(f"in {settings.snapshots_dir / name}, on each worker's machine", err=True)


def take_now(settings: Settings, urls: list[str]) -> str:
    """Take a snapshot of all tables of the workers at `urls`; return its name.

    Raises Failed where a worker does not take it or has written it elsewhere than on this machine.
    """
    name = new_name(datetime.now(UTC))
    _taken(urls, name, [])
    if name not in names(settings.snapshots_dir):
        raise Failed(f"the workers have written snapshot {name}, but not into {settings.snapshots_dir}")
    return name


def _taken(urls: list[str], name: str, tables: list[str]) -> list[dict[str, Any]]:
    """Ask all workers at the same time for a snapshot; return their manifests. Raises Failed."""
    path = f"/snapshots/{name}" + (f"?{urlencode([('table', table) for table in tables])}" if tables else "")
    headers = {COMMAND_HEADER: COMMAND}
    one = partial(_ask_one, path=path, headers=headers)
    with ThreadPoolExecutor(len(urls) or 1) as pool:
        return list(pool.map(one, urls))


def _ask_one(url: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    return ask([url], path, headers=headers, method="POST", within_s=TAKEN_WITHIN_S)


class Listed(NamedTuple):
    """A snapshot in a list."""

    name: str
    workers: int
    partitions: int
    size: int
    tables: list[str]


def _show(settings: Settings, as_json: bool) -> None:
    found = [_listed(name, _parts(settings, name)) for name in names(settings.snapshots_dir)]
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in found]))
        return
    table = Table(*Listed._fields, box=None, header_style="bold", pad_edge=False)
    for one in found:
        cells = one.name, one.workers, one.partitions, decimal(one.size), " ".join(one.tables)
        table.add_row(*map(str, cells))
    if found:
        screen().print(table, markup=False)
    typer.echo(f"{len(found)} snapshots in {settings.snapshots_dir}", err=True)


def _listed(name: str, parts: list[WorkerSnapshot]) -> Listed:
    copies = [copy for part in parts for copy in part.manifest.copies]
    tables = sorted({copy.table for copy in copies})
    return Listed(name, len(parts), len(copies), sum(copy.size for copy in copies), tables)


def _parts(settings: Settings, name: str) -> list[WorkerSnapshot]:
    try:
        return parts_of(settings.snapshots_dir / name)
    except SnapshotError as error:
        raise Failed(str(error)) from None
