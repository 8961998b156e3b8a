"""The routes of somebody who is signed in: who am I, sign out, my sessions.

GET /v1/me    POST /sign-out    GET /v1/me/sessions    DELETE /v1/me/sessions/{session_id}
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from pipeline.gateway.identity.cookies import csrf_token
from pipeline.gateway.identity.noting import SIGN_OUT, Record, actor_of, noted
from pipeline.gateway.identity.principal import Principal, text_of
from pipeline.gateway.identity.who import Identity
from pipeline.gateway.limits import Limits
from pipeline.gateway.problems import Problem, responses

NO_STORE = {"Cache-Control": "no-store"}


def router(identity: Identity, limits: Limits, record: Record) -> APIRouter:
    """Return the routes."""
    made = APIRouter(tags=["me"], responses=responses(400, 401, 403, 404, 429, 503))
    site, sessions = identity.site, identity.sessions

    async def asking(request: Request) -> Principal:
        principal = await limits.identified(request, identity)
        await limits.take(request, principal, None)
        return principal

    async def person(request: Request) -> Principal:
        principal = await asking(request)
        if principal.session_id is None:
            raise Problem(403, "people_only", "programs have no sessions")
        return principal

    @made.get("/v1/me", operation_id="get_me", summary="Who I am, and what I may do where")
    async def me(request: Request) -> Response:
        principal = await asking(request)
        answer: dict[str, Any] = {
            "issuer": principal.issuer,
            "subject": principal.subject,
            "session_id": principal.session_id,
            "key_id": principal.key_id,
            "roles": {tenant: sorted(roles) for tenant, roles in principal.roles.items()},
            "accounts": {tenant: sorted(names) for tenant, names in principal.accounts.items()},
            "scopes": None if principal.scopes is None else sorted(principal.scopes),
            "second_factor_at": text_of(principal.second_factor_at),
            "expires_at": text_of(principal.expires_at),
        }
        cookie = request.cookies.get(site.session)
        if cookie is not None:
            answer["csrf_token"] = csrf_token(cookie)
        return JSONResponse(answer, headers=NO_STORE)

    @made.post("/sign-out", status_code=204, operation_id="sign_out", summary="End my session")
    async def sign_out(request: Request) -> Response:
        async with noted(record, request, SIGN_OUT) as note:
            principal = await person(request)
            note.actor = actor_of(principal.issuer, principal.subject, principal.session_id)
            await sessions.end(principal.session_id or "")
        response = Response(status_code=204, headers=NO_STORE)
        site.forget(response, site.session, site.csrf)
        return response

    @made.get("/v1/me/sessions", operation_id="list_my_sessions", summary="My sessions, the last used first")
    async def listed(request: Request) -> Response:
        principal = await person(request)
        rows = [
            {
                "session_id": session.session_id,
                "made_at": text_of(session.made_at),
                "seen_at": text_of(session.seen_at),
                "ends_at": text_of(session.ends_at),
                "second_factor_at": text_of(session.second_factor_at),
                "is_this": session.session_id == principal.session_id,
            }
            for session in await sessions.of(principal.issuer, principal.subject)
        ]
        return JSONResponse({"data": rows}, headers=NO_STORE)

    @made.delete(
        "/v1/me/sessions/{session_id}",
        status_code=204,
        operation_id="end_my_session",
        summary="End one of my sessions, on whatever device it is",
    )
    async def end(request: Request, session_id: Annotated[str, Path(pattern="^[0-9a-f]{16}$")]) -> Response:
        async with noted(record, request, SIGN_OUT) as note:
            principal = await person(request)
            note.actor = actor_of(principal.issuer, principal.subject, principal.session_id)
            mine = await sessions.of(principal.issuer, principal.subject)
            if session_id not in {session.session_id for session in mine}:
                raise Problem(404, "not_found", "you have no such session")
            await sessions.end(session_id)
        return Response(status_code=204, headers=NO_STORE)

    return made
