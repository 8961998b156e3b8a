"""The pages and routes of passkeys.

GET /passkey    POST /passkey/options    POST /passkey/sign-in
GET /first-administrator    POST /first-administrator/options    POST /first-administrator/register
"""

from __future__ import annotations

import time
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field

from pipeline.gateway.identity.first_administrator import PAGE, FirstAdministrator
from pipeline.gateway.identity.noting import FIRST_ADMINISTRATOR, SIGN_IN, Record, actor_of, noted
from pipeline.gateway.identity.passkeys import ISSUER, Passkeys
from pipeline.gateway.identity.sessions import LONGEST_US, Started
from pipeline.gateway.identity.who import Identity, unauthorised
from pipeline.gateway.limits import Limits
from pipeline.gateway.problems import responses

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
}
_FOLDER = files("pipeline.gateway.identity").joinpath("pages")


class Link(BaseModel):
    """The secret of a link."""

    link: Annotated[str, Field(max_length=64)]


class Registration(Link):
    """The secret of a link, and the passkey that was made with it."""

    credential: dict[str, Any]


class Wanted(BaseModel):
    """What a challenge is for."""

    step_up: bool = False
    """For the session that the browser has."""


def router(identity: Identity, passkeys: Passkeys, limits: Limits, record: Record) -> APIRouter:
    """Return the routes of sign-in and step-up by passkey."""
    made = APIRouter(tags=["sign-in"], responses=responses(400, 401, 403, 422, 429, 503))
    sessions, site = identity.sessions, identity.site

    @made.get("/passkey", include_in_schema=False)
    async def page(request: Request) -> Response:
        await limits.take_address(request)
        return _page("passkey.html")

    @made.get("/passkey.js", include_in_schema=False)
    async def script(request: Request) -> Response:
        await limits.take_address(request)
        return Response(_FOLDER.joinpath("passkey.js").read_bytes(), 200, HEADERS, "text/javascript")

    @made.post("/passkey/options", operation_id="get_passkey_options", summary="A challenge for a passkey")
    async def options(request: Request, wanted: Wanted) -> Response:
        await limits.take_address(request)
        site.require_own_page(request)
        if not wanted.step_up:
            return JSONResponse(await passkeys.request_options(None, None), headers=HEADERS)
        session = await identity.session(request)
        if session is None or session.issuer != ISSUER:
            raise unauthorised("session_over", "there is no session of a passkey: sign in")
        found = await passkeys.request_options(session.session_id, session.subject)
        return JSONResponse(found, headers=HEADERS)

    @made.post(
        "/passkey/sign-in", status_code=204, operation_id="sign_in_by_passkey", summary="Sign in, or step up"
    )
    async def sign_in(request: Request, credential: dict[str, Any]) -> Response:
        await limits.take_address(request)
        site.require_own_page(request)
        async with noted(record, request, SIGN_IN) as note:
            subject, session_id = await passkeys.verified(credential)
            note.actor = actor_of(ISSUER, subject, session_id)
            now = time.time_ns() // 1_000
            if session_id is None:
                started = await identity.begin(request, ISSUER, subject, now)
            else:
                stepped_up = await sessions.step_up(session_id, now)
                if stepped_up is None:
                    raise unauthorised("session_over", "the session is over: sign in again")
                started = stepped_up
            note.actor = actor_of(ISSUER, subject, started.session.session_id)
        return _signed_in(identity, started)

    return made


def router_of_first(
    identity: Identity, first: FirstAdministrator, limits: Limits, record: Record
) -> APIRouter:
    """Return the routes of the first administrator."""
    made = APIRouter()

    @made.get(PAGE, include_in_schema=False)
    async def page(request: Request) -> Response:
        await limits.take_address(request)
        return _page("first_administrator.html")

    @made.post(f"{PAGE}/options", include_in_schema=False)
    async def options(request: Request, given: Link) -> Response:
        await limits.take_address(request)
        return JSONResponse(await first.options(request, given.link), headers=HEADERS)

    @made.post(f"{PAGE}/register", status_code=204, include_in_schema=False)
    async def register(request: Request, given: Registration) -> Response:
        await limits.take_address(request)
        async with noted(record, request, FIRST_ADMINISTRATOR) as note:
            subject = await first.register(request, given.link, given.credential)
            started = await identity.begin(request, ISSUER, subject, time.time_ns() // 1_000)
            note.actor = actor_of(ISSUER, subject, started.session.session_id)
        return _signed_in(identity, started)

    return made


def _signed_in(identity: Identity, started: Started) -> Response:
    response = Response(status_code=204, headers=HEADERS)
    identity.site.sign_in_session(response, started.cookie, LONGEST_US // 1_000_000)
    return response


def _page(name: str) -> HTMLResponse:
    return HTMLResponse(_FOLDER.joinpath(name).read_bytes(), headers=HEADERS)
