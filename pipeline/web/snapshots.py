"""POST /snapshots: takes a snapshot of the worker's tables. The only page that changes something.

Only the worker's own machine may ask, because the snapshot is written there; and only who shows the token of
the data directory, so who could read the tables anyway. The worker names the snapshot, takes one at a time,
and keeps a bounded number. `?join=NAME` adds its part to one that another worker has just begun.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import Any

import faust.web
import msgspec
from aiohttp import web

from pipeline.runtime.manifests import Manifest, SnapshotError
from pipeline.runtime.private_files import COMMAND_TOKEN, SECRETS
from pipeline.runtime.snapshots import TOKEN_HEADER, begun_at
from pipeline.web.host import WebHost
from pipeline.web.problems import Problem, unavailable
from pipeline.web.progress import recovered
from pipeline.web.render import json_response

LOOPBACK = ("127.0.0.1", "::1")
PARAMETERS = {"table", "join"}


def mount(app: WebHost) -> None:
    """Add the page to the app's web server."""

    async def post(self: Any, request: web.Request, **_: str) -> web.StreamResponse:
        return await take_snapshot(app, request)

    page = type("snapshots", (faust.web.View,), {"post": post, "__module__": __name__})
    app.page("/snapshots", name="snapshots")(page)


async def take_snapshot(app: WebHost, request: web.Request) -> web.StreamResponse:
    """Take a snapshot and return its name and its manifest, without the list of files.

    Raises `Problem`: 400 for a bad table or name, 403 for another machine or without the token, 409 where
    the snapshot cannot be taken, 503 while tables are restored.
    """
    _require_local_caller(app, request)
    tables, join = frozenset(request.query.getall("table", ())), request.query.get("join")
    if not PARAMETERS.issuperset(request.query) or len(request.query.getall("join", ())) > 1:
        raise Problem(400, "unknown parameter; known here: join (once), table")
    if join is not None and begun_at(join) is None:
        raise Problem(400, "join: must be the name of a snapshot, such as 20261122T090000Z")
    unknown = sorted(tables - app.table_names)
    if unknown:
        raise Problem(400, f"table: there is no {unknown[0][:100]}")
    if not recovered(app):
        raise unavailable("the tables are being restored")
    taking = asyncio.run_coroutine_threadsafe(app.snapshots.take(tables, join), app.loop)
    try:
        taken = await asyncio.wrap_future(taking)
    except SnapshotError as error:
        raise Problem(409, str(error)) from None
    return json_response({"name": taken.name, **_without_files(taken.manifest)}, 201)


def _require_local_caller(app: WebHost, request: web.Request) -> None:
    """Raises `Problem` 403 unless the request comes from this machine and shows the token."""
    transport = request.transport
    here = transport is not None and transport.get_extra_info("sockname")[0]
    if request.remote not in (*LOOPBACK, here):
        raise Problem(403, "ask for a snapshot from the worker's own machine")
    shown = request.headers.get(TOKEN_HEADER, "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(shown, app.snapshots.token):
        raise Problem(
            403,
            f"{TOKEN_HEADER}: must be what {SECRETS}/{COMMAND_TOKEN} in the worker's data directory holds;"
            " `ledgerflow snapshot --data DIR` sends it",
        )


def _without_files(manifest: Manifest) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(manifest)
    for copy, said in zip(manifest.copies, told["copies"], strict=True):
        said["files"], said["size"] = len(copy.files), copy.size
    return told
