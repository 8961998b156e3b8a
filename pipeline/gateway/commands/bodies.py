"""The bodies of commands as pydantic models: the fields of the event, without those that are not a client's.

They have the very types of `pipeline.events`, so what the gateway takes is what an upstream may produce.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from pipeline.domain.kernel.events import Actor
from pipeline.gateway.commands.catalogue import Command
from pipeline.gateway.commands.naming import derived
from pipeline.gateway.problems import Problem, shown
from pipeline.input_event import InputEvent


class Body(BaseModel):
    """A body; a field that there is not is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def body_of(command: Command) -> type[Body]:
    """Return the model of a command's body."""
    fields: dict[str, Any] = {}
    for name, field in command.event.model_fields.items():
        if name in command.hidden:
            continue
        kind: Any = field.rebuild_annotation()
        fields[name] = (kind | None, None) if name == command.made_id else (kind, field)
    title = "".join(part.capitalize() for part in command.path.replace("{", "").replace("}", "").split("/"))
    model: type[Body] = create_model(title.replace("_id", "Id").replace("-", ""), __base__=Body, **fields)
    return model


def given(body: BaseModel, path: dict[str, str]) -> dict[str, Any]:
    """Return what a client has said, in JSON's terms."""
    return {**body.model_dump(mode="json", exclude_unset=True), **path}


def event_of(
    command: Command, body: BaseModel, path: dict[str, str], tenant: str, request: str, actor: Actor
) -> InputEvent:
    """Return the event of a command. Raises Problem 422 where the event cannot be what is given."""
    fields = {name: getattr(body, name) for name in type(body).model_fields} | path | dict(command.fixed)
    if command.made_id is not None and fields[command.made_id] is None:
        fields[command.made_id] = derived(request, command.made_id)
    if command.by is not None:
        fields[command.by] = actor.subject
    if "actor" in command.event.model_fields:
        fields["actor"] = {name: getattr(actor, name) for name in actor.__struct_fields__}
    try:
        return command.event(
            event_id=request,
            tenant_id=tenant,
            occurred_at=datetime.now(UTC),
            correlation_id=request,
            **{name: _plain(value) for name, value in fields.items()},
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Problem(422, "invalid_command", shown(f"{place}: {first['msg']}")) from None


def _plain(value: Any) -> Any:
    """Return a value as the event's model takes it: parts as dictionaries."""
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, tuple | list):
        return tuple(map(_plain, value))
    return value.value if isinstance(value, Enum) else value
