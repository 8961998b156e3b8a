"""The gateway as an ASGI application: its routes, its errors, its bounds, and what it needs of Kafka.

`build` makes it; the composition root (`topologies/gateway.py`) gives it the views and
the entrance, which says who asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
from fastapi import FastAPI, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline import events
from pipeline.domain.kernel.views import View
from pipeline.domain.tenants.settings import UNRESTRICTED, Tenants
from pipeline.gateway import administration, live, problem_pages, problems
from pipeline.gateway.access_log import AccessLog
from pipeline.gateway.commands import routes as commands
from pipeline.gateway.commands.catalogue import COMMANDS
from pipeline.gateway.commands.claims import Claims
from pipeline.gateway.commands.decisions import Decisions
from pipeline.gateway.commands.protection import Protection
from pipeline.gateway.door import Door
from pipeline.gateway.identity.entrance import Entrance
from pipeline.gateway.limits import RateLimitHeaders
from pipeline.gateway.log.hearing import Hearing
from pipeline.gateway.log.past import Past
from pipeline.gateway.log.writer import Writer
from pipeline.gateway.policy.policy import Policy
from pipeline.gateway.problems import Problem
from pipeline.gateway.queries import routes as queries
from pipeline.gateway.queries import streams
from pipeline.gateway.sandboxes import Sandboxes, SandboxPaths
from pipeline.gateway.sandboxes import router as sandboxes_router
from pipeline.input_event import InputEvent
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.settings import Settings

BODY_BYTES_MAX = 256 * 1024
"""What an event may have at most."""
BODY_WITHIN_S = 10.0
VIEW_CONNECTIONS_MAX = 64
KINDS: tuple[type[InputEvent], ...] = (
    *dict.fromkeys(command.event for command in COMMANDS),
    *(events.RequestClaimed, events.RequestSent),
)


class BoundedBodies:
    """Reads the body of a request before a route sees it: within a bound, and within a time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            return await self._app(scope, receive, send)
        path = scope["path"]
        try:
            body = await asyncio.wait_for(_body(receive), BODY_WITHIN_S)
        except TimeoutError:
            late = Problem(408, "body_too_slow", f"a body has to come within {BODY_WITHIN_S:g} s")
            return await problems.answer(late, path)(scope, receive, send)
        if body is None:
            large = Problem(413, "body_too_large", f"a body has at most {BODY_BYTES_MAX} bytes")
            return await problems.answer(large, path)(scope, receive, send)
        given: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return given.pop() if given else await receive()

        await self._app(scope, again, send)


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request, None where it is too large; of one that broke off, what has come."""
    parts, read, more = [], 0, True
    while more:
        message = await receive()
        part = message.get("body", b"")
        read += len(part)
        if read > BODY_BYTES_MAX:
            return None
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def build(
    settings: Settings,
    codec: Codec,
    policy: Policy,
    entrance: Entrance,
    protection: Protection,
    views: Sequence[View],
    urls: Sequence[str],
    tenants: Tenants = UNRESTRICTED,
) -> FastAPI:
    """Return the application. `urls`: base URLs of workers' views.

    Raises NotRegistered, RegistryUnavailable.
    """
    writer = Writer(settings, KINDS)
    hearing = Hearing(settings, codec)
    decisions = Decisions(hearing.decoded)
    claims = Claims(writer, hearing)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=VIEW_CONNECTIONS_MAX, keepalive_timeout=4.0)
        async with aiohttp.ClientSession(connector=connector) as client:
            app.state.views = client
            hearing.start()
            try:
                async with entrance.open():
                    with hearing.ring.listening(decisions.hear):
                        yield
                    await claims.close()
            finally:
                hearing.close()
                writer.close()

    app = FastAPI(title="Ledgerflow", version="1", lifespan=lifespan, redoc_url=None)
    problems.install(app)
    app.add_middleware(BoundedBodies)
    app.add_middleware(RateLimitHeaders)
    name, log = secrets.token_hex(4), AccessLog(writer, codec)
    door = Door(
        name,
        *entrance.door,
        policy,
        claims,
        decisions,
        protection,
        hearing,
        log,
        app,
        tuple(urls),
        tenants.base_of,
    )
    sandboxes = Sandboxes(entrance.store, tenants.sandboxes)
    app.add_middleware(SandboxPaths, sandboxes=sandboxes)
    for of_people in entrance.routers(log.record_visit):
        app.include_router(of_people)
    app.include_router(queries.router(door, views))  # first: routes are looked at in this order
    app.include_router(commands.router(door))
    app.include_router(administration.router(door, entrance.grants, entrance.identity.sessions))
    app.include_router(sandboxes_router(door, sandboxes))
    app.include_router(live.router(door))
    app.include_router(streams.router(door, Past(settings)))
    app.include_router(problem_pages.router())

    @app.get("/live", include_in_schema=False)
    async def alive() -> dict[str, Any]:
        return {"status": "alive"}

    @app.get("/ready", include_in_schema=False)
    async def ready(response: Response) -> dict[str, Any]:
        response.status_code = 503 if hearing.silent else 200
        return {"status": "silent" if hearing.silent else "ready"}

    return app
