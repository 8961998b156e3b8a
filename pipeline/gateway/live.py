"""Live events by server-sent events: what the streams say from now on, of one tenant.

    GET /v1/{tenant}/live/{topic}?account=alice     id: the gateway's number of the record, and its place

`Last-Event-ID` goes on where a connection broke off, as far as the ring reaches. Where it does not, and at
another gateway, an event `gap` says so: read the views again. A connection is closed within 5 s when its
credential ends, is revoked or loses its role.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import StreamingResponse

from pipeline.domain.kernel.events import EVENTS
from pipeline.gateway.door import Door, Entry
from pipeline.gateway.log.hearing import HEARD, Heard, TooManyListeners
from pipeline.gateway.parameters import ID
from pipeline.gateway.problems import Problem, responses

CONNECTIONS_MAX = 1_000
BEHIND_MAX = 5_000
"""Records that may wait for a slow client; more are a gap."""
CHECKED_EVERY_S = 4.0
"""How often the credential is looked up again; a comment shows that the connection lives."""
_NAMES = {kind: name.removeprefix("ledgerflow.") for name, kind in EVENTS.items()}


class _Follower:
    """One connection."""

    def __init__(
        self, door: Door, entry: Entry, topic: str, account: str | None, payment: str | None
    ) -> None:
        self._door, self._entry, self._topic = door, entry, topic
        self._prefix = f"{entry.tenant}/" if account is None else f"{entry.tenant}/{account}"
        self._whole, self._account = account is not None, account
        self._payment = payment
        self._waiting: deque[Heard] = deque()
        self._come = asyncio.Event()
        self._lost = False

    def __call__(self, heard: Heard) -> None:
        if not self._fits(heard):
            return
        if len(self._waiting) >= BEHIND_MAX:
            self._waiting.clear()
            self._lost = True
        self._waiting.append(heard)
        self._come.set()

    def _fits(self, heard: Heard) -> bool:
        if heard.topic != self._topic or not heard.key.startswith(self._prefix):
            return False
        if self._whole and heard.key[len(self._prefix) :][:1] not in ("", "/"):
            return False
        return self._payment is None or self._payment.encode() in heard.value

    async def lines(self, last: str | None) -> AsyncIterator[bytes]:
        """Yield the stream's bytes until the credential ends."""
        ring = self._door.hearing.ring
        if last is not None:
            missed = ring.since(int(last.partition("-")[0])) if last.partition("-")[2] == self._mark else None
            self._lost = missed is None
            for heard in missed or ():
                self(heard)
        with ring.listening(self):
            checked_at = time.monotonic()
            while time.time_ns() // 1_000 < self._entry.principal.expires_at:
                if time.monotonic() - checked_at >= CHECKED_EVERY_S:
                    if not await self._entry.is_still_allowed(self._account):
                        return
                    checked_at = time.monotonic()
                if self._lost:
                    self._lost = False
                    yield b"event: gap\ndata: {}\n\n"
                while self._waiting and time.monotonic() - checked_at < CHECKED_EVERY_S:
                    said = self._said(self._waiting.popleft())
                    if said is not None:
                        yield said
                if not self._waiting and not await self._has_come():
                    yield b": alive\n\n"

    async def _has_come(self) -> bool:
        """Wait for a record, and not for longer than until the next check; return whether one has come."""
        self._come.clear()
        try:
            await asyncio.wait_for(self._come.wait(), CHECKED_EVERY_S)
        except TimeoutError:
            return False
        return True

    @property
    def _mark(self) -> str:
        """Names this gateway's count: that of another one, or of one before a restart, is another."""
        return self._door.name

    def _said(self, heard: Heard) -> bytes | None:
        event = self._door.hearing.decoded(heard)
        if event is None or (
            self._payment is not None and getattr(event, "payment_id", None) != self._payment
        ):
            return None
        row = self._entry.masked(self._topic, msgspec.to_builtins(event))
        place = {"topic": heard.topic, "partition": heard.partition, "offset": heard.offset}
        data = msgspec.json.encode({**place, "event": _NAMES[type(event)], "data": row})
        return b"id: %d-%s\nevent: %s\ndata: %s\n\n" % (
            heard.number, self._mark.encode(), heard.topic.encode(), data,
        )  # fmt: skip


def router(door: Door) -> APIRouter:
    """Return the route of live events."""
    made = APIRouter()
    connections = 0

    @made.get(
        "/v1/{tenant}/live/{topic}",
        operation_id="follow",
        summary="What the streams say from now on, as server-sent events",
        tags=["live"],
        response_class=StreamingResponse,
        responses={
            200: {"content": {"text/event-stream": {}}},
            **responses(400, 401, 403, 404, 422, 429, 503),
        },
    )
    async def follow(
        request: Request,
        tenant: Annotated[str, Path(**ID)],
        topic: Annotated[str, Path(max_length=64)],
        account: Annotated[str | None, Query(**ID)] = None,
        payment: Annotated[str | None, Query(**ID)] = None,
        last_event_id: Annotated[
            str | None, Header(alias="Last-Event-ID", pattern=r"^[0-9]{1,15}-[0-9a-f]{8}$")
        ] = None,
    ) -> StreamingResponse:
        if topic not in HEARD:
            raise Problem(404, "no_such_topic", "there is no such topic to follow")
        async with door.entered(request, tenant, f"live:{topic}") as entry:
            entry.require_account(account)
            if connections >= CONNECTIONS_MAX:
                raise Problem(503, "too_busy", "too many live connections", {"Retry-After": "5"})
            follower = _Follower(door, entry, topic, account, payment)
            stream = counted(follower.lines(last_event_id))
            return StreamingResponse(
                stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
            )

    async def counted(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        nonlocal connections
        connections += 1
        try:
            async for line in lines:
                yield line
        except TooManyListeners:
            yield b"event: gap\ndata: {}\n\n"
        finally:
            connections -= 1

    return made
