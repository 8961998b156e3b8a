"""The pages of a worker, mounted on Faust's web server: table views, health, metrics, and an index of them.

Faust's own pages (router, tables, index) are taken off: they show uncommitted rows, or always say OK.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from html import escape
from typing import Any

import aiohttp
import faust.web
from aiohttp import web
from faust.web.base import BlueprintManager

from pipeline.web import snapshots
from pipeline.web.answers import PARTITIONS_HEADER, Page, answer, ask, collect, owners
from pipeline.web.health import CommitWatch, live, ready
from pipeline.web.host import WebHost
from pipeline.web.metrics import exposition, registry_of
from pipeline.web.past import BALANCE_AT, HISTORY, STATEMENT, Past, PastView, past, table_rows
from pipeline.web.problems import Problem, problems
from pipeline.web.query import (
    ACCOUNT_LIST,
    AT,
    ITEM,
    JOURNAL_ITEM,
    LIST,
    PAYMENT_ITEM,
    PAYMENT_LIST,
    SPAN,
    parse,
    path_parts,
)
from pipeline.web.render import Row, csv_response, json_response
from pipeline.web.scope import Scope
from pipeline.web.views import BALANCES, PAYMENTS, VIEWS, TableView

AS_OF_HEADER = "Ledgerflow-As-Of"
"""partition:offset, ... of an answer; in JSON it is in `meta`, too."""

LIST_PARAMETERS = "?tenant={tenant}&limit=&after=&format=json|csv"
INDEX = {
    "/balances": "Balances of a tenant's accounts",
    "/balances/{tenant}/{account}": "Balance of one account; at another time with ?as_of=&known_at=",
    "/history/{tenant}/{account}": "Every booking of one account, in their order",
    "/statements/{tenant}/{account}": "Those of a span of time (?from=&to=), with the balances at both ends",
    "/positions": "Positions of a tenant's accounts",
    "/positions/{tenant}/{account}": "Positions of one account",
    "/positions/{tenant}/{account}/{instrument}": "One position",
    "/breaks": "Open reconciliation breaks of a tenant",
    "/breaks/{tenant}/{account}": "Open breaks of one account",
    "/alerts": "Payments of a tenant that were held for review or declined",
    "/alerts/{tenant}/{account}": "Those of one account",
    "/alerts/{tenant}/{account}/{payment}": "One of them",
    "/payments": "Payments of a tenant; those in one state with &state=",
    "/payments/{tenant}/{payment}": "One payment: its state, every step with time and cause",
    "/stuck": "Payments of a tenant that do not get on",
    "/stuck/{tenant}/{account}": "Those of one account",
    "/live": "200 while the worker gets on with its work",
    "/ready": "200 once every partition is restored; progress by partition",
    "/metrics": "Prometheus metrics",
}

_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Ledgerflow</title></head>
<body><h1>Ledgerflow</h1><table>{}</table></body></html>
"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount(app: WebHost) -> None:
    """Put the pages on the app's web server; once, before the worker starts."""
    app.web.blueprints = BlueprintManager()
    app.web.web_app.middlewares.append(problems)
    app.web.web_app.cleanup_ctx.append(partial(_client_of_peers, app))
    watch, registry = CommitWatch(app), registry_of(app)

    async def index_page(request: web.Request) -> web.StreamResponse:
        return _index(request)

    async def live_page(request: web.Request) -> web.StreamResponse:
        return live(watch)

    async def ready_page(request: web.Request) -> web.StreamResponse:
        return ready(app)

    async def metrics_page(request: web.Request) -> web.StreamResponse:
        return exposition(registry)

    snapshots.mount(app)
    _page(app, "/", "index", index_page)
    _page(app, "/live", "live", live_page)
    _page(app, "/ready", "ready", ready_page)
    _page(app, "/metrics", "metrics", metrics_page)
    for asked, allowed in ((HISTORY, ACCOUNT_LIST), (STATEMENT, SPAN)):
        path = f"/{asked.name}/{{tenant}}/{{account}}"
        _page(app, path, asked.name, _past_page(app, asked, allowed))
    for view in VIEWS:
        for number, path in enumerate(path for path in INDEX if path.split("/")[1] == view.name):
            _page(app, path, f"{view.name}-{number}", _table_page(app, view))


async def _client_of_peers(app: WebHost, _: web.Application) -> AsyncIterator[None]:
    """Have requests to peers made in the web server's thread, by a client that lives there."""
    async with aiohttp.ClientSession() as app.http_client:
        yield


def _page(app: WebHost, path: str, name: str, handler: Handler) -> None:
    async def get(self: Any, request: web.Request, **_: str) -> web.StreamResponse:
        return await handler(request)

    # An id may hold braces, which aiohttp leaves out unless it is told what a part may be.
    any_part = path.replace("}", ":[^/]+}")
    app.page(any_part, name=name)(type(name, (faust.web.View,), {"get": get, "__module__": __name__}))


def _past_page(app: WebHost, view: PastView, allowed: frozenset[str]) -> Handler:
    async def page(request: web.Request) -> web.StreamResponse:
        path = path_parts(request.match_info)
        query = parse(request.query, request.headers.get("Accept", ""), allowed)
        scope = Scope(view, path, query)
        asked_by_peer = request.headers.get(PARTITIONS_HEADER)
        if asked_by_peer is not None:
            (partition,) = _partitions(asked_by_peer, app.partitions)
            return json_response(past(app, scope, partition))
        ((owner, (partition,)),) = owners(app, scope).items()
        if owner == app.address:
            found = past(app, scope, partition)
        else:
            found = await ask(app, scope, owner, [partition], Past)
        return _past_rendered(scope, found)

    return page


def _past_rendered(scope: Scope[PastView], found: Past) -> web.StreamResponse:
    headers = {AS_OF_HEADER: f"{found.progress.partition}:{found.progress.as_of_offset}"}
    link = None if found.following is None else scope.link(found.following)
    if link is not None:
        headers["Link"] = f'<{link}>; rel="next"'
    if scope.query.csv:
        return csv_response(scope.view.columns, table_rows(scope, found), headers)
    body: Row = {"data": found.about, "meta": found.progress}
    if not scope.is_item:
        body = {"data": {**found.about, "bookings": found.lines}, "next": link, "meta": found.progress}
    return json_response(body, headers=headers)


def _table_page(app: WebHost, view: TableView) -> Handler:
    balance_at = _past_page(app, BALANCE_AT, AT)

    async def page(request: web.Request) -> web.StreamResponse:
        if view is BALANCES and not {"as_of", "known_at"}.isdisjoint(request.query) and request.match_info:
            return await balance_at(request)
        path = path_parts(request.match_info)
        allowed = LIST if not path else ACCOUNT_LIST
        if len(path) == len(view.key):
            allowed = {"payments": PAYMENT_ITEM, "journals": JOURNAL_ITEM}.get(view.name, ITEM)
        elif view is PAYMENTS:
            allowed = PAYMENT_LIST
        query = parse(request.query, request.headers.get("Accept", ""), allowed)
        scope = Scope(view, path, query)
        asked_by_peer = request.headers.get(PARTITIONS_HEADER)
        if asked_by_peer is not None:
            return json_response(await collect(app, scope, _partitions(asked_by_peer, app.partitions)))
        return _rendered(scope, await answer(app, scope))

    return page


def _partitions(text: str, count: int) -> list[int]:
    """Return the partitions that a peer names."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) <= 4 and int(part) < count for part in parts):
        raise Problem(400, f"{PARTITIONS_HEADER}: must be partition numbers below {count}")
    return sorted({int(part) for part in parts})


def _rendered(scope: Scope[TableView], page: Page) -> web.StreamResponse:
    """Return a page as what was asked for; raise `Problem` 404 where its key is not known."""
    if not page.known:
        raise Problem(404, f"{'/'.join(scope.path)} is not known to the {scope.view.table} stream")
    if scope.view.by_id and scope.is_item:
        page.rows = _of_owner(scope, page.rows)
    headers = {AS_OF_HEADER: ", ".join(f"{part.partition}:{part.as_of_offset}" for part in page.progress)}
    following = None if scope.is_item else _next_key(scope, page)
    link = None if following is None else scope.link(following)
    if link is not None:
        headers["Link"] = f'<{link}>; rel="next"'
    rows = [row for _, row in page.rows[: scope.query.limit]]
    if scope.query.csv:
        return csv_response(scope.view.columns, rows, headers)
    if scope.is_item:
        meta = {"partitions": page.progress} if scope.view.by_id else page.progress[0]
        return json_response({"data": rows[0], "meta": meta}, headers=headers)
    return json_response({"data": rows, "next": link, "meta": {"partitions": page.progress}}, headers=headers)


def _of_owner(scope: Scope[TableView], rows: list[tuple[str, Row]]) -> list[tuple[str, Row]]:
    """Return the one payment, or journal, of an id; accounts on other branches may use the same.

    Raises `Problem`: 404 where the account that is given has none, 409 where none is given and several have.
    """
    owner, of, known = scope.query.owner, "/".join(scope.path), scope.view.name.removesuffix("s")
    field, parameter = (
        ("debtor_account_id", "debtor") if scope.view is PAYMENTS else ("account_id", "account")
    )
    found = [row for row in rows if owner in (None, row[1][field])]
    if not found:
        raise Problem(404, f"{of} is not known as a {known} of {owner}")
    if len(found) > 1:
        names = ", ".join(sorted(row[field] for _, row in found))
        raise Problem(
            409, f"{of} is a {known} of several {parameter}s ({names}): say which with ?{parameter}="
        )
    return found


def _next_key(scope: Scope[TableView], page: Page) -> str | None:
    """Return the key, as text, behind which the next page starts, None on the last one."""
    limit = scope.query.limit
    key = page.rows[limit - 1][0] if len(page.rows) > limit else page.reached
    return None if key is None else key.replace("\0", "/")


def _index(request: web.Request) -> web.Response:
    """Return the list of pages, for a browser or for a program."""
    lists = {f"/{view.name}" for view in VIEWS}
    shown = {path + (LIST_PARAMETERS if path in lists else ""): about for path, about in INDEX.items()}
    if "text/html" not in request.headers.get("Accept", ""):
        return json_response({"name": "ledgerflow", "pages": shown})
    lines = [f"<tr><td>{_anchor(path)}</td><td>{escape(about)}</td></tr>" for path, about in shown.items()]
    return web.Response(text=_HTML.format("".join(lines)), content_type="text/html")


def _anchor(path: str) -> str:
    return escape(path) if "{" in path else f'<a href="{path}">{escape(path)}</a>'
