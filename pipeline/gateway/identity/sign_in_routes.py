"""The routes of people's sign-in at the OpenID provider; browsers go there.

GET /sign-in?return_to=/docs    GET /step-up?return_to=/docs    GET /sign-in/callback
"""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from pipeline.gateway.identity.oidc import CALLBACK, WITHIN_S, Begun, SignIn
from pipeline.gateway.identity.sessions import LONGEST_US
from pipeline.gateway.identity.who import Identity, unauthorised
from pipeline.gateway.limits import Limits
from pipeline.gateway.problems import Problem

LOG = logging.getLogger(__name__)
HOME = "/docs"
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
ReturnTo = Annotated[str, Query(max_length=512, description="A path of this site, to go to afterwards.")]


def router(identity: Identity, sign_in: SignIn, limits: Limits) -> APIRouter:
    """Return the routes."""
    made = APIRouter(tags=["sign-in"])
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
        found = await sign_in.finish(dict(request.query_params), request.cookies.get(site.sign_in, ""))
        issuer = sign_in.provider.issuer
        if found.session_id is None:
            started = await identity.begin(request, issuer, found.subject, found.second_factor_at)
        else:
            if found.second_factor_at is None:
                raise Problem(401, "sign_in_refused", "the provider names no second factor")
            stepped_up = await sessions.step_up(found.session_id, found.second_factor_at)
            if stepped_up is None:
                raise unauthorised("session_over", "the session is over: sign in again")
            started = stepped_up
        LOG.info("signed in: %s of %s, session %s", found.subject, issuer, started.session.session_id)
        response = RedirectResponse(found.return_to, 303, HEADERS)
        site.forget(response, site.sign_in)
        site.sign_in_session(response, started.cookie, LONGEST_US // 1_000_000)
        return response

    return made
