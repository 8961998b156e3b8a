"""A whole statement in one request: its lines and its end become events of one transaction.

    {account_id, statement_id, currency, opening, closing, closed_at, lines: [...]}
        -> statement_line, statement_line, ..., statement_closed

Lines are numbered from 1 in their order, and the end counts them, so that neither can be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, create_model

from pipeline import events as ev
from pipeline.domain.kernel.events import Actor
from pipeline.gateway.commands.asking import Asked
from pipeline.gateway.commands.bodies import Body, body_of, event_of, given
from pipeline.gateway.commands.catalogue import Command
from pipeline.gateway.commands.naming import derived
from pipeline.input_event import InputEvent

LINES_MAX = 999
"""With its end a statement has as many events as a request may have."""
_OF_STATEMENT = ("statement_id", "account_id", "currency")
_LINE = Command(
    "/statement", ev.StatementLine, fixed=tuple((name, None) for name in (*_OF_STATEMENT, "line_no"))
)
_END = Command("/statement", ev.StatementClosed, fixed=(("line_count", None),))

StatementPart: Any = create_model("StatementPart", __base__=body_of(_LINE))
_FIELDS: dict[str, Any] = {"lines": (Annotated[tuple[StatementPart, ...], Field(max_length=LINES_MAX)], ...)}
Statement: type[Body] = create_model("Statement", __base__=body_of(_END), **_FIELDS)


def asked(tenant: str, path: dict[str, str], body: Any) -> Asked:
    """Return what is asked for: all events of a statement."""

    def events(request: str, actor: Actor) -> Sequence[InputEvent]:
        shared = {name: getattr(body, name) for name in _OF_STATEMENT}
        found: list[InputEvent] = []
        for number, line in enumerate(body.lines, 1):
            of_line = _LINE._replace(fixed=(*shared.items(), ("line_no", number)))
            named = derived(request, f"line {number}")
            found.append(event_of(of_line, line, path, tenant, request, actor, named))
        of_end = _END._replace(fixed=(("line_count", len(body.lines)),))
        end = body.model_copy(update={"lines": None})
        return (*found, event_of(of_end, end, path, tenant, request, actor))

    return Asked("statement_closed", tenant, given(body, path), events, _OF_STATEMENT)
