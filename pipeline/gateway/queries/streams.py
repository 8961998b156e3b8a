"""The route of what the streams have said: a topic from a position on, of a tenant, an account or a payment.

    GET /v1/north/streams/postings?account=alice     the account's postings from the beginning, in their order
    GET /v1/north/streams/payment-events?from=0:120,1:33

What belongs to one account is in the order in which it was said; between partitions there is no order. To
append, send a command; those of accounts and journals may name the version that they expect
(`expected_sequence`).
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from pipeline.domain.kernel.events import EVENTS
from pipeline.gateway.door import Door
from pipeline.gateway.log.hearing import HEARD, Heard
from pipeline.gateway.log.past import Past, Wanted, position_of
from pipeline.gateway.parameters import ID
from pipeline.gateway.problems import Problem, responses

_FROM = "Where to begin, as `next` has it; by default at the beginning."
_NAMES = {kind: name.removeprefix("ledgerflow.") for name, kind in EVENTS.items()}


def router(door: Door, past: Past) -> APIRouter:
    """Return the route."""
    made = APIRouter()

    @made.get(
        "/v1/{tenant}/streams/{topic}",
        operation_id="read_stream",
        summary="What the streams have said, from a position on",
        tags=["streams"],
        responses=responses(400, 401, 403, 404, 410, 422, 429, 503),
    )
    async def read(
        request: Request,
        tenant: Annotated[str, Path(**ID)],
        topic: Annotated[str, Path(max_length=64)],
        account: Annotated[str | None, Query(**ID)] = None,
        payment: Annotated[str | None, Query(**ID)] = None,
        position: Annotated[
            str, Query(alias="from", max_length=10_000, description="As `next` has it.")
        ] = "",
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> Response:
        if topic not in HEARD:
            raise Problem(404, "no_such_topic", "there is no such topic to read")
        async with door.entered(request, tenant, f"live:{topic}") as entry:
            entry.require_account(account)
            wanted = Wanted(topic, tenant, account, payment)
            page = await past.page(wanted, position_of(position, past.partitions), limit)
            rows = []
            for said in page.said:
                event = door.hearing.decoded(Heard(0, *said))
                if event is None or (payment is not None and getattr(event, "payment_id", None) != payment):
                    continue
                row = entry.masked(topic, msgspec.to_builtins(event))
                place = {"partition": said.partition, "offset": said.offset}
                rows.append({**place, "event": _NAMES[type(event)], "data": row})
            named = {"account": account, "payment": payment, "limit": str(limit), "from": page.position}
            asked = urlencode({name: value for name, value in named.items() if value})
            content = {"data": rows, "next": f"{request.url.path}?{asked}", "meta": {"at_end": page.at_end}}
            return entry.json(content)

    return made
