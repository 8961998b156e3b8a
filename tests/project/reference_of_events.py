"""The reference of events and codes, as Markdown: from the schemas and their catalogue of codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import schemas
from pipeline.domain.kernel.currencies import EXPONENTS, PUBLISHED
from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.routing import BROADCAST, KEY_FIELDS
from pipeline.runtime.kafka.topics import TOPICS
from schemas.break_action_codes import ACTION_CODES
from schemas.dead_letter_codes import DEAD_LETTERS
from schemas.fault_codes import FAULTS
from schemas.field_docs import FIELD_DOCS
from schemas.result_codes import RESULTS
from schemas.topics import Topic
from tests.project.markdown import table

ENVELOPE = 5
"""How many fields every event starts with."""
LONGER_KEYS = {"ClearingCounted": "hour", "PositionUpdated": "instrument_id"}
"""Events of compacted topics that have one more part in their key: one key, one row."""
WITHOUT_TENANT = {"FaultFound": "subject", "OperatorActed": "topic"}
"""Events that are about the cluster and not about a tenant: what their key names."""

_STAGES = {
    "input": "An input.",
    "log": "The log of a stream.",
    "output": "An output.",
    "operations": "About the cluster; no stream reads or writes it.",
}


def block() -> str:
    """Return every topic with its events and their fields."""
    fields = _any_event()["fields"]
    (actor,) = (branch for field in fields if field["name"] == "actor" for branch in field["type"][1:])
    parts = [
        *("Every event begins with the envelope:\n\n", _fields(fields[:ENVELOPE])),
        *("\nAn `Actor` has these fields:\n\n", _fields(actor["fields"])),
    ]
    for topic in TOPICS:
        parts.extend(_topic(topic))
    return "".join(parts)


def results_block() -> str:
    """Return the table of result codes."""
    rows = [
        (f"`{one.code}`", ", ".join(one.said_in), one.meaning, one.remedy)
        for one in sorted(RESULTS, key=lambda one: one.code)
    ]
    return table(("code", "said in", "meaning", "what to do"), rows)


def action_codes_block() -> str:
    """Return the table of the codes of refused actions on breaks."""
    rows = [(f"`{one.code}`", *one[1:]) for one in sorted(ACTION_CODES, key=lambda one: one.code)]
    return table(("code", "said of", "meaning", "what to do"), rows)


def dead_letters_block() -> str:
    """Return the table of the codes of dead letters."""
    rows = [(one.error_class, f"`{one.code}`", *one[2:]) for one in DEAD_LETTERS]
    return table(("class", "code", "said of", "meaning", "what to do"), rows)


def currencies_block() -> str:
    """Return the table of the currencies of accounts, by the decimals of their minor units."""
    rows = [
        (str(digits), ", ".join(sorted(code for code, found in EXPONENTS.items() if found == digits)))
        for digits in sorted(set(EXPONENTS.values()))
    ]
    return table(("decimals", f"active codes, as ISO published them on {PUBLISHED}"), rows)


def faults_block() -> str:
    """Return the table of the codes of faults."""
    return table(("code", "meaning", "what to do"), [(f"`{one.code}`", *one[1:]) for one in FAULTS])


def undocumented() -> dict[str, str]:
    """Return the fields whose schemas do not say what they mean, and one event that has it."""
    found: dict[str, str] = {}
    for name in schemas.record_names():
        for field in _all_fields(json.loads(schemas.newest(name).text)):
            if "doc" not in field:
                found[field["name"]] = name
    return found


def _any_event() -> dict[str, Any]:
    record: dict[str, Any] = json.loads(schemas.newest("ledgerflow.PaymentInitiated").text)
    return record


def _topic(topic: Topic) -> Iterator[str]:
    events = [name for name in schemas.record_names() if schemas.newest(name).topic == topic.name]
    kept = "the newest record of a key is kept" if topic.compacted else "all is kept"
    about = f"{_STAGES[topic.stage]} Holds {topic.holds.rstrip(' .')}."
    yield f"\n### {topic.name}\n\n{about} Written by {topic.written_by}; {kept}.\n"
    for name in events:
        newest = schemas.newest(name)
        record = json.loads(newest.text)
        versions = "version 1" if newest.version == 1 else f"versions 1 to {newest.version}"
        yield f"\n#### {newest.event} ({topic.name})\n\n"
        yield f"{record['doc']} `{name}`, {versions}; key {_key(name, record)}.\n\n"
        yield _fields(record["fields"][ENVELOPE:], _since(name))


def _key(name: str, record: dict[str, Any]) -> str:
    if record["name"] in WITHOUT_TENANT:
        return f"`/{WITHOUT_TENANT[record['name']]}`"
    kind = EVENTS[name]
    fields = [field["name"] for field in record["fields"]]
    names = "debtor_account_id", "account_id", "model_sha256", "request_id"
    second = KEY_FIELDS.get(kind) or next(one for one in names if one in fields)
    more = f"/{LONGER_KEYS[record['name']]}" if record["name"] in LONGER_KEYS else ""
    everywhere = ", copied to every partition" if kind in BROADCAST else ""
    return f"`tenant_id/{second}{more}`{everywhere}"


def _since(name: str) -> dict[str, int]:
    """Return the version that each field came with."""
    since: dict[str, int] = {}
    for schema in schemas.versions(name):
        for field in json.loads(schema.text)["fields"]:
            since.setdefault(field["name"], schema.version)
    return since


def _fields(fields: list[dict[str, Any]], since: dict[str, int] | None = None) -> str:
    if not fields:
        return "It has no more fields.\n"
    rows = []
    for field in fields:
        version = (since or {}).get(field["name"], 1)
        came = f" (since version {version})" if version > 1 else ""
        rows.append((f"`{field['name']}`", _type(field), f"{_doc(field)}{came}"))
        for part in _parts(field["type"]):
            rows.append((f"`{field['name']}[].{part['name']}`", _type(part), _doc(part)))
    return table(("field", "type", "meaning"), rows)


def _doc(field: dict[str, Any]) -> str:
    return str(field.get("doc") or FIELD_DOCS[field["name"]])


def _type(field: dict[str, Any]) -> str:
    text = _type_name(field["type"])
    if "default" in field and field["default"] is not None:
        text += f" = {json.dumps(field['default'])}"
    return text


def _type_name(avro: Any) -> str:
    if isinstance(avro, list):
        return " or ".join(sorted(map(_type_name, avro), key=lambda name: name == "null"))
    if isinstance(avro, str):
        return avro.rpartition(".")[2]
    if avro["type"] == "array":
        return f"list of {_type_name(avro['items'])}"
    if avro["type"] == "map":
        return f"map of {_type_name(avro['values'])}"
    if avro["type"] == "record":
        return str(avro["name"])
    if avro["type"] == "enum":
        return "ResultCode" if avro["name"] == "ResultCode" else ", ".join(avro["symbols"])
    return str(avro.get("logicalType", avro["type"]))


def _parts(avro: Any) -> list[dict[str, Any]]:
    """Return the fields of the records in a list, also in one that may be null."""
    if isinstance(avro, list):
        return [part for branch in avro for part in _parts(branch)]
    return _record_fields(avro.get("items") if isinstance(avro, dict) else None)


def _record_fields(avro: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = avro["fields"] if isinstance(avro, dict) and "fields" in avro else []
    return found


def _all_fields(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for field in record["fields"]:
        yield field
        yield from _parts(field["type"])
        if isinstance(field["type"], list):
            for branch in field["type"]:
                yield from _record_fields(branch)
