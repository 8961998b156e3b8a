"""The access log: every command, sign-in and read of a tenant's data, as an event on `access-log`.

It is written before the answer goes out, and waited for: what is not in the log is not answered. What was
refused is there, too.
"""

from __future__ import annotations

import time
from uuid import uuid4

from fastapi import Request

from pipeline.domain.kernel import events as ev
from pipeline.gateway.identity.principal import EVERY_TENANT
from pipeline.gateway.log.writer import Writer
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.topics import ACCESS_LOG

TARGET_CHARS_MAX = 500
REASON_CHARS_MAX = 256
REASON_HEADER = "Ledgerflow-Reason"


class AccessLog:
    """Writes what was asked for."""

    def __init__(self, writer: Writer, codec: Codec) -> None:
        self._writer, self._codec = writer, codec

    async def record(
        self,
        request: Request,
        actor: ev.Actor | None,
        tenant: str,
        permission: str,
        status: int,
        code: str = "ok",
        request_id: str | None = None,
    ) -> None:
        """Write an access and wait until it is in the log. Raises Problem 503."""
        event_id = str(uuid4())
        named = request_id or event_id
        reason = request.headers.get(REASON_HEADER)
        event = ev.AccessRecorded(
            event_id=event_id,
            tenant_id=tenant,
            occurred_at=time.time_ns() // 1_000,
            correlation_id=named,
            causation_id=None,
            request_id=named,
            permission=permission,
            method=request.method,
            target=request.url.path[:TARGET_CHARS_MAX],
            status=status,
            code=code,
            address="" if request.client is None else request.client.host,
            reason=None if reason is None else reason[:REASON_CHARS_MAX],
            actor=actor,
        )
        (value,) = self._codec.encode([event])
        await self._writer.write_value(ACCESS_LOG, f"{tenant}/{named}".encode(), bytes(value))

    async def record_visit(
        self, request: Request, actor: ev.Actor | None, permission: str, status: int, code: str
    ) -> None:
        """Write a sign-in or what else is of no tenant, under EVERY_TENANT. Raises Problem 503."""
        await self.record(request, actor, EVERY_TENANT, permission, status, code)
