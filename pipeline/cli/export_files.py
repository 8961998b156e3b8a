"""The files of a tenant's export: the tenant's records, and a manifest to check that they are complete.

    topic, by partition -> key `tenant/...` -> event whose tenant_id says the same -> topic.event.id.avro
                                            -> no event: its place, size and hash  -> unreadable.avro
    balances            -> the latest of each account -> balances.csv        all of it -> manifest.json

A record belongs to the tenant if its key and its event both name it. A value that is no event names no
tenant, so only its topic, partition and offset are exported. Files are Avro object containers: compressed,
with their schema, and typed, so that readers keep 64-bit amounts. Two exports of the same offsets have the
same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pipeline.runtime.avro.check import container
from pipeline.runtime.avro.schema_limits import UnreadableSchema
from pipeline.runtime.escaping import csv_cell
from pipeline.verify.decode import HEAD_BYTES, Decoder, Event, SchemaOf
from pipeline.verify.log import Record

FORMAT = 1
MANIFEST, BALANCES_FILE, UNREADABLE = "manifest.json", "balances.csv", "unreadable.avro"
BALANCES = "balances"
PROGRESS_EVERY = 10_000
_CHUNK_BYTES = 2**20
_PLACE: list[Any] = [
    {"name": "partition", "type": "int"},
    {"name": "offset", "type": "long"},
    {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "key", "type": "string"},
    {
        "name": "headers",
        "type": {
            "type": "array",
            "items": {
                "type": "record",
                "name": "Header",
                "fields": [{"name": "name", "type": "string"}, {"name": "value", "type": "bytes"}],
            },
        },
    },
]
_BALANCE = (
    *("account_id", "account_type", "currency", "status", "balance_minor", "available_minor"),
    *("debits_pending", "debits_posted", "credits_pending", "credits_posted", "account_sequence"),
)


class ExportFile(NamedTuple):
    """An open file of an export."""

    target: BinaryIO
    writer: Any
    about: dict[str, Any]


class ExportFiles:
    """Writes the files of one tenant's export into an empty folder."""

    def __init__(self, tenant: str, folder: Path, schema_of: SchemaOf) -> None:
        self._tenant = tenant
        self._prefix = f"{tenant}/".encode()
        self._folder = folder
        self._schema_of = schema_of
        self._decoder = Decoder(schema_of)
        self._open: dict[str, ExportFile] = {}
        self._done: list[dict[str, Any]] = []
        self._counts: dict[str, Counter[str]] = {}
        self._schemas: dict[str, Any] = {}
        self._left_out: set[int] = set()
        self._balances = sqlite3.connect(
            folder / "balances.sqlite"
        )  # on disk: there may be any number of accounts
        self._balances.execute("CREATE TABLE balances (account_id TEXT PRIMARY KEY, row TEXT)")

    @property
    def records(self) -> int:
        """How many records were found."""
        return sum(counts["records"] for counts in self._counts.values())

    def take(self, record: Record) -> None:
        """Write a record if it belongs to the tenant."""
        counts = self._counts.setdefault(record.topic, Counter())
        if record.key is None or not record.key.startswith(self._prefix) or record.value is None:
            return
        event = self._decoder.decode(record.value)
        if event is None:
            counts["unreadable"] += 1
            self._unreadable(record)
        elif event.fields.get("tenant_id") != self._tenant:
            counts["of_another_tenant"] += 1  # sent with a key of this tenant
        elif not self._write(record, event, int.from_bytes(record.value[1:HEAD_BYTES], "big")):
            counts["unreadable"] += 1
            self._unreadable(record)
        else:
            counts["records"] += 1
            if record.topic == BALANCES and _is_balance(event):
                self._balance(event)

    def _write(self, record: Record, event: Event, schema_id: int) -> bool:
        """Write a record to the file of its event; return False where its schema cannot be in a file."""
        name = f"{record.topic}.{event.name}.{schema_id}.avro"
        if schema_id in self._left_out:
            return False
        if name not in self._open:
            schema = json.loads(self._schema_of(schema_id) or "")
            about = {"topic": record.topic, "event": event.name, "schema_id": schema_id}
            try:
                self._start(name, {"name": "event", "type": schema}, about)
            except UnreadableSchema:  # a foreign one that has types of the names that the file has
                self._left_out.add(schema_id)
                return False
            self._schemas[str(schema_id)] = schema
        self._append(name, record, event=event.fields)
        return True

    def _unreadable(self, record: Record) -> None:
        if UNREADABLE not in self._open:
            fields = [{"name": "topic", "type": "string"}, {"name": "bytes", "type": "long"}]
            self._start(UNREADABLE, *fields, {"name": "sha256", "type": "string"}, {})
        value = record.value or b""
        more = {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
        self._append(UNREADABLE, record, topic=record.topic, **more)

    def _start(self, name: str, *fields_and_about: dict[str, Any]) -> None:
        *fields, about = fields_and_about
        schema = {
            "type": "record",
            "name": "Exported",
            "namespace": "ledgerflow.export",
            "doc": f"Records of tenant {self._tenant}: place, key and headers in Kafka, and what they say.",
            "fields": [*_PLACE, *fields],
        }
        marker = hashlib.sha256(name.encode()).digest()[:16]
        target = (self._folder / name).open("xb")
        try:
            writer = container(target, schema, marker)
        except BaseException:
            target.close()
            (self._folder / name).unlink()
            raise
        self._open[name] = ExportFile(target, writer, {"name": name, **about, "records": 0})

    def _append(self, name: str, record: Record, **said: Any) -> None:
        assert record.key is not None
        headers = [{"name": header, "value": value} for header, value in record.headers.items()]
        place = {
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.recorded_at // 1000,
        }
        key = record.key.decode(errors="backslashreplace")
        file = self._open[name]
        file.writer.write({**place, "key": key, "headers": headers, **said})
        file.about["records"] += 1

    def _balance(self, event: Event) -> None:
        row = json.dumps([event.fields[name] for name in _BALANCE])
        self._balances.execute("REPLACE INTO balances VALUES (?, ?)", (event.fields["account_id"], row))

    def finish_topic(self) -> None:
        """Close the files of the topic that was read, so that few files are open at once."""
        for name in [name for name in self._open if name != UNREADABLE]:
            self._close(name)

    def _close(self, name: str) -> None:
        file = self._open.pop(name)
        with file.target:
            file.writer.flush()
            _sync(file.target)
        self._done.append(file.about)

    def finish(self, offsets: dict[str, dict[str, int]], more: dict[str, Any]) -> dict[str, Any]:
        """Write the balances and the manifest; return the manifest. `offsets`: end by topic, partition."""
        for name in list(self._open):
            self._close(name)
        totals = self._write_balances()
        names = [about.pop("name") for about in self._done]
        told = dict(zip(names, self._done, strict=True)) | {
            BALANCES_FILE: {"records": totals.pop("accounts")}
        }
        files = {
            name: {**about, **_size_and_hash(self._folder / name)} for name, about in sorted(told.items())
        }
        manifest = {
            "format": FORMAT,
            "tenant": self._tenant,
            **more,
            "records": self.records,
            "topics": {topic: {**self._counted(topic), "read_to": ends} for topic, ends in offsets.items()},
            "balances": totals,
            "files": files,
            "schemas": self._schemas,
        }
        with (self._folder / MANIFEST).open("xb") as target:
            target.write(json.dumps(manifest, indent=1).encode() + b"\n")
            _sync(target)
        return manifest

    def _counted(self, topic: str) -> dict[str, int]:
        counts = self._counts.get(topic, Counter())
        return {name: counts[name] for name in ("records", "unreadable", "of_another_tenant")}

    def _write_balances(self) -> dict[str, Any]:
        """Write the latest balance of each account; return how many, and the sums by currency."""
        accounts, sums = 0, Counter[str]()
        with (self._folder / BALANCES_FILE).open("x", newline="", encoding="utf-8") as target:
            writer = csv.writer(target)
            writer.writerow(_BALANCE)
            for row in self._latest():
                writer.writerow(map(csv_cell, row))
                accounts += 1
                sums[row[_BALANCE.index("currency")]] += row[_BALANCE.index("balance_minor")]
            _sync(target)
        self.close()
        (self._folder / "balances.sqlite").unlink()
        return {"accounts": accounts, "balance_minor": dict(sorted(sums.items()))}

    def _latest(self) -> Iterator[list[Any]]:
        with closing(self._balances.execute("SELECT row FROM balances ORDER BY account_id")) as found:
            for (row,) in found:
                yield json.loads(row)

    def close(self) -> None:
        """Close all open files. Without `finish` before, the files are not a valid export."""
        for file in self._open.values():
            file.target.close()
        self._balances.close()


def _is_balance(event: Event) -> bool:
    """Whether it has the fields of a balance: anyone may write an event of another schema."""
    fields = event.fields
    if not fields.keys() >= set(_BALANCE):
        return False
    texts, numbers = ([fields[name] for name in names] for names in (_BALANCE[:4], _BALANCE[4:]))
    return all(isinstance(text, str) for text in texts) and all(type(number) is int for number in numbers)


def _size_and_hash(path: Path) -> dict[str, Any]:
    """Return the size of a file, and the hash of its content."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _sync(target: Any) -> None:
    target.flush()
    os.fsync(target.fileno())
