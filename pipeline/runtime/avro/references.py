"""Schemas that refer to others, as Apicurio's serde registers them: completed, so that a schema is one text.

    GET /schemas/ids/{id} -> references -> GET /subjects/{subject}/versions/{version} -> theirs -> one schema

Bounded in number and depth; what goes in a circle is asked for once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from pipeline.runtime.avro.schema_limits import (
    NO_EVENT,
    SCHEMA_BYTES_MAX,
    TOO_LARGE,
    UnreadableSchema,
    read_schema,
)

REFERENCES_MAX = 50
REFERENCES_DEPTH_MAX = 8

GROUP_HEADER = "X-Registry-GroupId"
"""Apicurio's; other registries ignore it."""

NOT_FOUND = (40401, 40402, 40403)
"""The registry's codes for no such subject, version or schema. A 404 without one is a proxy's: no answer."""


def is_not_found(error: Exception) -> bool:
    """Whether the registry itself says that it has no such thing."""
    return (
        isinstance(error, SchemaRegistryError)
        and error.http_status_code == 404
        and error.error_code in NOT_FOUND
    )


def text_of(client: SchemaRegistryClient, schema_id: int) -> str | None:
    """Return the schema of an id as JSON, complete; None where the registry has no such id.

    Raises UnreadableSchema where it is none that is read, and what the client does without an answer.
    """
    try:
        schema = client.get_schema(schema_id)
    except SchemaRegistryError as error:
        if is_not_found(error):
            return None
        raise
    return complete(client, schema)


def lookup(
    client: SchemaRegistryClient, failed: Callable[[Exception], Exception]
) -> Callable[[int], str | None]:
    """Return `text_of` as a function of the id; it raises what `failed` makes of the errors of the client."""

    def text_by_id(schema_id: int) -> str | None:
        try:
            return text_of(client, schema_id)
        except UnreadableSchema:
            raise
        except Exception as error:  # the client lets its HTTP library's errors through
            raise failed(error) from error

    return text_by_id


def complete(client: SchemaRegistryClient, schema: Schema) -> str:
    """Return a schema of the registry as JSON, with the types that it refers to; raises as `text_of`."""
    text = _avro(schema)
    if not schema.references:
        return text
    found: dict[tuple[str, int], str] = {}
    _follow(schema, partial(_version, client), found, 1)
    return json.dumps(read_schema(text, list(found.values())), separators=(",", ":"))


def _version(client: SchemaRegistryClient, subject: str, version: int, name: str) -> Schema:
    """Return a schema that another refers to by `name`; raises as the client.

    Apicurio's serde registers it in a group, the namespace of its name, which the client cannot ask for.
    """
    try:
        return client.get_version(subject, version).schema
    except SchemaRegistryError as error:
        group = name.rpartition(".")[0]
        if not is_not_found(error) or not group:
            raise
        rest = client._rest_client
        address = f"{rest.base_urls[0]}/subjects/{quote(subject, safe='')}/versions/{version}"
        answer = rest.session.get(address, headers={GROUP_HEADER: group})
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise
        answer.raise_for_status()
        return RegisteredSchema.from_dict(answer.json()).schema


def _follow(
    schema: Schema,
    version_of: Callable[[str, int, str], Schema],
    found: dict[tuple[str, int], str],
    depth: int,
) -> None:
    """Add the schemas that a schema refers to."""
    references: list[Any] = schema.references or []
    if references and depth > REFERENCES_DEPTH_MAX:
        raise UnreadableSchema(TOO_LARGE, f"references are nested more than {REFERENCES_DEPTH_MAX} deep")
    for reference in references:
        if not isinstance(reference.subject, str) or not isinstance(reference.version, int):
            raise UnreadableSchema(NO_EVENT, "the schema refers to one without naming it")
        place = reference.subject, reference.version
        if place in found:
            continue
        if len(found) == REFERENCES_MAX:
            raise UnreadableSchema(TOO_LARGE, f"the schema refers to more than {REFERENCES_MAX} others")
        try:
            referred = version_of(*place, str(reference.name))
        except SchemaRegistryError as error:
            if not is_not_found(error):
                raise
            raise UnreadableSchema(NO_EVENT, "the schema refers to one that is not in the registry") from None
        found[place] = _avro(referred)
        if sum(map(len, found.values())) > SCHEMA_BYTES_MAX:
            raise UnreadableSchema(TOO_LARGE, f"the schemas referred to have over {SCHEMA_BYTES_MAX} bytes")
        _follow(referred, version_of, found, depth + 1)


def _avro(schema: Schema) -> str:
    if schema.schema_type not in ("AVRO", None) or not schema.schema_str:
        raise UnreadableSchema(NO_EVENT, "not an Avro schema")
    return str(schema.schema_str)
