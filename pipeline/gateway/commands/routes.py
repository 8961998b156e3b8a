"""The routes of commands: one for each of the catalogue, typed by its event; whole statements; bulk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from pydantic import BaseModel

from pipeline.gateway.commands import bulk, statements
from pipeline.gateway.commands.asking import Asked, Wanted, answer
from pipeline.gateway.commands.bodies import body_of, event_of, given
from pipeline.gateway.commands.catalogue import COMMANDS, Command
from pipeline.gateway.door import Door
from pipeline.gateway.parameters import ID, Parameter, take
from pipeline.gateway.problems import responses

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
            _endpoint(door, command.in_path, body_of(command), _of_command(command)),
            name=_name(command),
            operation_id=_name(command),
            summary=(command.event.__doc__ or "").splitlines()[0],
            tags=[command.event.TOPIC],
            **_ROUTE,
        )
    made.add_api_route(
        "/v1/{tenant}/statements",
        _endpoint(door, (), statements.Statement, statements.asked),
        name="statement",
        operation_id="statement",
        summary="A whole statement: its lines and its end, in the log together or not at all.",
        tags=["statements"],
        **_ROUTE,
    )
    made.add_api_route(
        "/v1/{tenant}/bulk",
        bulk.endpoint(door, {command.path: (body_of(command), _of_command(command)) for command in COMMANDS}),
        name="bulk",
        operation_id="bulk",
        summary="Many commands, each by itself, with an answer each.",
        tags=["bulk"],
        methods=["POST"],
    )
    return made


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Decided, or checked without an effect"},
    202: {"description": "In the log; the status link says what becomes of it"},
    **responses(
        429,
        own={
            400: "No idempotency key, or a bad one; a header that cannot be read",
            401: "Nobody is signed in",
            403: "The roles do not allow it",
            409: "The key was used for something else, or the ledger refuses it",
            422: "The command is none",
            503: "The log, the streams or the keys of personal data do not answer now",
        },
    ),
}

_ROUTE: dict[str, Any] = {"methods": ["POST"], "status_code": 202, "responses": _RESPONSES}


def _name(command: Command) -> str:
    last = command.path.rpartition("/")[2]
    return command.name if not command.fixed else f"{command.name}_{last}"


def _of_command(command: Command) -> bulk.Ask:
    made = (command.made_id,) if command.made_id else ()

    def ask(tenant: str, path: dict[str, str], body: BaseModel) -> Asked:
        return Asked(
            command.name,
            tenant,
            given(body, path) | dict(command.fixed),
            lambda named, actor: (event_of(command, body, path, tenant, named, actor),),
            (*command.in_path, *made),
        )

    return ask


def _endpoint(
    door: Door, in_path: tuple[str, ...], model: type[BaseModel], ask: bulk.Ask
) -> Callable[..., Any]:
    async def handle(**parts: Any) -> Response:
        asked = ask(parts["tenant"], {name: parts[name] for name in in_path}, parts["body"])
        wanted = Wanted(parts["idempotency_key"], parts["prefer"], parts["validate"])
        return await answer(door, parts["request"], asked, wanted)

    parameters = [
        Parameter("request", Request),
        Parameter("tenant", Annotated[str, Path(**ID)]),
        *(Parameter(name, Annotated[str, Path(**ID)]) for name in in_path),
        Parameter("body", Annotated[model, Body()]),
        Parameter("idempotency_key", Annotated[str | None, KEY_HEADER], None),
        Parameter("prefer", Annotated[str | None, Header(description="wait=SECONDS, up to 30")], None),
        Parameter("validate", Annotated[bool, Query(description="Check it, and do nothing.")], False),
    ]
    return take(handle, parameters)
