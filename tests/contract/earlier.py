"""What an earlier commit wrote: its topics and its tables, kept so that today's code is started on them.

    python -m tests.contract.earlier COMMIT DATA_DIR

packs a running stack of that commit into `written_by/COMMIT` (how to get one: tests/contract/README.md):

    topics.msgpack.xz   the committed records of every topic, changelogs among them; the schemas by their ids
    tables.tar.xz       the newest snapshot: the RocksDB folder of each table partition, and the manifest
    tenants.toml        what its tenants were allowed (put there by hand)

The snapshot must be older than the last events: the topics then say what the tables must become.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from pipeline.cli.endpoints import FILE_NAME
from pipeline.runtime.manifests import MANIFEST

FOLDER = Path(__file__).parent / "written_by"
TOPICS_FILE, TABLES_FILE = "topics.msgpack.xz", "tables.tar.xz"
REQUEST_TIMEOUT_S = 30.0
CHANGELOG = re.compile("ledgerflow-(?P<table>.*)-changelog")

TablePartition = tuple[str, int]
"""A table and the number of its partition."""


class Record(msgspec.Struct, array_like=True, frozen=True):
    """A committed record of a topic."""

    offset: int
    timestamp: int
    """Milliseconds UTC."""
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Topics(msgspec.Struct):
    """What the topics of a cluster held."""

    schemas: dict[int, str]
    """The text of each schema that values were written with, by the registry's id."""
    records: dict[str, list[list[Record]]]
    """By topic and partition, in order."""


def commits() -> list[str]:
    """Return the commits of which something is kept."""
    return sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


@cache
def read_topics(commit: str) -> Topics:
    """Return the topics that a commit wrote."""
    packed = (FOLDER / commit / TOPICS_FILE).read_bytes()
    return msgspec.msgpack.decode(lzma.decompress(packed), type=Topics)


def tenants_file(commit: str) -> Path:
    """Return the file of tenants that a commit's workers had."""
    return FOLDER / commit / "tenants.toml"


def changelogs(
    commit: str, ends: Mapping[TablePartition, int] | None = None
) -> dict[TablePartition, dict[bytes, bytes]]:
    """Return the rows of each table partition, by its changelog, or by what is below `ends` in it."""
    found: dict[TablePartition, dict[bytes, bytes]] = {}
    for topic, partitions in read_topics(commit).records.items():
        name = CHANGELOG.fullmatch(topic)
        for partition, records in enumerate(partitions if name else []):
            assert name is not None
            place = name["table"], partition
            latest = {
                record.key: record.value
                for record in records
                if record.key is not None and (ends is None or record.offset < ends[place])
            }
            found[place] = {key: value for key, value in latest.items() if value is not None}
    return found


def unpack_tables(commit: str, folder: Path) -> Path:
    """Put the snapshot of a commit's tables into a folder; return where its manifest is."""
    with tarfile.open(FOLDER / commit / TABLES_FILE) as packed:
        packed.extractall(folder, filter="data")
    (manifest,) = folder.glob(f"*/{MANIFEST}")
    return manifest


def pack(commit: str, data_dir: Path) -> None:
    """Pack the topics and the newest snapshot of a running stack. What is kept already stays as it is."""
    endpoints = json.loads((data_dir / FILE_NAME).read_bytes())
    target = FOLDER / commit
    target.mkdir(parents=True)
    topics = Topics(_schemas(data_dir), _records(endpoints["bootstrap_servers"]))
    content = msgspec.msgpack.encode(topics)
    (target / TOPICS_FILE).write_bytes(lzma.compress(content, preset=9))
    snapshot = max((data_dir / "snapshots").iterdir())
    with tarfile.open(target / TABLES_FILE, "w:xz") as packed:
        for number, worker in enumerate(sorted(snapshot.iterdir())):
            packed.add(worker, f"worker-{number}", filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return an entry that does not say who packed it."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _schemas(data_dir: Path) -> dict[int, str]:
    """Return the schemas that the worker has seen, as it keeps them: a file for each id."""
    files = (data_dir / "schemas").glob("*.json")
    return {int(path.stem): json.loads(path.read_bytes())["schema"] for path in sorted(files)}


def _records(bootstrap_servers: str) -> dict[str, list[list[Record]]]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "earlier",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        topics = consumer.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        return {
            name: [_partition(consumer, name, number) for number in sorted(topic.partitions)]
            for name, topic in sorted(topics.items())
            if not name.startswith("_")
        }
    finally:
        consumer.close()


def _partition(consumer: Consumer, topic: str, partition: int) -> list[Record]:
    """Return a partition's committed records."""
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    found = []
    while True:
        message = consumer.poll(REQUEST_TIMEOUT_S)
        assert message is not None, f"{topic}-{partition}: no answer"
        if message.error() is not None:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            return found
        headers = message.headers() or []
        found.append(
            Record(message.offset(), message.timestamp()[1], message.key(), message.value(), headers)
        )


if __name__ == "__main__":
    pack(sys.argv[1], Path(sys.argv[2]))
