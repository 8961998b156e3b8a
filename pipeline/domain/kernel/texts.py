"""Bounds of what upstreams say in words of their own: who acts, and their metadata."""

from __future__ import annotations

import re
from typing import Any

from pipeline.domain.kernel.outbox import Reject

ACTOR_CHARS_MAX = 256
ENTRIES_MAX = 16
KEY_CHARS_MAX = 64
VALUE_CHARS_MAX = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search


def check_texts(event: Any) -> None:
    """Check the actor of an upstream's event, and its metadata where it can have any.

    Raises Reject (invalid_actor, invalid_metadata) for a text that is too short, too long or has a control
    character (U+0000 to U+001F, U+007F), and for more than ENTRIES_MAX entries.
    """
    actor = event.actor
    if actor is not None:
        for name in actor.__struct_fields__:
            if not _fits(getattr(actor, name), 1, ACTOR_CHARS_MAX):
                raise Reject("invalid_actor", name)
    metadata = getattr(event, "metadata", None)
    if metadata is None:
        return
    if len(metadata) > ENTRIES_MAX:
        raise Reject("invalid_metadata", f"{len(metadata)} entries, at most {ENTRIES_MAX}")
    for key, value in metadata.items():
        if not _fits(key, 1, KEY_CHARS_MAX):
            raise Reject("invalid_metadata", "a key")
        if not _fits(value, 0, VALUE_CHARS_MAX):
            raise Reject("invalid_metadata", "a value")


def _fits(text: str | None, chars_min: int, chars_max: int) -> bool:
    return text is None or (chars_min <= len(text) <= chars_max and _CONTROL(text) is None)
