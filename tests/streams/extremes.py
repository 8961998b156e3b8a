"""Events with a field at its limits: no stream may stop for one, and what it says of it must be readable.

Each event has ids of its own, so that none is a repeat: it must have an effect or be a dead letter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import structs

import schemas
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import record_key
from pipeline.runtime.streams import StreamSpec
from tests.ledger.branches import envelope
from tests.runtime.task_bench import PARTITIONS
from tests.streams.stream_bench import RECORD_NAMES, StreamBench, assert_replays

LIMITS: dict[str, list[Any]] = {
    "long": [2**63 - 1, -(2**63), 2**61, 0, -1],
    "int": [2**31 - 1, -(2**31), 0, -1],
    "string": ["", "\0", "a/b", "a\0b", "$clearing:EUR:0", "x" * 10_000, "\U0001f600"],
    "boolean": [True, False],
}
IDS = (
    *("payment_id", "leg_id", "trade_id", "instrument_id", "statement_id", "posting_id"),
    *("capture_id", "journal_id", "reversal_id", "period_id"),
)
ORDINARY: dict[str, Any] = {"long": 100, "int": 1, "string": "x", "boolean": True}


def extremes(kind: type) -> Iterator[Any]:
    """Yield events of a class: an ordinary one, then each field at each of its limits."""
    schema = json.loads(schemas.newest(RECORD_NAMES[kind]).text)
    fields = {field["name"]: _values(field["type"]) for field in schema["fields"]}
    limits = [(name, value) for name, values in fields.items() for value in values[1:]]
    for number, (name, value) in enumerate([("tenant_id", "acme"), *limits]):
        ordinary = {field: values[0] for field, values in fields.items()} | {"currency": "EUR"}
        own = {field: f"{field} {number}" for field in IDS} | envelope(f"event {number}")
        own["creditor_reference"] = None  # an ordinary word is none
        values = ordinary | own | {name: value}
        yield kind(**{field: values[field] for field in fields})


def _values(avro_type: Any) -> list[Any]:
    """Return an ordinary value of a type, then its limits."""
    match avro_type:
        case list():
            return [*_values(next(branch for branch in avro_type if branch != "null")), None]
        case {"type": "enum", "symbols": symbols}:
            return list(symbols)
        case {"type": "array", "items": {"name": "JournalLeg"}}:
            return _legs()
        case {"type": "array"}:
            return [()]
        case {"type": "record", "name": name, "fields": fields}:
            parts = {field["name"]: _values(field["type"]) for field in fields}
            ordinary = getattr(ev, name)(**{name: values[0] for name, values in parts.items()})
            changes = [{name: value} for name, values in parts.items() for value in values[1:]]
            return [ordinary, *(structs.replace(ordinary, **change) for change in changes)]
        case {"type": "map"}:
            return [{"x": "y"}, {}, *({text: text} for text in LIMITS["string"])]
        case {"type": name}:
            return _values(name)
    return [ORDINARY[avro_type], *LIMITS[avro_type]]


def _legs() -> list[Any]:
    """Return ordinary legs of a journal, then ones with a field of one leg at its limits."""
    debit = ev.JournalLeg(1, 0, "x", "DEBIT", 100, "EUR", "fee", 1)
    credit = ev.JournalLeg(2, 0, "y", "CREDIT", 100, "EUR")
    changes = [
        *({"leg_no": number} for number in LIMITS["int"]),
        *({"entry_no": number} for number in LIMITS["int"]),
        *({name: number} for name in ("amount_minor", "rate_e8") for number in LIMITS["long"]),
        *({name: text} for name in ("account_id", "currency", "purpose") for text in LIMITS["string"]),
        {"side": "CREDIT"},
    ]
    changed = [(structs.replace(debit, **change), credit) for change in changes]
    both = [(one, structs.replace(credit, amount_minor=one.amount_minor)) for one, _ in changed]
    return [(debit, credit), *changed, *both, (), (debit,), (debit,) * 101, tuple(changed[0]) * 60]


async def assert_extremes_pass(spec: StreamSpec, folder: Path, kinds: list[type]) -> None:
    """Apply the extremes of every class one by one; each must have its effect or be a dead letter.

    Then apply them in large batches, by columns where the stream has that: it must say the same of all.
    """
    benches = [StreamBench(spec, folder, number) for number in range(PARTITIONS)]
    try:
        for event in [event for kind in kinds for event in extremes(kind)]:
            bench = benches[partition_of(record_key(event), PARTITIONS)]
            step = await bench.step(bench.of(event))
            assert step.said or step.changed or step.dead is not None, event
        for bench in benches:
            await assert_replays(bench, folder / f"again-{bench.partition}")
    finally:
        for bench in benches:
            bench.close()
