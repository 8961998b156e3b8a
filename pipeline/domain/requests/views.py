"""What is shown of requests: what the first one of an id has asked for."""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.views import TENANT_PAGE, Row, Tables, TableView, ViewPage, time_text
from pipeline.domain.requests.rows import REQUEST_ROW, unpack_request

KEY = ("tenant_id", "request_id")


def _request(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    request = unpack_request(value)
    return {
        "tenant_id": key[0],
        "request_id": key[1],
        "state": "sent" if request.sent else "claimed",
        "claimed_at": time_text(request.claimed_at),
        "content_hash": request.content_hash,
        "commands": [msgspec.structs.asdict(one) for one in request.commands],
    }


REQUESTS = TableView(
    name="requests",
    table="requests",
    family=REQUEST_ROW.family,
    key=KEY,
    columns=(*KEY, "state", "claimed_at", "content_hash", "commands"),
    show=_request,
    pages=(
        ViewPage(TENANT_PAGE, "Requests of a tenant at the gateway"),
        ViewPage("/{tenant}/{request}", "One request: which commands, and whether they are in the log"),
    ),
    marker=REQUEST_ROW.family,
)
VIEWS = (REQUESTS,)
