"""Errors as RFC 9457 problem details, and the middleware that makes every error of the web server one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from aiohttp import web

from pipeline.domain.kernel.layouts import UnreadableRow

LOG = logging.getLogger(__name__)

RETRY_AFTER_S = 1
"""Retry-After of a 503: recovery and rebalancing take seconds."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Problem(Exception):
    """Raised for a request that cannot be answered; becomes an application/problem+json response."""

    def __init__(self, status: int, detail: str, *, retry: bool = False) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry = retry
        """Whether the same request may succeed in a moment."""


def unavailable(detail: str) -> Problem:
    """Return the problem of a request that cannot be answered yet: 503 with Retry-After."""
    return Problem(503, detail, retry=True)


def _response(status: int, detail: str, headers: dict[str, str]) -> web.Response:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        content_type="application/problem+json",
        headers=headers,
    )


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as problem:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if problem.retry else {}
        return _response(problem.status, problem.detail, headers)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return _response(405, f"only {allowed} is allowed here", {"Allow": allowed})
    except web.HTTPException as error:
        if error.status < 400:
            raise
        detail = "there is no such page; / lists them" if error.status == 404 else error.reason
        return _response(error.status, detail, {})
    except UnreadableRow as error:  # nothing of a tenant is in its text
        return _response(500, str(error), {})
    except Exception:
        LOG.exception("%s %s failed", request.method, request.path)
        return _response(500, "the request failed; the worker's log says why", {})


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as problem+json, and forbid caches to keep answers."""
    response = await _answered(request, handler)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
