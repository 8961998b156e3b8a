"""What a proposed command says, and the hash that names it.

The content is every field of the command that is not null, but for the envelope and the actor: who sends it,
and when, is not what is done. Nulls are left out at every depth, so that a field that a later version adds
changes no hash. The hash is SHA-256 of a bencoded dictionary (BEP 3): `command`, `tenant_id` and the fields.
Bencoding has one form for each content, and libraries in every language.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev

OUTSIDE = ("event_id", "tenant_id", "occurred_at", "correlation_id", "causation_id", "actor")
"""The fields of a command that are not its content."""


def content_of(event: Any) -> dict[str, Any]:
    """Return the content of a command, in the order of the fields' names."""
    said: dict[str, Any] = _without_nulls(msgspec.to_builtins(event))
    return {name: value for name, value in said.items() if name not in OUTSIDE}


def content_hash(tenant_id: str, command: str, content: dict[str, Any]) -> str:
    """Return the hash that names a content: 64 hexadecimal digits, lower case."""
    return hashlib.sha256(_bencode({**content, "command": command, "tenant_id": tenant_id})).hexdigest()


def command_of(
    kind: type, content: dict[str, Any], event_id: str, correlation_id: str, approval: Any, actor: ev.Actor
) -> Any:
    """Return a proposed command as it comes when it is approved: with the approval's time and tenant."""
    outside = {
        "event_id": event_id,
        "tenant_id": approval.tenant_id,
        "occurred_at": approval.occurred_at,
        "correlation_id": correlation_id,
        "causation_id": approval.event_id,
    }
    needed = {field.name for field in msgspec.structs.fields(kind) if field.required}
    said = {**dict.fromkeys(needed), **content, **outside}
    return msgspec.structs.replace(msgspec.convert(said, kind), actor=actor)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in sorted(value.items()) if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list | tuple) else value


def _bencode(value: Any) -> bytes:
    if isinstance(value, dict):
        pairs = sorted((name.encode(), _bencode(one)) for name, one in value.items())
        return b"d" + b"".join(_bencode_text(name) + one for name, one in pairs) + b"e"
    if isinstance(value, list):
        return b"l" + b"".join(map(_bencode, value)) + b"e"
    return _bencode_text(value.encode()) if isinstance(value, str) else b"i%de" % value


def _bencode_text(text: bytes) -> bytes:
    return b"%d:%s" % (len(text), text)
