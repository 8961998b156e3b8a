"""What a request is called: ids and hash, all of which follow from who asks, the key and the content.

The same person or program with the same key in the same tenant has the same ids, at every gateway and after
every crash. So a gateway that is asked again may send the same events again: they have one effect.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import msgspec

from pipeline.gateway.identity.principal import Principal

NAMESPACE = uuid.UUID("0b9d2a5c-52a8-5c0e-8e0f-6f6a2b1f93d1")
KEY_CHARS_MAX = 255


def request_id(tenant: str, principal: Principal, key: str) -> str:
    """Return the id of a request: a UUIDv5 of tenant, principal and idempotency key."""
    return str(uuid.uuid5(NAMESPACE, "\0".join((tenant, principal.issuer, principal.subject, key))))


def derived(request: str, name: str) -> str:
    """Return the id of something that a request makes: an event, a payment."""
    return str(uuid.uuid5(NAMESPACE, f"{request}\0{name}"))


def content_hash(command: str, fields: dict[str, Any]) -> str:
    """Return the hash of what is asked for, 64 hexadecimal digits: SHA-256 of sorted JSON.

    `fields` are those that were given, in JSON's terms: a default that a later version changes, and the order
    in which a client writes them, change no hash.
    """
    text = msgspec.json.encode([command, fields], order="sorted")
    return hashlib.sha256(text).hexdigest()


def flaw_of_key(key: str) -> str | None:
    """Return what is wrong with an idempotency key, None for a good one."""
    if not 1 <= len(key) <= KEY_CHARS_MAX:
        return f"an idempotency key has 1 to {KEY_CHARS_MAX} characters"
    return (
        None if key.isascii() and key.isprintable() else "an idempotency key has printable ASCII characters"
    )
