"""Who acts, and metadata, for events of tests: which ones an event gets follows from its id."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec

from pipeline.domain.kernel import events as ev

ANNA = ev.Actor("https://id.example", "anna", session_id="s-1", roles_version="7")
PAYROLL = ev.Actor("https://id.example", "payroll", key_id="k-é")
ACTORS = (None, ANNA, None, PAYROLL, None)
LABELS: tuple[dict[str, str] | None, ...] = (None, None, {"order": "4711", "é": ""}, {})


def signature(event_id: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Return actor and metadata for an event, those of them that are among the names of its fields."""
    number = crc32(event_id.encode())
    found = {"actor": ACTORS[number % len(ACTORS)], "metadata": LABELS[number % len(LABELS)]}
    return {name: value for name, value in found.items() if name in names}


def signed(event: Any) -> Any:
    """Return an event with the actor and the metadata that follow from its id."""
    return msgspec.structs.replace(event, **signature(event.event_id, type(event).__struct_fields__))
