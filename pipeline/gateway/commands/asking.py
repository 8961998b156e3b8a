"""Answers a request for commands: claimed first, then sent, then told, or waited for until it is decided.

may they? -> Idempotency-Key -> events -> claim -> first or repeat: send -> 202, or 200 once decided
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import Request, Response

from pipeline.domain.kernel.events import Actor
from pipeline.gateway.commands.catalogue import name_of
from pipeline.gateway.commands.decisions import Decision
from pipeline.gateway.commands.naming import flaw_of_key, request_id
from pipeline.gateway.commands.recalled import recalled
from pipeline.gateway.door import Door, Entry
from pipeline.gateway.problems import Problem, shown
from pipeline.input_event import InputEvent

WAIT_S_MAX = 30.0
_WAIT = re.compile(r"wait=([0-9]{1,3})").fullmatch
REPLAYED = "Idempotent-Replayed"


class Asked(NamedTuple):
    """What a client asks for in one request."""

    name: str
    """The name of the command: its permission."""
    tenant: str
    said: Mapping[str, Any]
    """All that was given, in JSON's terms: what is hashed."""
    events: Callable[[str, Actor], Sequence[InputEvent]]
    """Returns the events of the request of an id. Raises Problem 422."""
    told: tuple[str, ...]
    """Fields of the first event that the answer has."""


class Wanted(NamedTuple):
    """How a client wants it."""

    key: str | None
    prefer: str | None
    validate: bool


async def answer(door: Door, request: Request, asked: Asked, wanted: Wanted) -> Response:
    """Do what is asked for; return the answer. Raises Problem."""
    async with door.entered(request, asked.tenant, f"command:{asked.name}") as entry:
        seconds = _seconds(wanted.prefer)
        if wanted.key is None:
            raise Problem(400, "idempotency_key_missing", "send an Idempotency-Key: one for each command")
        if flaw := flaw_of_key(wanted.key):
            raise Problem(400, "invalid_idempotency_key", flaw)
        entry.request_id = named = request_id(asked.tenant, entry.principal, wanted.key)
        events = asked.events(named, entry.actor)
        for also in {name_of(type(event)) for event in events} - {asked.name}:
            entry.require_also(f"command:{also}")
        for event in events:
            entry.require_account(getattr(event, event.KEY_FIELD))
        content = await door.protection.hashed(events, asked.name, dict(asked.said))
        events = [await door.protection.protected(event) for event in events]
        if wanted.validate:
            return entry.json({"valid": True, "request_id": named, "content_hash": content})
        return await _do(door, asked, events, named, content, seconds, entry)


async def _do(
    door: Door,
    asked: Asked,
    events: Sequence[InputEvent],
    named: str,
    content: str,
    seconds: float,
    entry: Entry,
) -> Response:
    answered = await door.claims.claim(events, named, content)
    if answered.answer == "CONFLICT":
        raise Problem(
            409,
            "idempotency_key_reused",
            "this key was used for another command; nothing was done",
            request_id=named,
            content_hash=answered.content_hash,
        )
    if not answered.sent:
        await door.claims.send(events, named, content)
    decision = await door.decisions.within(named, seconds)
    if decision is None and answered.answer == "REPEATED":
        decision = await recalled(door, events[0])
    status = f"/v1/{asked.tenant}/requests/{named}"
    headers = {"Location": status}
    if answered.answer == "REPEATED":
        headers[REPLAYED] = "true"
    ids = {name: getattr(events[0], name) for name in asked.told}
    about = {"request_id": named, "content_hash": content, "status_url": status, **ids}
    return _told(asked, about, headers, decision, entry)


def _told(
    asked: Asked, about: dict[str, Any], headers: dict[str, str], decision: Decision | None, entry: Entry
) -> Response:
    if decision is None:
        return entry.json({**about, "state": "accepted"}, 202, headers)
    if decision.is_refusal:
        detail = f"{asked.name}: {decision.state}, {decision.code}"
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
