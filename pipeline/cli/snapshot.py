"""`ledgerflow snapshot`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

import typer
from rich.filesize import decimal

from pipeline.cli.asking import Url, ask
from pipeline.cli.options import Data, Json
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import NOTHING, VIEWS, settings_for, worker_urls
from pipeline.cli.screen import Table, screen
from pipeline.runtime.manifests import SnapshotError, WorkerSnapshot, names, parts_of
from pipeline.runtime.private_files import COMMAND_TOKEN, SECRETS, read_key
from pipeline.runtime.settings import Settings
from pipeline.runtime.snapshots import TOKEN_HEADER

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
    Only who can read the data directory's token may ask for one.
    """
    settings = settings_for(data, needs=NOTHING if show or url else VIEWS)
    if show:
        if table or url:
            raise BadInput("--list shows every snapshot: leave --table and --url out")
        _show(settings, as_json)
        return
    name, taken = _taken(settings, [url.rstrip("/")] if url else worker_urls(settings), table or [])
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
    name, _ = _taken(settings, urls, [])
    if name not in names(settings.snapshots_dir):
        raise Failed(f"the workers have written snapshot {name}, but not into {settings.snapshots_dir}")
    return name


def _taken(settings: Settings, urls: list[str], tables: list[str]) -> tuple[str, list[dict[str, Any]]]:
    """Ask the first worker for a snapshot, which names it, then the others at the same time to join it.

    Returns the name and the manifests. Raises Failed.
    """
    headers = {TOKEN_HEADER: _token(settings)}
    asked = [("table", table) for table in tables]
    first = _ask_one(urls[0], asked, headers)
    name = str(first["name"])
    join = partial(_ask_one, asked=[*asked, ("join", name)], headers=headers)
    with ThreadPoolExecutor(len(urls)) as pool:
        return name, [first, *pool.map(join, urls[1:])]


def _ask_one(url: str, asked: list[tuple[str, str]], headers: dict[str, str]) -> dict[str, Any]:
    path = "/snapshots" + (f"?{urlencode(asked)}" if asked else "")
    return ask([url], path, headers=headers, method="POST", within_s=TAKEN_WITHIN_S)


def _token(settings: Settings) -> str:
    """Return what the workers of a data directory ask for. Raises Failed where there is none."""
    file = settings.data_dir / SECRETS / COMMAND_TOKEN
    if not file.exists():
        raise Failed(f"there is no {file}: name the data directory of the worker (--data)")
    return read_key(file).decode("ascii", "replace")


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
