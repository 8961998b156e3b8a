"""Values whose schema id is not where it must be: which setting of their producer puts it there.

Read is Confluent's framing alone: a zero byte, the id in four bytes. Apicurio's serde and Confluent's can be
set to write ids of eight bytes, or into headers. A registry may give the same number out as another kind of
id, so such values are not guessed at: they are dead letters that say what to set.
"""

from __future__ import annotations

from collections.abc import Iterable

LONG_HEADER_BYTES = 9
"""A zero byte, and an id of eight bytes."""

_HEADERS = "apicurio.registry.headers.enabled=false"
IN_HEADERS = {
    "apicurio.value.globalId": _HEADERS,
    "apicurio.value.contentId": _HEADERS,
    "apicurio.value.contentHash": _HEADERS,
    "apicurio.value.artifactId": _HEADERS,
    "__value_schema_id": "value.schema.id.serializer="
    "io.confluent.kafka.serializers.schema.id.PrefixSchemaIdSerializer",
}
"""Names of headers that have an id -> the setting of the producer that puts it before the value."""
FOUR_BYTES = (
    "apicurio.registry.id-handler=io.apicurio.registry.serde.Default4ByteIdHandler and "
    "apicurio.registry.use-id=contentId (version 2: apicurio.registry.as-confluent=true)"
)


def remedy(value: bytes | None, headers: Iterable[tuple[str, object]]) -> str | None:
    """Return what to set where a value that could not be decoded has its schema id elsewhere; else None."""
    for name, _ in headers:
        if name in IN_HEADERS:
            return f"the schema id is in the header {name}: set {IN_HEADERS[name]}"
    # No registry gives out the id 0: it is the first half of an id of eight bytes.
    if value is not None and len(value) >= LONG_HEADER_BYTES and value[:5] == b"\0\0\0\0\0":
        return f"the schema id has eight bytes: set {FOUR_BYTES}"
    return None
