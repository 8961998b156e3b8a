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
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "ledgerflow",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer: nobody keeps it, guesses its type, frames it, or runs anything in it."""

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


def problem_response(status: int, detail: str, headers: dict[str, str]) -> web.Response:
    """Return a problem as an answer, with the headers of every answer."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        content_type="application/problem+json",
        headers={**HEADERS, **headers},
    )


async def secure(_: web.BaseRequest, response: web.StreamResponse) -> None:
    """Put the headers of every answer on one that is about to be sent."""
    response.headers.update(HEADERS)


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as problem:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if problem.retry else {}
        return problem_response(problem.status, problem.detail, headers)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return problem_response(405, f"only {allowed} is allowed here", {"Allow": allowed})
    except web.HTTPException as error:
        if error.status < 400:
            raise
        detail = "there is no such page; / lists them" if error.status == 404 else error.reason
        return problem_response(error.status, detail, {})
    except ConnectionError:  # the client has gone, or does not read
        raise
    except UnreadableRow as error:  # nothing of a tenant is in its text
        return problem_response(500, str(error), {})
    except Exception:
        LOG.exception("%s %s failed", request.method, request.path)
        return problem_response(500, "the request failed; the worker's log says why", {})


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as problem+json."""
    return await _answered(request, handler)
