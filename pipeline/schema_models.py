"""Writes the event classes from the newest schemas: `python -m pipeline.schema_models`.

pipeline/domain/kernel/events.py gets one msgspec Struct per event, for the streams. pipeline/events.py gets
one pydantic model per input event, for upstream systems in Python. A contract test fails while either is out
of date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import schemas
from schemas.compatibility import ENVELOPE
from schemas.topics import COMMANDS, Routing, routing, topics

INPUT_TOPICS = tuple(topic.name for topic in topics(planned=True) if topic.stage in COMMANDS)
FREE_IDS = (
    *("device_id", "session_id", "key_id", "proposal_id", "end_to_end_id", "correction_id", "line_id"),
)
"""Ids that never become part of a record's key, so they may contain any characters."""
STRICT_TEXTS = {
    **dict.fromkeys(
        ("currency", "creditor_currency", "base_currency", "quote_currency", "original_currency"), "Currency"
    ),
    "creditor_reference": "CreditorReference",
    **dict.fromkeys(("country", "countries"), "Country"),
    "scheme": "IdScheme",
    **dict.fromkeys(("issuer", "subject", "session_id", "key_id", "roles_version"), "ActorText"),
}
"""Types of texts with a fixed format, by the name of the field, or of the list that they are in."""
LINE_LENGTH = 110

HEADER = "# Written by `python -m pipeline.schema_models` from schemas/: do not edit.\n"

DOMAIN_OPENING = '''
"""The events as the domain sees them: one frozen Struct per event, newest version, fields in schema order.

Times are int microseconds UTC, dates int days since 1970-01-01, money int minor units, enums their symbols.
Where an event's records belong stands with its class, as its topic declares it: see `kernel.routing`.
`EVENTS` finds a class by its full Avro record name.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec
'''

INPUT_OPENING = '''
"""The input events as pydantic models, for upstream systems written in Python: newest version of each.

    event = PaymentInitiated(tenant_id="acme", payment_id="p-1", ...)
    producer.produce(event.TOPIC, key=event.key(), value=serializer(event.to_avro(), ...))

Money is int minor units, quantities and prices int units of 1e-8.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pipeline.input_event import (
    ActorText,
    Country,
    CreditorReference,
    Currency,
    Day,
    Flag,
    Id,
    IdScheme,
    InputEvent,
    InputPart,
    Int,
    Long,
    Metadata,
    Moment,
)
'''

PRIMITIVES = {"string": "str", "long": "int", "int": "int", "boolean": "bool", "null": "None"}


class Catalogue(NamedTuple):
    """The newest schema of every event, and the named types that they use, by short name."""

    events: dict[str, dict[str, Any]]
    """Class name -> record schema, in the catalogue's order."""
    enums: dict[str, dict[str, Any]]
    records: dict[str, dict[str, Any]]
    """Nested records such as FraudReason."""


def catalogue() -> Catalogue:
    """Read the newest schemas. Raises `ValueError` where two schemas define one name differently."""
    found = Catalogue({}, {}, {})
    for record_name in schemas.record_names():
        schema = json.loads(schemas.newest(record_name).text)
        found.events[class_name(record_name)] = schema
        for field in schema["fields"]:
            for named in _named_types(field["type"]):
                kept = found.enums if named["type"] == "enum" else found.records
                if kept.setdefault(named["name"], named) != named:
                    raise ValueError(f"{record_name}: another schema defines {named['name']} differently")
    return found


def class_name(record_name: str) -> str:
    """Return the name of a record's class: its short name, with `Outcome` added for outcomes."""
    namespace, _, name = record_name.rpartition(".")
    return f"{name}Outcome" if namespace == "ledgerflow.outcomes" else name


def _named_types(avro_type: Any) -> Iterator[dict[str, Any]]:
    """Yield the enums and nested records defined inside a field's type."""
    if isinstance(avro_type, list):
        for branch in avro_type:
            yield from _named_types(branch)
    elif isinstance(avro_type, dict):
        if avro_type["type"] in ("enum", "record"):
            yield avro_type
        yield from _named_types(avro_type.get("items"))
        for field in avro_type.get("fields", ()):
            yield from _named_types(field["type"])


def domain_type(avro_type: Any) -> str:
    """Return a field's annotation in the domain. Raises `KeyError` on a type that has none."""
    if isinstance(avro_type, str):
        return PRIMITIVES.get(avro_type) or avro_type.rpartition(".")[2]
    if isinstance(avro_type, list):
        return " | ".join(sorted(map(domain_type, avro_type), key=lambda name: name == "None"))
    match avro_type["type"]:
        case "array":
            return f"tuple[{domain_type(avro_type['items'])}, ...]"
        case "map":
            return f"dict[str, {domain_type(avro_type['values'])}]"
        case "record":
            return str(avro_type["name"])
        case "enum":
            return "str"
        case primitive:
            return PRIMITIVES[primitive]


def input_type(field: dict[str, Any]) -> str:
    """Return the annotation of a field in the input models. Raises `KeyError` on a type that has none."""
    name, avro_type = field["name"], field["type"]
    if isinstance(avro_type, list):
        branches = (input_type({"name": name, "type": branch}) for branch in avro_type)
        return " | ".join(sorted(branches, key=lambda branch: branch == "None"))
    if avro_type == "string":
        strict_id = name.endswith("_id") and name not in FREE_IDS
        return "Id" if strict_id else STRICT_TEXTS.get(name, "str")
    if isinstance(avro_type, str):
        return {"long": "Long", "int": "Int", "boolean": "Flag", "null": "None"}[avro_type]
    match avro_type["type"], avro_type.get("logicalType"):
        case "record", None:
            return str(avro_type["name"])
        case "array", None:
            return f"tuple[{input_type({'name': name, 'type': avro_type['items']})}, ...]"
        case "map", None:
            return "Metadata"
        case "enum", None:
            return str(avro_type["name"])
        case _, logical:
            return {"timestamp-micros": "Moment", "date": "Day"}[logical]


def input_default(field: dict[str, Any]) -> str:
    """Return ` = <default>` of a field in the input models, or nothing where the field is required."""
    if "default" not in field:
        return ""
    default = field["default"]
    if isinstance(field["type"], dict) and field["type"]["type"] == "enum":
        return f" = {field['type']['name']}.{default.upper()}"
    return f" = {tuple(default) if isinstance(default, list) else default!r}"


def _trailing_defaults(record: dict[str, Any]) -> list[str]:
    """Return ` = <default>` for the last fields of a record, which later versions have added."""
    fields = record["fields"]
    required = max((place for place, field in enumerate(fields) if "default" not in field), default=-1)
    return [
        f" = {_literal(field['default'])}" if place > required else "" for place, field in enumerate(fields)
    ]


def _literal(default: Any) -> str:
    """Return a default as source: strings in double quotes, lists as tuples."""
    if isinstance(default, str):
        return json.dumps(default)
    return repr(tuple(default) if isinstance(default, list) else default)


def literal_alias(enum: dict[str, Any]) -> str:
    """Return the source of a Literal alias that lists an enum's symbols."""
    symbols = [f'"{symbol}"' for symbol in enum["symbols"]]
    line = f"{enum['name']} = Literal[{', '.join(symbols)}]\n"
    if len(line) <= LINE_LENGTH + 1:
        return line
    return f"{enum['name']} = Literal[\n" + "".join(f"    {symbol},\n" for symbol in symbols) + "]\n"


def _routing_lines(route: Routing | None) -> list[str]:
    """Return the class attributes for the key and routing of an event; none if no stream reads it."""
    if route is None:
        return []
    lines = [f'    KEY_FIELD: ClassVar[str] = "{route.key}"\n']
    named = "".join(f'"{field}", ' for field in route.cause).rstrip()
    if len(route.cause) > 1:
        named = named.removesuffix(",")
    lines.append(f"    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ({named})\n")
    if route.broadcast:
        lines.append("    BROADCAST: ClassVar[bool] = True\n")
    if route.stays_on_branch:
        lines.append("    STAYS_ON_BRANCH: ClassVar[bool] = True\n")
    return [*lines, "\n"]


def domain_source() -> str:
    """Return the source of pipeline/domain/kernel/events.py (as ruff formats it)."""
    found = catalogue()
    parts = [HEADER.rstrip("\n") + DOMAIN_OPENING + "\n"]
    parts.extend(literal_alias(enum) for enum in found.enums.values())
    for name, record in (found.records | found.events).items():
        parts.append(f"\n\nclass {name}(msgspec.Struct, frozen=True, gc=False):\n")
        if "doc" in record:
            parts.append(f'    """{record["doc"]}"""\n\n')
        if name in found.events:
            parts.extend(_routing_lines(routing().get(f"{record['namespace']}.{record['name']}")))
        parts.extend(
            f"    {field['name']}: {domain_type(field['type'])}{default}\n"
            for field, default in zip(record["fields"], _trailing_defaults(record), strict=True)
        )
    parts.append("\n\nEVENTS: dict[str, type[msgspec.Struct]] = {\n")
    for name, record in found.events.items():
        parts.append(f'    "{record["namespace"]}.{record["name"]}": {name},\n')
    parts.append("}\n")
    return "".join(parts)


def input_source() -> str:
    """Return the source of pipeline/events.py (as ruff formats it)."""
    newest = [schemas.newest(name) for name in schemas.record_names()]
    inputs = {schema: json.loads(schema.text) for schema in newest if schema.topic in INPUT_TOPICS}
    named = [
        named
        for record in inputs.values()
        for field in record["fields"]
        for named in _named_types(field["type"])
    ]
    enums = {one["name"]: one for one in named if one["type"] == "enum"}
    records = {one["name"]: one for one in named if one["type"] == "record"}
    parts = [HEADER.rstrip("\n") + INPUT_OPENING]
    for name, enum in enums.items():
        parts.append(f"\n\nclass {name}(StrEnum):\n")
        parts.extend(f'    {symbol.upper()} = "{symbol}"\n' for symbol in enum["symbols"])
    for name, record in records.items():
        parts.append(f'\n\nclass {name}(InputPart):\n    """{record["doc"]}"""\n\n')
        for field in record["fields"]:
            parts.append(f"    {field['name']}: {input_type(field)}{input_default(field)}\n")
    for schema, record in inputs.items():
        parts.append(f'\n\nclass {record["name"]}(InputEvent):\n    """{record["doc"]}"""\n\n')
        parts.append(f'    TOPIC: ClassVar[str] = "{schema.topic}"\n')
        parts.append(f'    RECORD_NAME: ClassVar[str] = "{schema.record_name}"\n')
        parts.append(f'    KEY_FIELD: ClassVar[str] = "{routing()[schema.record_name].key}"\n\n')
        for field in record["fields"][len(ENVELOPE) :]:
            parts.append(f"    {field['name']}: {input_type(field)}{input_default(field)}\n")
    return "".join(parts)


def sources() -> dict[Path, str]:
    """Return the source of each generated file, by its path."""
    here = Path(__file__).parent
    return {here / "domain" / "kernel" / "events.py": domain_source(), here / "events.py": input_source()}


if __name__ == "__main__":
    for path, source in sources().items():
        path.write_text(source, "utf-8")
