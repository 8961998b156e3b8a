"""Sandboxes: tenants that upstreams may wipe. What is written is of a generation; a reset begins another.

    /v1/try/accounts  ->  /v1/try~65a3f.../accounts: the tenant of the log is the sandbox's present generation

A log that has lost a tenant's records could not be replayed. So nothing is deleted: the next generation is a
tenant of its own in which nothing has happened yet, and of earlier ones no route answers any more (410).

Which generation is the present one is kept beside the sessions, and read for every request, so all gateways
of a machine know a reset at once. Where that store was lost, a new generation begins.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.domain.tenants.settings import GENERATION_CHARS_MAX, GENERATION_SIGN
from pipeline.gateway import problems
from pipeline.gateway.door import Door
from pipeline.gateway.identity.principal import text_of
from pipeline.gateway.identity.store import Entry, Store
from pipeline.gateway.parameters import SHOWN_ID
from pipeline.gateway.problems import Problem

KIND = "sandbox"
RESETS_PER_DAY = 20
"""Of one sandbox: what was written before a reset stays in the log."""
PERMISSION = "command:account_opened"
"""Whoever may open accounts in a sandbox may wipe it."""
DAY_US = 86_400_000_000
OF_THE_NAME = frozenset({"grants", "sessions"})
"""What is of the sandbox itself, whichever generation it has."""
_FOR_EVER = 2**62
_RESPONSES = problems.responses(
    *(400, 401, 403, 422, 429, 503),
    own={
        404: "The tenant is no sandbox",
        409: "That generation is over already",
        410: "The path names a generation that is over",
    },
)


class Generation(msgspec.Struct, frozen=True):
    """The present generation of a sandbox. Times are microseconds UTC."""

    name: str
    began_at: int
    resets: tuple[int, ...] = ()
    """When it was wiped within the last day."""


class Sandboxes:
    """The present generations of the sandboxes, in a store."""

    def __init__(self, store: Store, names: frozenset[str]) -> None:
        self._store, self.names = store, names

    async def generation(self, sandbox: str) -> Generation:
        """Return the present generation. Raises OSError, StoreFull."""
        kept = await self._store.get(KIND, sandbox)
        if kept is None:
            await self._store.put(KIND, _entry(sandbox, _begun(())))
            kept = await self._store.get(KIND, sandbox)
            assert kept is not None
        return msgspec.json.decode(kept.value, type=Generation)

    async def reset(self, sandbox: str, name: str) -> Generation:
        """Begin another generation, if the present one is of a name; return it.

        Raises Problem 409 where it is not, 429 after too many; OSError.
        """
        before = await self.generation(sandbox)
        resets = tuple(at for at in before.resets if at > _now() - DAY_US)
        if before.name == name:
            if len(resets) >= RESETS_PER_DAY:
                wait_s = str((resets[0] + DAY_US - _now()) // 1_000_000 + 1)
                detail = f"a sandbox is wiped {RESETS_PER_DAY} times a day at most"
                raise Problem(429, "too_many_resets", detail, {"Retry-After": wait_s})
            after = _begun((*resets, _now()))
            if await self._store.swap(KIND, _entry(sandbox, before), _entry(sandbox, after)):
                return after
        present = (await self.generation(sandbox)).name
        raise Problem(409, "sandbox_was_reset", "that generation is over already", generation=present)


class SandboxPaths:
    """Leads requests for a sandbox to its present generation; those for an earlier one are answered 410."""

    def __init__(self, app: ASGIApp, sandboxes: Sandboxes) -> None:
        self._app, self._sandboxes = app, sandboxes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            try:
                scope["path"] = await self._led(scope["path"])
            except Problem as problem:
                return await problems.answer(problem, scope["path"])(scope, receive, send)
            except OSError:
                away = Problem(503, "store_unavailable", "the store of the gateway does not answer now")
                return await problems.answer(away, scope["path"])(scope, receive, send)
        await self._app(scope, receive, send)

    async def _led(self, path: str) -> str:
        tenant, slash, rest = path.removeprefix("/v1/").partition("/")
        sandbox, sign, name = tenant.partition(GENERATION_SIGN)
        if sandbox not in self._sandboxes.names or rest.partition("/")[0] in OF_THE_NAME:
            return path
        present = (await self._sandboxes.generation(sandbox)).name
        if sign and name != present:
            raise Problem(
                410, "sandbox_was_reset", "that generation of the sandbox is over", generation=present
            )
        return f"/v1/{sandbox}{GENERATION_SIGN}{present}{slash}{rest}"


class Reset(BaseModel):
    """What is wiped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    generation: Annotated[str, Field(max_length=GENERATION_CHARS_MAX, description="The present one.")]


def router(door: Door, sandboxes: Sandboxes) -> APIRouter:
    """Return the routes that show a sandbox and wipe it."""
    made = APIRouter()

    def name_of(tenant: str) -> str:
        sandbox = door.base_of(tenant)
        if sandbox not in sandboxes.names:
            raise Problem(404, "no_sandbox", "this tenant is no sandbox: it cannot be wiped")
        return sandbox

    @made.get(
        "/v1/{tenant}/sandbox",
        operation_id="get_sandbox",
        summary="The present generation",
        tags=[KIND],
        responses=_RESPONSES,
    )
    async def show(request: Request, tenant: Annotated[str, Path(**SHOWN_ID)]) -> Response:
        async with door.entered(request, tenant, PERMISSION) as entry:
            sandbox = name_of(tenant)
            return entry.json(_shown(sandbox, await sandboxes.generation(sandbox)))

    @made.post(
        "/v1/{tenant}/sandbox/reset",
        operation_id="reset_sandbox",
        summary="Wipe a sandbox",
        tags=[KIND],
        responses=_RESPONSES,
    )
    async def reset(request: Request, tenant: Annotated[str, Path(**SHOWN_ID)], body: Reset) -> Response:
        async with door.entered(request, tenant, PERMISSION) as entry:
            entry.require_account(None)  # not whoever has some accounts of it only
            sandbox = name_of(tenant)
            return entry.json(_shown(sandbox, await sandboxes.reset(sandbox, body.generation)))

    return made


def _shown(sandbox: str, present: Generation) -> dict[str, Any]:
    tenant = f"{sandbox}{GENERATION_SIGN}{present.name}"
    return {"tenant_id": tenant, "generation": present.name, "began_at": text_of(present.began_at)}


def _begun(resets: tuple[int, ...]) -> Generation:
    at = _now()
    return Generation(f"{at:x}", at, resets)


def _entry(sandbox: str, generation: Generation) -> Entry:
    return Entry(sandbox, "", msgspec.json.encode(generation), _FOR_EVER)


def _now() -> int:
    return time.time_ns() // 1_000
