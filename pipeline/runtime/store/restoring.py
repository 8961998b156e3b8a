"""Putting a snapshot into a worker's folder, once it is checked that the cluster can complete it.

    manifests, signed -> the newest copy of each partition -> compared with the cluster
    -> files copied and hashed -> renamed into the worker's tables
    -> when the worker starts, it reads the rest of the changelogs

It does no harm if the worker is assigned other partitions than were restored: the changelog is the truth, and
the offset in each database says how much of it the database contains.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from pipeline.runtime.kafka.answered import answered
from pipeline.runtime.kafka.log_ends import offsets_of
from pipeline.runtime.kafka.topic_ids import topic_ids
from pipeline.runtime.kafka.topics import REQUEST_TIMEOUT_S
from pipeline.runtime.manifests import Copy, SnapshotError, WorkerSnapshot
from pipeline.runtime.settings import ENV_PREFIX, Settings
from pipeline.runtime.signing import verified_content

DELETIONS_KEPT = "delete.retention.ms"
REBUILD = "start the worker without a snapshot, it reads the whole changelog then"
_STAGED = "restoring"

OnBytes = Callable[[int], None]
"""Called with the number of bytes copied since the last call."""


class Chosen(NamedTuple):
    """The copy of a partition that is restored."""

    part: WorkerSnapshot
    copy: Copy


class Changelog(NamedTuple):
    """What the cluster says of a changelog."""

    topic_id: str
    deletions_kept: timedelta
    """How long a compacted topic keeps the record that deletes a row."""
    offsets: Mapping[int, tuple[int, int]]
    """First and next offset, by partition."""


def choose(parts: Iterable[WorkerSnapshot], tables: frozenset[str] = frozenset()) -> list[Chosen]:
    """Return the newest copy of each partition of `tables` (empty: of all), in order."""
    newest: dict[tuple[str, int], Chosen] = {}
    for part in parts:
        for copy in part.manifest.copies:
            if tables and copy.table not in tables:
                continue
            known = newest.get((copy.table, copy.partition))
            if known is None or copy.changelog_offset > known.copy.changelog_offset:
                newest[copy.table, copy.partition] = Chosen(part, copy)
    return [newest[place] for place in sorted(newest)]


def ask_cluster(settings: Settings, copies: Sequence[Copy]) -> dict[str, Changelog]:
    """Return what the cluster says of the changelogs of copies; a topic that does not exist is left out.

    Raises KafkaException where Kafka does not answer.
    """
    admin = AdminClient({**settings.librdkafka(), "log_level": 0})
    there = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    topics = sorted({copy.changelog for copy in copies} & there.keys())
    ids = topic_ids(admin, topics)
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    configs = admin.describe_configs(resources, request_timeout=REQUEST_TIMEOUT_S) if topics else {}
    kept = {
        resource.name: int(answered(found, REQUEST_TIMEOUT_S)[DELETIONS_KEPT].value)
        for resource, found in configs.items()
    }
    consumer = Consumer({**settings.librdkafka(), "group.id": f"{settings.app_id}-restore", "log_level": 0})
    try:
        return {
            topic: Changelog(
                ids[topic],
                timedelta(milliseconds=kept[topic]),
                {
                    number: offsets_of(consumer, TopicPartition(topic, number), REQUEST_TIMEOUT_S)
                    for number in there[topic].partitions
                },
            )
            for topic in topics
        }
    finally:
        consumer.close()


def check(
    chosen: Sequence[Chosen], settings: Settings, cluster: Mapping[str, Changelog], now: datetime
) -> None:
    """Raises SnapshotError where a copy and the rest of its changelog would not make the table."""
    for part, copy in chosen:
        manifest, where = part.manifest, f"{copy.table}-{copy.partition}"
        if manifest.app_id != settings.app_id:
            raise SnapshotError(
                f"the snapshot is of {manifest.app_id}, not of {settings.app_id}: set {ENV_PREFIX}APP_ID"
            )
        if manifest.partitions != settings.partitions:
            raise SnapshotError(
                f"the snapshot has {manifest.partitions} partitions of each table, the settings say"
                f" {settings.partitions}: set {ENV_PREFIX}PARTITIONS"
            )
        changelog = cluster.get(copy.changelog)
        if changelog is None:
            raise SnapshotError(
                f"{settings.bootstrap_servers} has no topic {copy.changelog}: another cluster?"
            )
        if changelog.topic_id != copy.changelog_id:
            raise SnapshotError(
                f"{copy.changelog} is another topic than the one the snapshot is of, its offsets mean"
                f" something else: {REBUILD}"
            )
        first, end = changelog.offsets.get(copy.partition, (0, -1))
        if not first <= copy.changelog_offset <= end:
            raise SnapshotError(
                f"{where}: the snapshot goes up to offset {copy.changelog_offset}, the changelog has"
                f" {first} to {end}: {REBUILD}, or use a newer snapshot"
            )
        if copy.changelog_offset < end and now - manifest.taken_at > changelog.deletions_kept / 2:
            # Rows deleted since might not be known any more. Half, because the tail is still to be read.
            raise SnapshotError(
                f"{where}: the snapshot is of {manifest.taken_at:%Y-%m-%dT%H:%MZ}, and {copy.changelog} keeps"
                f" deletions for {changelog.deletions_kept} ({DELETIONS_KEPT}), of which half may pass:"
                f" deleted rows would come back. Use a newer snapshot, or {REBUILD}"
            )


def restore(chosen: Sequence[Chosen], tables: Path, *, replace: bool, on_bytes: OnBytes) -> None:
    """Copy databases into a worker's folder of tables; the caller has locked the worker's folder.

    `chosen`: of parts whose signature holds (`trusted_parts`). Everything is copied and
    checked before the first database is put in place. Raises SnapshotError where one exists already and
    `replace` is false, and where a file is not as the manifest describes it.
    """
    there = [copy.folder for _, copy in chosen if (tables / copy.folder).exists()]
    if there and not replace:
        raise SnapshotError(f"{tables} has {', '.join(there)} already: say --replace, or use another --data")
    staged = tables / _STAGED
    shutil.rmtree(staged, ignore_errors=True)
    try:
        for part, copy in chosen:
            _copy_files(part.folder / copy.folder, copy, staged / copy.folder, on_bytes)
        for _, copy in chosen:
            # In between it is missing: a crash there costs a recovery from the whole changelog.
            shutil.rmtree(tables / copy.folder, ignore_errors=True)
            (staged / copy.folder).rename(tables / copy.folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _copy_files(source: Path, copy: Copy, target: Path, on_bytes: OnBytes) -> None:
    """Copy a database, never as links: what is restored must not change the snapshot, nor the other way."""
    target.mkdir(parents=True)
    with ExitStack() as opened:
        name, output = "", None
        for file, piece in verified_content(source, copy):
            if file.name != name:
                opened.close()
                name, output = file.name, opened.enter_context((target / file.name).open("xb"))
            assert output is not None
            output.write(piece)
            on_bytes(len(piece))
