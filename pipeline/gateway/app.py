"""The gateway as an ASGI application: its routes, its errors, its bounds, and what it needs of Kafka.

`build` makes it; the composition root (`topologies/gateway.py`) gives it the views, and says who asks.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline import events
from pipeline.domain.kernel.views import View
from pipeline.gateway import live, problem_pages, problems
from pipeline.gateway.access_log import AccessLog
from pipeline.gateway.commands import routes as commands
from pipeline.gateway.commands.catalogue import COMMANDS
from pipeline.gateway.commands.claims import Claims
from pipeline.gateway.commands.decisions import Decisions
from pipeline.gateway.door import Door, Who
from pipeline.gateway.log.hearing import Hearing
from pipeline.gateway.log.writer import Writer
from pipeline.gateway.policy.policy import Policy
from pipeline.gateway.problems import Problem
from pipeline.gateway.queries import routes as queries
from pipeline.input_event import InputEvent
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.settings import Settings

BODY_BYTES_MAX = 256 * 1024
"""What an event may have at most."""
VIEW_CONNECTIONS_MAX = 64
KINDS: tuple[type[InputEvent], ...] = (
    *dict.fromkeys(command.event for command in COMMANDS),
    *(events.RequestClaimed, events.RequestSent),
)


class BoundedBodies:
    """Refuses bodies above BODY_BYTES_MAX, whatever their header says, before a route sees them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > BODY_BYTES_MAX:
                raise Problem(413, "body_too_large", f"a body has at most {BODY_BYTES_MAX} bytes")
            return message

        await self._app(scope, bounded, send)


def build(
    settings: Settings, codec: Codec, policy: Policy, who: Who, views: Sequence[View], urls: Sequence[str]
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
                with hearing.ring.listening(decisions.hear):
                    yield
                    await claims.close()
            finally:
                hearing.close()
                writer.close()

    app = FastAPI(title="Ledgerflow", version="1", lifespan=lifespan, redoc_url=None)
    problems.install(app)
    app.add_middleware(BoundedBodies)
    name, log = secrets.token_hex(4), AccessLog(writer, codec)
    door = Door(name, who, policy, claims, decisions, hearing, log, app, tuple(urls))
    app.include_router(commands.router(door))
    app.include_router(live.router(door))
    app.include_router(queries.router(door, views))
    app.include_router(problem_pages.router())

    @app.get("/live", include_in_schema=False)
    async def alive() -> dict[str, Any]:
        return {"status": "alive"}

    @app.get("/ready", include_in_schema=False)
    async def ready(request: Request, response: Response) -> dict[str, Any]:
        response.status_code = 503 if hearing.silent else 200
        return {"ready": not hearing.silent}

    return app
