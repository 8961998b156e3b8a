"""Many commands in one request: each is claimed, sent and answered by itself, as if it had come alone.

{"commands": [{"path": "/payments", "key": "...", "body": {...}}, ...]}
    -> {"answers": [{"status": 202, "body": {...}}, ...]}
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from fastapi import Body, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.gateway import problems
from pipeline.gateway.commands.asking import Asked, Wanted, answer
from pipeline.gateway.door import Door
from pipeline.gateway.parameters import ID
from pipeline.gateway.problems import Problem, shown

COMMANDS_MAX = 100
AT_ONCE = 20
"""Commands of one request that are under way at a time."""
Ask = Callable[[str, dict[str, str], Any], Asked]
"""Tenant, path and body -> what is asked for."""
Commands = Mapping[str, tuple[type[BaseModel], Ask]]
_ID = TypeAdapter(Annotated[str, Field(**ID)])


class Item(BaseModel):
    """One command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, Field(max_length=2_000, description="Below the tenant, such as /payments.")]
    key: Annotated[str, Field(max_length=255, description="Its Idempotency-Key.")]
    body: dict[str, Any]


class Bulk(BaseModel):
    """Commands, in no order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    commands: Annotated[tuple[Item, ...], Field(min_length=1, max_length=COMMANDS_MAX)]


class Answered(BaseModel):
    """The answer to one command."""

    status: int
    body: dict[str, Any]


class Answers(BaseModel):
    """The answers, in the order of the commands."""

    answers: list[Answered]


def endpoint(door: Door, commands: Commands) -> Callable[..., Any]:
    """Return the handler of the route. `commands`: by their paths, with their bodies."""
    routes = [(_pattern(path), *known) for path, known in commands.items()]

    async def bulk(
        request: Request,
        tenant: Annotated[str, Path(**ID)],
        body: Annotated[Bulk, Body()],
        prefer: Annotated[str | None, Header(description="wait=SECONDS, up to 30")] = None,
        validate: Annotated[bool, Query(description="Check them, and do nothing.")] = False,
    ) -> Answers:
        await door.who(request)
        places = asyncio.Semaphore(AT_ONCE)

        async def one(item: Item) -> Answered:
            async with places:
                try:
                    asked = _asked(routes, tenant, item)
                    told = await answer(door, request, asked, Wanted(item.key, prefer, validate))
                except Problem as problem:
                    told = problems.answer(problem, f"/v1/{tenant}{item.path}")
            return Answered(status=told.status_code, body=msgspec.json.decode(told.body))

        return Answers(answers=list(await asyncio.gather(*map(one, body.commands))))

    return bulk


def _pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of a path with its parts by name."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))


def _asked(routes: Sequence[tuple[re.Pattern[str], type[BaseModel], Ask]], tenant: str, item: Item) -> Asked:
    """Return what an item asks for. Raises Problem 404, 422."""
    for pattern, model, ask in routes:
        found = pattern.fullmatch(item.path)
        if found is None:
            continue
        try:
            parts = {name: _ID.validate_python(unquote(part)) for name, part in found.groupdict().items()}
            return ask(tenant, parts, model.model_validate_json(msgspec.json.encode(item.body)))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "path"
            raise Problem(422, "invalid_request", shown(f"{place}: {first['msg']}")) from None
    raise Problem(404, "unknown_command", shown(f"there is no command {item.path}"))
