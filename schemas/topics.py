"""Declarations of topics: `schemas/<topic>/topic.toml`, beside the events of the topic.

    stage = "input"                       input (an upstream's), log (what a stream reads), output,
                                          reference (about parties: no stream's, other processes read it),
                                          operations (faults and what people decide about them: no stream's)
    written_by = "upstream"
    holds = "payment_initiated, payment_captured ..."
    compacted = false                     only the newest record of a key is needed
    sent_by_key = false                   a stream may write to another partition than its own
    broker_time = false                   records have the broker's time; of an input always so
    event_kib_max = 256                   of an input or reference: most KiB of an event
    planned = false                       its events are agreed on; no stream reads them yet, nobody makes it
    key = "debtor_account_id"             of every event that a stream reads, or another process by its key
    cause = ["debtor_account_id", "payment_id"]

    [events.payment_captured]             an event with other values
    cause = ["debtor_account_id", "payment_id", "capture_id"]

An event without `key` is read by no stream. The registered schemas contain none of this: it is how
Ledgerflow uses them, and it may change, while schemas may not.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

import schemas

FILE = "topic.toml"
STAGES = ("input", "log", "output", "reference", "operations")
COMMANDS = ("input", "reference")
"""Stages of topics whose events come from outside: upstreams, people, the gateway."""
EVENT_KIB_MAX = 256
"""Of an upstream's event, where its topic says nothing else."""


class Routing(msgspec.Struct, frozen=True):
    """The partition of an event's records, and what the ids of its effects are derived from."""

    key: str
    """The field that is the second part of the record's key, after the tenant."""
    cause: tuple[str, ...]
    """The fields that, between tenant and event id, identify the event as a cause."""
    broadcast: bool = False
    """Copied to every partition of a log, whatever its key is."""
    stays_on_branch: bool = False
    """Events about the ledger's internal accounts stay on the partition of their branch, whatever their
    key."""


class _Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str | None = None
    cause: tuple[str, ...] | None = None
    broadcast: bool = False
    stays_on_branch: bool = False


class _File(_Declared, frozen=True, forbid_unknown_fields=True, kw_only=True):
    stage: Literal["input", "log", "output", "reference", "operations"]
    written_by: str
    holds: str
    compacted: bool = False
    sent_by_key: bool = False
    broker_time: bool = False
    event_kib_max: int = EVENT_KIB_MAX
    planned: bool = False
    events: dict[str, _Declared] = {}


class Topic(msgspec.Struct, frozen=True):
    """One topic: who writes it, what it contains, how Kafka keeps it."""

    name: str
    stage: str
    """input, log, output, reference or operations."""
    written_by: str
    holds: str
    compacted: bool = False
    """Only the last record of a key is needed; earlier ones may be dropped, also within a transaction."""
    sent_by_key: bool = False
    """A stream sends records to the partition of their key, which may differ from the stream's own."""
    read: bool = False
    """Streams read it: an input, a log, or an output whose events have a key."""
    broker_time: bool = False
    """Its records have the broker's time (LogAppendTime), whatever the clock of their writer says."""
    event_kib_max: int = EVENT_KIB_MAX
    """Of an input or reference: most KiB of an event, before compression."""


@cache
def topics(planned: bool = False) -> tuple[Topic, ...]:
    """Return every declared topic: inputs first, then logs, outputs, reference, operations, each by name.

    `planned`: also those that are only agreed on. Raises ValueError as `_declared`.
    """
    found = [
        Topic(
            name,
            file.stage,
            file.written_by,
            file.holds,
            file.compacted,
            file.sent_by_key,
            _is_read(file),
            file.broker_time or file.stage == "input",
            file.event_kib_max,
        )
        for name, file in _declared().items()
        if planned or not file.planned
    ]
    return tuple(sorted(found, key=lambda topic: (STAGES.index(topic.stage), topic.name)))


@cache
def routing() -> dict[str, Routing]:
    """Return the routing of every event that a stream reads, by its full Avro record name.

    Raises ValueError as `_declared`, and for a declared event or field that no schema has.
    """
    routes = {}
    for name, file in _declared().items():
        known = {schema.event: schema for schema in schemas.load() if schema.topic == name}
        if unknown := sorted(set(file.events) - set(known)):
            raise ValueError(f"{name}/{FILE}: there is no event {unknown[0]}")
        for event, schema in known.items():
            route = _route(file, file.events.get(event, _Declared()))
            if route is None:
                continue
            fields = {field["name"] for field in msgspec.json.decode(schema.text)["fields"]}
            if missing := {route.key, *route.cause} - fields:
                raise ValueError(f"{name}/{FILE}: {event} has no field {min(missing)}")
            routes[schema.record_name] = route
    return routes


def _is_read(topic: _File) -> bool:
    keyed = any(one.key for one in (topic, *topic.events.values()))
    return topic.stage in ("input", "log") or (topic.stage == "output" and keyed)


def _route(topic: _Declared, event: _Declared) -> Routing | None:
    """Return the routing of an event: its own declaration, then its topic's; None if neither has a key."""
    key = event.key or topic.key
    if key is None:
        return None
    cause = event.cause or (topic.cause if event.key is None else None) or (key,)
    return Routing(
        key, cause, event.broadcast or topic.broadcast, event.stays_on_branch or topic.stays_on_branch
    )


@cache
def _declared() -> dict[str, _File]:
    """Read the declarations. Raises ValueError for an invalid or missing file."""
    found = {}
    for folder in files(schemas).iterdir():
        if not folder.is_dir() or folder.name.startswith(("_", ".")):
            continue
        try:
            found[folder.name] = msgspec.toml.decode(folder.joinpath(FILE).read_text("utf-8"), type=_File)
        except FileNotFoundError:
            raise ValueError(f"{folder.name}: a topic has a {FILE}") from None
        except msgspec.DecodeError as error:
            raise ValueError(f"{folder.name}/{FILE}: {error}") from None
    return found
