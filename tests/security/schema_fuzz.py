"""Random schemas against every reader of the product: `python -m tests.security.schema_fuzz COUNT SEED`.

A process of its own, so that a crash is seen as one. It prints what became of the schemas and their values,
as JSON. It fails where a reader raises, where the streams and the verifier differ about a value, or where a
schema takes longer than its bound.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.cli import export_files
from pipeline.cli.export_files import ExportFiles
from pipeline.cli.news import news_of, posting_line
from pipeline.cli.records import TopicRecord, as_json, as_line
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.framing import COLUMNS_MIN
from pipeline.runtime.avro.schema_limits import UnreadableSchema, read_schema
from pipeline.runtime.avro.writer_schemas import Unreadable, WriterSchema, examine, judged
from pipeline.verify.decode import Decoder
from pipeline.verify.log import Record
from tests.security.peak import peak_kb
from tests.security.random_schemas import text_of, value_of

SCHEMA_CPU_S_MAX = 3.0
"""Of one schema with all of its values and readers; most take milliseconds."""
MEMORY_MB_MAX = 1_500
TOPICS = ("payments", "balances", "fraud-alerts", "dead-letters", "journal-events")
TENANT = "ab"
"""What the made values have as text everywhere."""
HEAD = b"\0\0\0\0\1"


class OneSchema:
    """A registry that has one schema, for a codec."""

    def __init__(self, found: WriterSchema | Unreadable) -> None:
        self._found = found

    def schema_of(self, schema_id: int) -> WriterSchema | Unreadable:
        """Return the schema."""
        return self._found


class Fuzz:
    """One run."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.slowest_s, self.slowest = 0.0, ""

    def schema(self, folder: Path) -> None:
        """Make one schema and some values of it, and have all readers read them."""
        kind, text = text_of(self._chance)
        started = time.process_time()  # the machine may be busy
        found = examine(text)
        self.counts[f"schema {kind}: {found.code if isinstance(found, Unreadable) else 'read'}"] += 1
        try:
            complete = read_schema(text)
        except UnreadableSchema:
            complete = json.loads(text) if kind != "no JSON" else None
        values = [HEAD + value_of(complete, self._chance) for _ in range(3)]
        self._streams(found, text, values)
        self._people(text, values, folder)
        took = time.process_time() - started
        if took > self.slowest_s:
            self.slowest_s, self.slowest = took, text[-150:]
        assert took < SCHEMA_CPU_S_MAX, f"{took:.1f} s: {text[:500]}"

    def _streams(self, found: WriterSchema | Unreadable, text: str, values: list[bytes]) -> None:
        """Read values as the streams do, one by one and in columns, and as the verifier does."""
        codec = Codec(OneSchema(found))  # type: ignore[arg-type]
        decoded = codec.decode(values)
        copies = COLUMNS_MIN if isinstance(found, WriterSchema) and found.known else 2
        assert codec.decode(values * copies).events == decoded.events * copies
        verifier = Decoder(lambda _: text, judged)
        for index, value in enumerate(values):
            code = verifier.read(value)[2]
            dead = decoded.dead.get(index)
            assert (dead and dead.code) == code, f"streams say {dead}, the verifier {code}: {text[:500]}"
            self.counts[f"value: {code or 'an event'}"] += 1

    def _people(self, text: str, values: list[bytes], folder: Path) -> None:
        """Read values as `up`, tail and export do."""
        decoder, records = Decoder(lambda _: text), []
        for offset, value in enumerate(values):
            event = decoder.decode(value)
            for topic in TOPICS:
                record = TopicRecord(topic, 0, offset, 0, b"north/a", value, [])
                told = news_of(record, event)
                assert told is None or told.text.isprintable(), told
            if event is not None and event.name == "PostingRecorded":
                assert posting_line(event).isprintable()
            line = as_line(record, event, lambda shown, _: shown)
            assert line.isprintable(), line[:300]
            json.dumps(as_json(record, event), default=repr)
            if event is not None:
                records.append(
                    Record(self._chance.choice(TOPICS), 0, offset, f"{TENANT}/a".encode(), value, {}, 0)
                )
        if records:
            self._export(text, records, folder)

    def _export(self, text: str, records: list[Record], folder: Path) -> None:
        """Export values that are events, as if they were of the tenant."""
        files = ExportFiles(TENANT, folder, lambda _: text)
        try:
            for record in records:
                files.take(record)
            self.counts["value: exported"] += files.records
            files.finish({}, {})
        finally:
            files.close()


def main() -> None:
    """Run."""
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    export_files._sync = lambda target: None  # what is tried is not the disk
    fuzz, started = Fuzz(seed), time.monotonic()
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            fuzz.schema(Path(folder))
    memory_mb = peak_kb() // 1024
    assert memory_mb < MEMORY_MB_MAX, f"{memory_mb} MB"
    told: dict[str, Any] = {"schemas": count, "seconds": round(time.monotonic() - started, 1)}
    told |= {
        "slowest_s": round(fuzz.slowest_s, 3),
        "slowest": fuzz.slowest,
        "memory_mb": memory_mb,
        **dict(sorted(fuzz.counts.items())),
    }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
