"""The routes of commands: one for each of the catalogue, typed by its event.

body, path, Idempotency-Key -> may they? -> claim -> first or repeat: send -> 202, or 200 once decided
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from pydantic import BaseModel

from pipeline.gateway.commands.bodies import body_of, event_of, given
from pipeline.gateway.commands.catalogue import COMMANDS, Command
from pipeline.gateway.commands.decisions import Decision
from pipeline.gateway.commands.naming import content_hash, flaw_of_key, request_id
from pipeline.gateway.door import Door, Entry
from pipeline.gateway.parameters import ID, Parameter, take
from pipeline.gateway.problems import Problem, shown
from pipeline.input_event import InputEvent

WAIT_S_MAX = 30.0
_WAIT = re.compile(r"wait=([0-9]{1,3})").fullmatch
REPLAYED = "Idempotent-Replayed"

KEY_HEADER = Header(
    alias="Idempotency-Key",
    description="Names this request: the same key again has no second effect, for 90 days.",
)


def router(door: Door) -> APIRouter:
    """Return the routes of all commands."""
    made = APIRouter()
    for command in COMMANDS:
        made.add_api_route(
            "/v1/{tenant}" + command.path,
            _endpoint(door, command),
            methods=["POST"],
            status_code=202,
            name=_name(command),
            operation_id=_name(command),
            summary=(command.event.__doc__ or "").splitlines()[0],
            tags=[command.event.TOPIC],
            responses=_RESPONSES,
        )
    return made


_PROBLEM = {"content": {"application/problem+json": {"schema": {"type": "object"}}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Decided, or checked without an effect"},
    202: {"description": "In the log; the status link says what becomes of it"},
    400: {"description": "No idempotency key, or a bad one; a header that cannot be read", **_PROBLEM},
    401: {"description": "Nobody is signed in", **_PROBLEM},
    403: {"description": "The roles do not allow it", **_PROBLEM},
    409: {"description": "The key was used for something else, or the ledger refuses it", **_PROBLEM},
    422: {"description": "The command is none", **_PROBLEM},
    429: {"description": "Too many requests", **_PROBLEM},
    503: {"description": "The log or the streams do not answer now", **_PROBLEM},
}


def _name(command: Command) -> str:
    last = command.path.rpartition("/")[2]
    return command.name if not command.fixed else f"{command.name}_{last}"


def _endpoint(door: Door, command: Command) -> Callable[..., Any]:
    model = body_of(command)

    async def handle(**parts: Any) -> Response:
        path = {name: parts[name] for name in command.in_path}
        asked = _Asked(door, command, parts["request"], parts["tenant"], path, parts["body"])
        return await asked.answer(parts["idempotency_key"], parts["prefer"], parts["validate"])

    handle.__name__ = _name(command)
    parameters = [
        Parameter("request", Request),
        Parameter("tenant", Annotated[str, Path(**ID)]),
        *(Parameter(name, Annotated[str, Path(**ID)]) for name in command.in_path),
        Parameter("body", Annotated[model, Body()]),
        Parameter("idempotency_key", Annotated[str | None, KEY_HEADER], None),
        Parameter("prefer", Annotated[str | None, Header(description="wait=SECONDS, up to 30")], None),
        Parameter("validate", Annotated[bool, Query(description="Check it, and do nothing.")], False),
    ]
    return take(handle, parameters)


class _Asked:
    """One request for a command."""

    def __init__(
        self,
        door: Door,
        command: Command,
        request: Request,
        tenant: str,
        path: dict[str, str],
        body: BaseModel,
    ) -> None:
        self._door, self._command, self._request = door, command, request
        self._tenant, self._path, self._body = tenant, path, body

    async def answer(self, key: str | None, prefer: str | None, validate: bool) -> Response:
        """Do it; return the answer. Raises Problem."""
        permission = f"command:{self._command.name}"
        async with self._door.entered(self._request, self._tenant, permission) as entry:
            seconds = _seconds(prefer)
            if key is None:
                raise Problem(400, "idempotency_key_missing", "send an Idempotency-Key: one for each command")
            if flaw := flaw_of_key(key):
                raise Problem(400, "invalid_idempotency_key", flaw)
            entry.request_id = named = request_id(self._tenant, entry.principal, key)
            event = event_of(self._command, self._body, self._path, self._tenant, named, entry.actor)
            entry.require_account(getattr(event, self._command.event.KEY_FIELD))
            said = given(self._body, self._path) | dict(self._command.fixed)
            content = content_hash(self._command.name, said)
            if validate:
                return entry.json({"valid": True, "request_id": named, "content_hash": content})
            return await self._do(event, named, content, seconds, entry)

    async def _do(
        self, event: InputEvent, named: str, content: str, seconds: float, entry: Entry
    ) -> Response:
        claims = self._door.claims
        answered = await claims.claim(event, named, content)
        if answered.answer == "CONFLICT":
            raise Problem(
                409,
                "idempotency_key_reused",
                "this key was used for another command; nothing was done",
                request_id=named,
                content_hash=answered.content_hash,
            )
        if not answered.sent:
            await claims.send(event, named, content)
        replayed = answered.answer == "REPEATED"
        decision = await self._door.decisions.within(named, seconds)
        return self._told(event, named, content, decision, replayed, entry)

    def _told(
        self,
        event: InputEvent,
        named: str,
        content: str,
        decision: Decision | None,
        replayed: bool,
        entry: Entry,
    ) -> Response:
        status = f"/v1/{self._tenant}/requests/{named}"
        headers = {"Location": status, **({REPLAYED: "true"} if replayed else {})}
        made = self._command.made_id
        ids = {name: getattr(event, name) for name in (*self._command.in_path, *((made,) if made else ()))}
        about = {"request_id": named, "content_hash": content, "status_url": status, **ids}
        if decision is None:
            return entry.json({**about, "state": "accepted"}, 202, headers)
        if decision.is_refusal:
            detail = f"{self._command.name}: {decision.state}, {decision.code}"
            raise Problem(409, decision.code, shown(detail), headers, state=decision.state, **about)
        decided = {"state": decision.state, "code": decision.code, "event_id": decision.event_id}
        return entry.json({**about, **decided, "account_sequence": decision.account_sequence}, 200, headers)


def _seconds(prefer: str | None) -> float:
    """Return how long a client wants to wait. Raises Problem 400."""
    if prefer is None:
        return 0.0
    found = _WAIT(prefer.strip())
    if found is None:
        raise Problem(400, "invalid_preference", "Prefer can be wait=SECONDS, such as wait=2")
    return min(float(found[1]), WAIT_S_MAX)
