"""What the gateway is measured beside: a bare FastAPI application that passes a balance on from a worker.

`python -m tests.benchmarks.bare_proxy '{"port": ..., "url": ...}'` asks nobody who they are, checks nothing,
masks nothing, and writes nothing down. It is served as the gateway is.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator

import aiohttp
import uvicorn
from fastapi import FastAPI, Request, Response

from pipeline.gateway.app import VIEW_CONNECTIONS_MAX
from pipeline.gateway.serving import options
from pipeline.runtime.settings import load_settings


def build(url: str) -> FastAPI:
    """Return the application; `url` is where the worker's views are."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=VIEW_CONNECTIONS_MAX)
        async with aiohttp.ClientSession(url, connector=connector) as client:
            app.state.views = client
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.get("/v1/{tenant}/balances/{account}")
    async def balance(request: Request, tenant: str, account: str) -> Response:
        async with request.app.state.views.get(f"/balances/{tenant}/{account}") as response:
            return Response(await response.read(), response.status, media_type="application/json")

    return app


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    uvicorn.run(build(given["url"]), **options(load_settings(gateway_port=given["port"])))
