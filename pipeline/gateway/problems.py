"""Errors of the gateway as RFC 9457 has them: `application/problem+json`, with a code that stays the same.

    {"type": "/problems/unknown_key", "title": "Unknown key", "status": 401, "detail": "...",
     "code": "unknown_key", "instance": "/v1/balances/north/a1"}

Every error of the gateway is one, also those of the framework and the unforeseen ones.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from pipeline.gateway.identity.store import SqliteUnavailable

LOG = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "/problems/"
"""A problem's page is TYPE_PREFIX and its code."""
SHOWN_CHARS_MAX = 200
"""Most characters that an answer repeats of what a client sent."""
ERRORS_MAX = 20
"""Most errors of one request that are told."""


class Problem(Exception):
    """A request cannot be answered. `detail` is for the caller: no secret and nothing of another tenant."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """`code` is lower case with underscores; `more` are further members, such as `errors`."""
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers = dict(headers or {})
        self.more = more


class Outcome:
    """How something has ended, for the access log; as a context, it takes note of what is raised inside."""

    def __init__(self) -> None:
        self.status, self.code = 200, "ok"

    def __enter__(self) -> Outcome:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Problem):
            self.status, self.code = error.status, error.code
        elif error is not None:
            self.status, self.code = 500, "internal_error"


def shown(text: object) -> str:
    """Return what a client sent as far as an answer may repeat it: printable, SHOWN_CHARS_MAX at most."""
    said = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in str(text))
    return said if len(said) <= SHOWN_CHARS_MAX else said[: SHOWN_CHARS_MAX - 1] + "…"


def answer(problem: Problem, path: str) -> Response:
    """Return the answer of a problem; `path` is the request's, without its query, which may hold secrets."""
    body = {
        "type": TYPE_PREFIX + problem.code,
        "title": problem.code.replace("_", " ").capitalize(),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "instance": shown(path),
        **problem.more,
    }
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(msgspec.json.encode(body), problem.status, headers, MEDIA_TYPE)


_CONTENT = {MEDIA_TYPE: {"schema": {"type": "object"}}}
_MEANINGS = {
    400: "The request cannot be read",
    401: "Nobody is signed in, or what was shown is not right",
    403: "It is not allowed",
    404: "There is no such thing",
    409: "It does not fit what is there",
    410: "It is not there any more",
    412: "The own command does not show yet; ask again",
    422: "The body, the path or a parameter is not what the route takes",
    429: "Too many requests",
    502: "What answered cannot be used",
    503: "What it needs does not answer now",
    504: "What it needs is too slow",
}


def responses(*statuses: int, own: Mapping[int, str] | None = None) -> dict[int | str, dict[str, Any]]:
    """Return what an API's description says of the problems of a route.

    `own`: by status, what it means there and nowhere else.
    """
    meanings = {one: _MEANINGS[one] for one in statuses} | dict(own or {})
    return {status: {"description": meaning, "content": _CONTENT} for status, meaning in meanings.items()}


def install(app: FastAPI) -> None:
    """Make an app answer every error as a problem, those of validation and the unforeseen ones included."""
    app.add_exception_handler(Problem, _of_problem)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(SqliteUnavailable, _of_store)
    app.add_exception_handler(sqlite3.Error, _of_store)
    app.add_exception_handler(Exception, _of_fault)


def _of_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(error, request.url.path)


def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    told = [_told(one) for one in error.errors()[:ERRORS_MAX]]
    first = told[0] if told else {"at": "body", "message": "it cannot be read"}
    said = Problem(422, "invalid_request", shown(f"{first['at']}: {first['message']}"), errors=told)
    return answer(said, request.url.path)


def _told(error: Mapping[str, Any]) -> dict[str, str]:
    """Return where an error is and what is wrong, never the value: it may be a secret."""
    places: Sequence[Any] = error.get("loc", ())
    return {"at": shown(".".join(map(str, places))), "message": shown(error.get("msg", ""))}


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_").replace("'", "")
    headers = {**(error.headers or {})}
    return answer(Problem(error.status_code, code, shown(error.detail), headers), request.url.path)


def _of_store(request: Request, error: Exception) -> Response:
    LOG.error("sessions and keys cannot be read: %s", error)
    said = Problem(503, "store_unavailable", "sessions and keys cannot be read now", {"Retry-After": "5"})
    return answer(said, request.url.path)


def _of_fault(request: Request, error: Exception) -> Response:
    LOG.error("a request failed: %s %s", request.method, shown(request.url.path), exc_info=error)
    return answer(Problem(500, "internal_error", "The gateway failed; its log says why."), request.url.path)
