"""The pages of a worker, mounted on Faust's web server: table views, health, metrics, and an index of them.

Faust's own pages (router, tables, index) are removed: they show uncommitted rows, or always report OK.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any, TypeVar

import aiohttp
import faust.web
from aiohttp import web
from faust.web.base import BlueprintManager

from pipeline.domain.kernel.amounts import with_amounts
from pipeline.domain.kernel.views import AccountView, Owner, Row, TableView, View
from pipeline.web import snapshots
from pipeline.web.admission import admission
from pipeline.web.answers import PARTITIONS_HEADER, RowsPage, answer, ask, collect, owners
from pipeline.web.connections import IDLE_S, bound
from pipeline.web.health import CommitWatch, live, ready
from pipeline.web.host import WebHost
from pipeline.web.metrics import exposition, registry_of
from pipeline.web.past import AccountAnswer, past, table_rows
from pipeline.web.problems import Problem, problems, secure
from pipeline.web.query import parameters_of, parse, path_parts, refuse_unknown
from pipeline.web.render import csv_response, json_response
from pipeline.web.scope import Scope
from pipeline.web.turns import LISTS_AT_ONCE, PEERS_AT_ONCE, Turns, sent

AS_OF_HEADER = "Ledgerflow-As-Of"
"""partition:offset, ... of an answer; in JSON it is in `meta`, too."""

LIST_PARAMETERS = "?tenant={tenant}&limit=&after=&format=json|csv"
WORKER_PAGES = {
    "/live": "200 while the worker makes progress",
    "/ready": "200 once every partition is restored and nothing is wrong; problems, progress by partition",
    "/metrics": "Prometheus metrics",
}
"""The pages of the worker itself, and what they show. All other pages are those of its views."""

_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Ledgerflow</title></head>
<body><h1>Ledgerflow</h1><table>{}</table></body></html>
"""

_V = TypeVar("_V", bound=TableView | AccountView)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount(app: WebHost, views: Sequence[View]) -> None:
    """Put the pages on the app's web server; once, before the worker starts.

    Raises ValueError for views that a request cannot distinguish, as `by_path`.
    """
    app.web.blueprints = BlueprintManager()
    app.web.web_app.middlewares.extend((problems, admission(*app.hosts)))
    app.web.web_app.on_response_prepare.append(secure)
    app.web.web_app.cleanup_ctx.append(partial(_client_of_peers, app))
    bound(app.web, app.connections_max)
    watch, registry, shown = CommitWatch(app), registry_of(app), documented(views)
    turns = Turns(LISTS_AT_ONCE), Turns(PEERS_AT_ONCE)

    async def index_page(request: web.Request) -> web.StreamResponse:
        return _index(request, shown)

    async def live_page(request: web.Request) -> web.StreamResponse:
        return live(watch)

    async def ready_page(request: web.Request) -> web.StreamResponse:
        return ready(app)

    async def metrics_page(request: web.Request) -> web.StreamResponse:
        return exposition(registry)

    snapshots.mount(app)
    _page(app, "/", "index", index_page)
    handlers = {"/live": live_page, "/ready": ready_page, "/metrics": metrics_page}
    for path in WORKER_PAGES:
        _page(app, path, path[1:], handlers[path])
    for number, (path, ours) in enumerate(by_path(views).items()):
        _page(app, path, f"{ours[0].name.replace('/', '-')}-{number}", _view_page(app, ours, turns))


def by_path(views: Sequence[View]) -> dict[str, list[View]]:
    """Return the views of every path, in order. The first is the default; a time parameter selects another.

    Raises ValueError where two views share a path and no parameter selects one of them.
    """
    found: dict[str, list[View]] = {}
    for view in views:
        for page in view.pages:
            found.setdefault(f"/{view.name}{page.path}", []).append(view)
    for path, ours in found.items():
        ours.sort(key=lambda view: isinstance(view, AccountView))
        if not _distinguishable(ours[1:]):
            raise ValueError(f"{path}: no parameter selects one of its views")
    return found


def _distinguishable(others: list[View]) -> bool:
    """Return whether each view has time parameters, and no two have the same one."""
    times = [view.times if isinstance(view, AccountView) else () for view in others]
    names = [name for some in times for name in some]
    return all(times) and len(set(names)) == len(names)


def documented(views: Sequence[View]) -> dict[str, str]:
    """Return what every page shows, by path (of a list with its parameters), for the index and the docs."""
    shown: dict[str, str] = {}
    for path, ours in by_path(views).items():
        texts = [page.about for view in ours for page in view.pages if f"/{view.name}{page.path}" == path]
        shown[path if "{" in path else path + LIST_PARAMETERS] = "; ".join(texts)
    return shown | WORKER_PAGES


async def _client_of_peers(app: WebHost, _: web.Application) -> AsyncIterator[None]:
    """Make the client for requests to peers, in the web server's thread, where it is used."""
    # Idle connections are dropped before the peer's server does (`connections.IDLE_S`).
    connector = aiohttp.TCPConnector(limit=64, limit_per_host=16, keepalive_timeout=IDLE_S / 2)
    async with aiohttp.ClientSession(connector=connector) as app.http_client:
        yield


def _page(app: WebHost, path: str, name: str, handler: Handler) -> None:
    async def get(self: Any, request: web.Request, /, **_: str) -> web.StreamResponse:
        return await handler(request)

    # Ids may contain braces, which aiohttp's default pattern of a path part does not match.
    any_part = path.replace("}", ":[^/]+}")
    app.page(any_part, name=name)(type(name, (faust.web.View,), {"get": get, "__module__": __name__}))


def _view_page(app: WebHost, views: Sequence[View], turns: tuple[Turns, Turns]) -> Handler:
    """Return the handler of a path: of its first view, or of the one whose time parameter is given."""
    first, *others = [
        (
            view,
            _in_turn(
                _past_page(app, view) if isinstance(view, AccountView) else _table_page(app, view),
                view,
                turns,
            ),
        )
        for view in views
    ]

    async def page(request: web.Request) -> web.StreamResponse:
        refuse_unknown(request.query, views, path_parts(request.match_info))
        for view, handler in others:
            if isinstance(view, AccountView) and not set(view.times).isdisjoint(request.query):
                return await handler(request)
        return await first[1](request)

    return page


def _in_turn(handler: Handler, view: View, turns: tuple[Turns, Turns]) -> Handler:
    """Return a page whose lists have their turn, until they are sent; a single row needs none."""
    lists, of_peers = turns

    async def page(request: web.Request) -> web.StreamResponse:
        if len(request.match_info) == view.item_parts:
            return await handler(request)
        async with (of_peers if PARTITIONS_HEADER in request.headers else lists).turn():
            return await sent(request, await handler(request))

    return page


def _scope(view: _V, request: web.Request) -> Scope[_V]:
    """Return what a request asks of a view. Raises `Problem` 400."""
    path = path_parts(request.match_info)
    allowed = parameters_of(view, path)
    return Scope(view, path, parse(request.query, request.headers.get("Accept", ""), allowed))


def _past_page(app: WebHost, view: AccountView) -> Handler:
    async def page(request: web.Request) -> web.StreamResponse:
        scope = _scope(view, request)
        asked_by_peer = request.headers.get(PARTITIONS_HEADER)
        if asked_by_peer is not None:
            (partition,) = _partitions(asked_by_peer, app.partitions)
            return json_response(past(app, scope, partition))
        ((owner, (partition,)),) = owners(app, scope).items()
        if owner == app.address:
            found = past(app, scope, partition)
        else:
            found = await ask(app, scope, owner, [partition], AccountAnswer)
        return _past_rendered(scope, found)

    return page


def _past_rendered(scope: Scope[AccountView], found: AccountAnswer) -> web.StreamResponse:
    headers = {AS_OF_HEADER: f"{found.progress.partition}:{found.progress.as_of_offset}"}
    link = None if found.following is None else scope.link(found.following)
    if link is not None:
        headers["Link"] = f'<{link}>; rel="next"'
    if scope.query.csv:
        return csv_response(scope.view.columns, table_rows(scope, found), headers)
    body: Row = {"data": with_amounts(found.about), "meta": found.progress}
    if not scope.is_item:
        data = with_amounts({**found.about, "bookings": found.lines})
        body = {"data": data, "next": link, "meta": found.progress}
    return json_response(body, headers=headers)


def _table_page(app: WebHost, view: TableView) -> Handler:
    async def page(request: web.Request) -> web.StreamResponse:
        scope = _scope(view, request)
        asked_by_peer = request.headers.get(PARTITIONS_HEADER)
        if asked_by_peer is not None:
            return json_response(await collect(app, scope, _partitions(asked_by_peer, app.partitions)))
        return _rendered(scope, await answer(app, scope))

    return page


def _partitions(text: str, count: int) -> list[int]:
    """Return the partitions that a peer asks for. Raises `Problem` 400."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) <= 4 and int(part) < count for part in parts):
        raise Problem(400, f"{PARTITIONS_HEADER}: must be partition numbers below {count}")
    return sorted({int(part) for part in parts})


def _rendered(scope: Scope[TableView], page: RowsPage) -> web.StreamResponse:
    """Return a page as JSON or CSV. Raises `Problem` 404 where its key is not known."""
    if not page.known:
        # An owner is named by rows that come with the traffic, and go again.
        gone = "" if scope.view.owner is None else " (or not any more: what was over for long is forgotten)"
        raise Problem(404, f"{'/'.join(scope.path)} is not known to the {scope.view.table} stream{gone}")
    if scope.view.owner is not None and scope.is_item:
        page.rows = _of_owner(scope, scope.view.owner, page.rows)
    headers = {AS_OF_HEADER: ", ".join(f"{part.partition}:{part.as_of_offset}" for part in page.progress)}
    following = None if scope.is_item else _next_key(scope, page)
    link = None if following is None else scope.link(following)
    if link is not None:
        headers["Link"] = f'<{link}>; rel="next"'
    rows = [row for _, row in page.rows[: scope.query.limit]]
    if scope.query.csv:
        return csv_response(scope.view.columns, rows, headers)
    rows = list(map(with_amounts, rows))
    if scope.is_item:
        meta = {"partitions": page.progress} if scope.view.owner is not None else page.progress[0]
        return json_response({"data": rows[0], "meta": meta}, headers=headers)
    return json_response({"data": rows, "next": link, "meta": {"partitions": page.progress}}, headers=headers)


def _of_owner(scope: Scope[TableView], owner: Owner, rows: list[tuple[str, Row]]) -> list[tuple[str, Row]]:
    """Return the one row of an id, such as a payment's. Accounts on other branches may use the same id.

    Raises `Problem`: 404 where the account that is given has none, 409 where none is given and several have.
    """
    asked, of = scope.query.owner, "/".join(scope.path)
    found = [row for row in rows if asked in (None, row[1][owner.field])]
    if not found:
        raise Problem(404, f"{of} is not known as a {owner.subject} of {asked}")
    if len(found) > 1:
        names = ", ".join(sorted(row[owner.field] for _, row in found))
        raise Problem(
            409,
            f"{of} is a {owner.subject} of several {owner.parameter}s ({names}): say which with"
            f" ?{owner.parameter}=",
        )
    return found


def _next_key(scope: Scope[TableView], page: RowsPage) -> str | None:
    """Return the key, as text, after which the next page starts; None on the last page."""
    limit = scope.query.limit
    key = page.rows[limit - 1][0] if len(page.rows) > limit else page.reached
    return None if key is None else key.replace("\0", "/")


def _index(request: web.Request, shown: Mapping[str, str]) -> web.Response:
    """Return the list of pages, for a browser or for a program."""
    if "text/html" not in request.headers.get("Accept", ""):
        return json_response({"name": "ledgerflow", "pages": shown})
    lines = [f"<tr><td>{_anchor(path)}</td><td>{escape(about)}</td></tr>" for path, about in shown.items()]
    return web.Response(text=_HTML.format("".join(lines)), content_type="text/html")


def _anchor(path: str) -> str:
    return escape(path) if "{" in path else f'<a href="{path}">{escape(path)}</a>'
