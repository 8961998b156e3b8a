"""Sign-ins, with step-ups, and sign-outs in the access log, granted or refused, before they are answered."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

from fastapi import Request

from pipeline.domain.kernel.events import Actor
from pipeline.gateway.problems import Outcome

SIGN_IN, SIGN_OUT = "sign-in", "sign-out"
FIRST_ADMINISTRATOR = "first-administrator"


class Record(Protocol):
    """Writes what somebody asked for, of no tenant of its own."""

    async def __call__(
        self, request: Request, actor: Actor | None, permission: str, status: int, code: str
    ) -> None:
        """Wait until it is written. Raises Problem 503."""


class Note:
    """What is known of a sign-in so far."""

    actor: Actor | None = None


@contextlib.asynccontextmanager
async def noted(record: Record, request: Request, permission: str) -> AsyncIterator[Note]:
    """Write down what is done inside, and how it ended. Raises Problem 503, and what is raised inside."""
    note, outcome = Note(), Outcome()
    try:
        with outcome:
            yield note
    finally:
        await record(request, note.actor, permission, outcome.status, outcome.code)


def actor_of(issuer: str, subject: str, session_id: str | None) -> Actor:
    """Return the actor of a person whose roles were not asked."""
    return Actor(issuer, subject, session_id, None, None)
