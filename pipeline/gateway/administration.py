"""The routes of administrators: who has which role, and whose sessions end. Each needs a fresh second factor.

    GET, POST /v1/{tenant}/grants    DELETE /v1/{tenant}/grants/{grant_id}    POST /v1/{tenant}/sessions/end

`*` in the place of the tenant is every tenant, for administrators of all. Nobody gives a role to oneself.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.gateway.door import Door
from pipeline.gateway.identity.grants import ACCOUNTS_MAX, DAYS_MAX, Grant, GrantRefused, Grants
from pipeline.gateway.identity.principal import EVERY_TENANT, NAME_CHARS_MAX, text_of
from pipeline.gateway.identity.sessions import Sessions
from pipeline.gateway.identity.store import StoreFull
from pipeline.gateway.parameters import ID
from pipeline.gateway.problems import Problem, responses, shown

ROLES, SESSIONS = "manage:roles", "manage:sessions"
Tenant = Annotated[str, Path(**ID)]
_Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX)]
_Account = Annotated[str, Field(min_length=1, max_length=ID_CHARS_MAX)]


class Somebody(BaseModel):
    """A person or program."""

    model_config = ConfigDict(extra="forbid")

    issuer: _Name
    subject: _Name


class NewGrant(Somebody):
    """A role that is to be given."""

    of: Literal["person", "program"] = "person"
    role: Annotated[str, Field(max_length=64)]
    days: Annotated[int | None, Field(ge=1, le=DAYS_MAX)] = None
    accounts: Annotated[list[_Account], Field(max_length=ACCOUNTS_MAX)] = []


def router(door: Door, grants: Grants, sessions: Sessions) -> APIRouter:
    """Return the routes."""
    made = APIRouter(tags=["administration"], responses=responses(400, 401, 403, 404, 422, 429, 503))

    @made.get("/v1/{tenant}/grants", operation_id="list_grants", summary="Who has which role in a tenant")
    async def listed(request: Request, tenant: Tenant) -> Response:
        async with door.entered(request, tenant, ROLES) as entry:
            rows = [_shown(grant) for grant in await grants.all() if tenant in (grant.tenant, EVERY_TENANT)]
            return entry.json({"data": rows})

    @made.post("/v1/{tenant}/grants", status_code=201, operation_id="add_grant", summary="Give a role")
    async def add(request: Request, tenant: Tenant, body: NewGrant) -> Response:
        async with door.entered(request, tenant, ROLES) as entry:
            me = entry.principal
            if (body.issuer, body.subject) == (me.issuer, me.subject):
                raise Problem(403, "own_grant", "nobody gives a role to oneself")
            try:
                given = await grants.add(
                    *(body.issuer, body.subject, body.of, tenant, body.role),
                    days=body.days,
                    accounts=body.accounts,
                    made_by=f"{me.subject} of {me.issuer}",
                )
            except GrantRefused as error:
                raise Problem(422, "grant_refused", shown(error)) from None
            except StoreFull:
                raise Problem(503, "too_busy", "there are too many grants: remove some") from None
            return entry.json(_shown(given), 201, {"Location": f"/v1/{tenant}/grants/{given.grant_id}"})

    @made.delete(
        "/v1/{tenant}/grants/{grant_id}",
        status_code=204,
        operation_id="remove_grant",
        summary="Take a role away at once",
    )
    async def remove(
        request: Request, tenant: Tenant, grant_id: Annotated[str, Path(pattern="^[0-9a-f]{12}$")]
    ) -> Response:
        async with door.entered(request, tenant, ROLES) as entry:
            there = {grant.grant_id for grant in await grants.all() if grant.tenant == tenant}
            if grant_id not in there or not await grants.remove(grant_id):
                raise Problem(404, "not_found", "there is no such grant in this tenant")
            entry.status = 204
            return Response(status_code=204)

    @made.post("/v1/{tenant}/sessions/end", operation_id="end_sessions", summary="End somebody's sessions")
    async def end(request: Request, tenant: Tenant, body: Somebody) -> Response:
        async with door.entered(request, tenant, SESSIONS) as entry:
            held = await grants.held(body.issuer, body.subject, "person")
            if tenant not in (EVERY_TENANT, *held.roles):
                raise Problem(404, "not_found", "this person has no role in this tenant")
            ended = [
                session.session_id
                for session in await sessions.of(body.issuer, body.subject)
                if await sessions.end(session.session_id)
            ]
            return entry.json({"ended": ended})

    return made


def _shown(grant: Grant) -> dict[str, Any]:
    """Return a grant with its times in ISO 8601."""
    times = {"made_at": text_of(grant.made_at), "expires_at": text_of(grant.expires_at)}
    return {**msgspec.structs.asdict(grant), **times}
