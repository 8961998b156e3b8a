"""Claims: a request is claimed in the log before any of its commands is sent.

    claim -> requests -> the requests stream -> request-results -> first, repeat, or conflict
    first, or a repeat that is not known to be sent -> the command -> its topic -> "sent" -> requests

The stream decides, so two gateways that are asked at once do not both send. A gateway that dies on the way
has said nothing to its client, who asks again, and is told that it is a repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pipeline import events
from pipeline.domain.kernel import events as ev
from pipeline.gateway.log.hearing import REQUEST_RESULTS, Heard, Hearing, TooManyListeners
from pipeline.gateway.log.writer import RETRY_AFTER_S, Writer, unavailable
from pipeline.gateway.problems import Problem
from pipeline.input_event import InputEvent

LOG = logging.getLogger(__name__)

ANSWERED_WITHIN_S = 10.0
"""How long the streams may take to say whether a request is the first of its id."""


class Claims:
    """Claims requests, and sends the commands of those that are accepted."""

    def __init__(self, writer: Writer, hearing: Hearing) -> None:
        self._writer, self._hearing = writer, hearing
        self._under_way: set[asyncio.Task[Any]] = set()

    async def claim(self, command: InputEvent, request: str, content: str) -> ev.RequestAnswered:
        """Claim a request of one command; return what the streams answer.

        Raises Problem 503 where the log or the streams do not answer; then it may have been claimed, and
        asking again with the same key is right.
        """
        claim = events.RequestClaimed(
            **self._about(command, request, content),
            commands=(
                events.RequestedCommand(
                    topic=command.TOPIC,
                    event=command.RECORD_NAME,
                    event_id=command.event_id,
                    key=command.key().decode(),
                ),
            ),
        )
        answered: asyncio.Future[ev.RequestAnswered] = asyncio.get_running_loop().create_future()

        def hear(heard: Heard) -> None:
            if heard.topic != REQUEST_RESULTS or answered.done():
                return
            event = self._hearing.decoded(heard)
            if type(event) is ev.RequestAnswered and event.causation_id == claim.event_id:
                answered.set_result(event)

        with self._listening(hear, claim.key().decode()):
            await self._writer.write(claim)
            try:
                return await asyncio.wait_for(answered, ANSWERED_WITHIN_S)
            except TimeoutError:
                raise unavailable("the streams do not answer now; ask again with the same key") from None

    async def send(self, command: InputEvent, request: str, content: str) -> None:
        """Send the command of a request, and say so in the log. Raises Problem 503."""
        await self._writer.write(command)
        self._later(self._writer.write(events.RequestSent(**self._about(command, request, content))))

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _about(self, command: InputEvent, request: str, content: str) -> dict[str, Any]:
        return {
            "event_id": str(uuid4()),
            "tenant_id": command.tenant_id,
            "occurred_at": datetime.now(UTC),
            "correlation_id": request,
            "request_id": request,
            "content_hash": content,
            "actor": getattr(command, "actor", None),
        }

    @contextlib.contextmanager
    def _listening(self, hear: Any, key: str) -> Any:
        try:
            with self._hearing.ring.listening(hear, key):
                yield
        except TooManyListeners:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            raise Problem(503, "too_busy", "too many requests wait for their answers", headers) from None

    def _later(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            LOG.warning("a request is not said to be sent, so a repeat sends it again: %s", task.exception())
