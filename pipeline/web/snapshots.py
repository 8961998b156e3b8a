"""POST /snapshots/{name}: takes a snapshot of the worker's tables. The only page that changes something.

Only the worker's own machine may ask, because the snapshot is written there; and only with a header of its
own, which a browser does not send for a page of another site. The name is a time, so it cannot be a path. The
number of snapshots that are kept is bounded.
"""

from __future__ import annotations

import asyncio
from typing import Any

import faust.web
import msgspec
from aiohttp import web

from pipeline.runtime.snapshots import COMMAND, COMMAND_HEADER, NAME, Manifest, SnapshotError
from pipeline.web.host import WebHost
from pipeline.web.problems import Problem, unavailable
from pipeline.web.progress import recovered
from pipeline.web.render import json_response

LOOPBACK = ("127.0.0.1", "::1")


def mount(app: WebHost) -> None:
    """Add the page to the app's web server."""

    async def post(self: Any, request: web.Request, **_: str) -> web.StreamResponse:
        return await take_snapshot(app, request)

    page = type("snapshots", (faust.web.View,), {"post": post, "__module__": __name__})
    app.page("/snapshots/{name:[^/]+}", name="snapshots")(page)


async def take_snapshot(app: WebHost, request: web.Request) -> web.StreamResponse:
    """Take a snapshot and return its manifest without the list of files.

    Raises `Problem`: 400 for a bad name, table or header, 403 for another machine, 409 where the snapshot
    cannot be taken, 503 while tables are restored.
    """
    _require_local_caller(request)
    name, tables = request.match_info["name"], frozenset(request.query.getall("table", ()))
    if not NAME.fullmatch(name):
        raise Problem(400, "name: must be a time such as 20261122T090000Z")
    unknown = sorted(tables - app.table_names)
    if unknown:
        raise Problem(400, f"table: there is no {unknown[0]}")
    if not recovered(app):
        raise unavailable("the tables are being restored")
    taking = asyncio.run_coroutine_threadsafe(app.snapshots.take(name, tables), app.loop)
    try:
        manifest = await asyncio.wrap_future(taking)
    except SnapshotError as error:
        raise Problem(409, str(error)) from None
    return json_response(_without_files(manifest), 201)


def _require_local_caller(request: web.Request) -> None:
    """Raises `Problem` unless the request comes from this machine and has the header."""
    transport = request.transport
    here = transport is not None and transport.get_extra_info("sockname")[0]
    if request.remote not in (*LOOPBACK, here):
        raise Problem(403, "ask for a snapshot from the worker's own machine")
    if request.headers.get(COMMAND_HEADER) != COMMAND:
        raise Problem(400, f"{COMMAND_HEADER}: must be {COMMAND}")


def _without_files(manifest: Manifest) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(manifest)
    for copy, said in zip(manifest.copies, told["copies"], strict=True):
        said["files"], said["size"] = len(copy.files), copy.size
    return told
