"""The routes of people's sign-in at the OpenID provider; browsers go there.

GET /sign-in?return_to=/docs    GET /step-up?return_to=/docs    GET /sign-in/callback
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from pipeline.gateway.identity.noting import SIGN_IN, Record, actor_of, noted
from pipeline.gateway.identity.oidc import CALLBACK, WITHIN_S, Begun, SignedIn, SignIn
from pipeline.gateway.identity.sessions import LONGEST_US, Started
from pipeline.gateway.identity.who import Identity, unauthorised
from pipeline.gateway.limits import Limits
from pipeline.gateway.problems import Problem, responses

HOME = "/docs"
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
ReturnTo = Annotated[str, Query(max_length=512, description="A path of this site, to go to afterwards.")]


def router(identity: Identity, sign_in: SignIn, limits: Limits, record: Record) -> APIRouter:
    """Return the routes."""
    made = APIRouter(tags=["sign-in"], responses=responses(400, 401, 403, 422, 429, 503))
    site, sessions = identity.site, identity.sessions

    def away(begun: Begun) -> Response:
        response = RedirectResponse(begun.address, 303, HEADERS)
        site.begin(response, begun.verifier, WITHIN_S)
        return response

    @made.get("/sign-in", status_code=303, operation_id="sign_in", summary="Sign in at the provider")
    async def begin(request: Request, return_to: ReturnTo = HOME) -> Response:
        await limits.take_address(request)
        return away(await sign_in.begin(return_to))

    @made.get("/step-up", status_code=303, operation_id="step_up", summary="Show a second factor again")
    async def step_up(request: Request, return_to: ReturnTo = HOME) -> Response:
        await limits.take_address(request)
        session = await identity.session(request)
        if session is None or session.issuer != sign_in.provider.issuer:
            raise unauthorised("session_over", "there is no session of this provider: sign in")
        return away(await sign_in.begin(return_to, session.session_id, session.subject))

    @made.get(CALLBACK, status_code=303, include_in_schema=False)
    async def callback(request: Request) -> Response:
        await limits.take_address(request)
        issuer = sign_in.provider.issuer
        async with noted(record, request, SIGN_IN) as note:
            found = await sign_in.finish(dict(request.query_params), request.cookies.get(site.sign_in, ""))
            note.actor = actor_of(issuer, found.subject, found.session_id)
            started = await started_of(request, found)
            note.actor = actor_of(issuer, found.subject, started.session.session_id)
        response = RedirectResponse(found.return_to, 303, HEADERS)
        site.forget(response, site.sign_in)
        site.sign_in_session(response, started.cookie, LONGEST_US // 1_000_000)
        return response

    async def started_of(request: Request, found: SignedIn) -> Started:
        """Return a new session, or the one that was stepped up. Raises Problem 401."""
        if found.session_id is None:
            issuer = sign_in.provider.issuer
            return await identity.begin(request, issuer, found.subject, found.second_factor_at)
        if found.second_factor_at is None:
            raise Problem(401, "sign_in_refused", "the provider names no second factor")
        started = await sessions.step_up(found.session_id, found.second_factor_at)
        if started is None:
            raise unauthorised("session_over", "the session is over: sign in again")
        return started

    return made
