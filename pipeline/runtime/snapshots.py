"""Snapshots of tables: a copy of each partition's database, and a manifest that describes the copies.

    worker -> checkpoint of each partition (hard links) with its offsets, one after another
           -> SHA-256 of every file, ids of the changelog topics -> manifest.json -> folder renamed into place
           -> older snapshots of this worker deleted

    <snapshots_dir>/<name>/<worker>/manifest.json
                                    <table>-<partition>.rocks/...

A partition's copy is consistent by itself: rows and changelog offset reach RocksDB in one write, and nothing
is written between the checkpoint and the reading of the offsets, because both happen on the worker's loop.
A worker that starts from the copy reads the changelog from that offset (`restoring`). The rows contain the
effect of the log's events below the source offset and of no other, so a replay can be compared with them.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import msgspec
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from pipeline.runtime.assignments import Tasks
from pipeline.runtime.host import Host
from pipeline.runtime.kafka.topics import REQUEST_TIMEOUT_S, changelog_name
from pipeline.runtime.settings import Settings

FORMAT = 1
MANIFEST = "manifest.json"
NAME = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
"""A snapshot's name is the time it was requested, so names sort by age, and none can be a path."""
COMMAND_HEADER, COMMAND = "Ledgerflow-Command", "snapshot"
"""A request for a snapshot must have this header, which a page of another site cannot send."""
_PARTIAL = ".partial"


class SnapshotError(RuntimeError):
    """A snapshot cannot be taken or used. The text says why, and what to do."""


class File(msgspec.Struct, frozen=True):
    """A file of a copied database."""

    name: str
    size: int
    sha256: str


class Copy(msgspec.Struct, frozen=True):
    """The copy of one partition of a table."""

    table: str
    partition: int
    changelog: str
    changelog_id: str
    """Kafka's id of the topic: one that was deleted and made again has another, and other offsets."""
    changelog_offset: int
    """The next offset to read: the copy contains the changelog up to here."""
    source: str
    source_offset: int
    """The next offset of the stream's log: the rows contain the effect of all below, and of no other."""
    rows_about: int
    """RocksDB's estimate."""
    files: tuple[File, ...]

    @property
    def folder(self) -> str:
        """The name of the database's folder, as the worker has it in its tables' folder."""
        return folder_name(self.table, self.partition)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self.files)


class Manifest(msgspec.Struct, frozen=True):
    """What one worker copied."""

    format: int
    app_id: str
    ledgerflow: str
    """The version of the product that took it."""
    rules: str
    """The version of the rules that the worker was started with (`rules`)."""
    worker: str
    taken_at: datetime
    """When the first copy was made."""
    partitions: int
    """Of every table."""
    copies: tuple[Copy, ...]


class WorkerSnapshot(NamedTuple):
    """One worker's part of a snapshot: its manifest, and the folder that it is in."""

    folder: Path
    manifest: Manifest


def folder_name(table: str, partition: int) -> str:
    """Return the name of the folder of a partition's database."""
    return f"{table}-{partition}.rocks"


def new_name(now: datetime) -> str:
    """Return the name of a snapshot that is requested at a time (UTC)."""
    return now.strftime("%Y%m%dT%H%M%SZ")


def names(folder: Path) -> list[str]:
    """Return the names of the snapshots in a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if NAME.fullmatch(path.name) and path.is_dir())


def parts_of(snapshot: Path) -> list[WorkerSnapshot]:
    """Return each worker's part of a snapshot. Raises SnapshotError where a manifest is damaged."""
    found = []
    for path in sorted(snapshot.glob(f"*/{MANIFEST}")):
        if path.parent.suffix == _PARTIAL:
            continue
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SnapshotError(f"{path} is damaged ({error}): use another snapshot") from None
        if manifest.format != FORMAT:
            raise SnapshotError(
                f"{path} has format {manifest.format}, this version of Ledgerflow reads {FORMAT}"
            )
        found.append(WorkerSnapshot(path.parent, manifest))
    return found


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def topic_ids(admin: AdminClient, topics: Iterable[str]) -> dict[str, str]:
    """Return Kafka's ids of topics. Raises KafkaException."""
    wanted = sorted(set(topics))
    if not wanted:
        return {}
    asked = admin.describe_topics(TopicCollection(wanted), request_timeout=REQUEST_TIMEOUT_S)
    return {name: str(future.result().topic_id) for name, future in asked.items()}


class Snapshots:
    """Takes the snapshots of one worker. `take` runs on the worker's loop."""

    def __init__(self, host: Host, tasks: Tasks, settings: Settings, rules: str) -> None:
        """`rules`: the version of the rules that the worker was started with."""
        self._host = host
        self._tasks = tasks
        self._settings = settings
        self._rules = rules
        self._busy = False

    async def take(self, name: str, tables: frozenset[str]) -> Manifest:
        """Copy the partitions of `tables` (empty: of all) that the worker owns, and delete old snapshots.

        Raises SnapshotError for a bad name, where one is being taken or exists already, where partitions move
        meanwhile, and where Kafka does not answer; then what was copied is deleted.
        """
        if not NAME.fullmatch(name):
            raise SnapshotError(f"{name!r} is no name of a snapshot")
        if self._busy:
            raise SnapshotError("a snapshot is being taken already")
        self._busy = True
        try:
            return await self._take(name, tables)
        finally:
            self._busy = False

    async def _take(self, name: str, tables: frozenset[str]) -> Manifest:
        worker = self._host.transactional_id
        folder = self._settings.snapshots_dir / name / worker
        partial = folder.with_name(worker + _PARTIAL)
        if folder.exists():
            raise SnapshotError(f"there is a snapshot {name} already")
        taken_at = datetime.now(UTC)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            copies = await self._checkpoints(partial, tables)
            return await asyncio.to_thread(self._finish, partial, folder, taken_at, copies)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    async def _checkpoints(self, partial: Path, tables: frozenset[str]) -> list[Copy]:
        """Copy every partition, and let the streams run after each: a checkpoint takes some 30 ms."""
        running = self._tasks.running
        copies = []
        owned = [(task, machine) for task in running.values() for machine in task.machines]
        for task, machine in owned:
            table = machine.spec.table
            if table is None or (tables and table not in tables):
                continue
            if self._tasks.running is not running:
                raise SnapshotError("partitions moved while the snapshot was taken: take it again")
            store = self._host.store(table, task.partition)
            offset, rows_about = store.checkpoint(partial / folder_name(table, task.partition))
            copies.append(
                Copy(
                    table=table,
                    partition=task.partition,
                    changelog=changelog_name(self._host.group, table),
                    changelog_id="",
                    changelog_offset=offset,
                    source=machine.spec.source,
                    # A stream may have applied more than the others of its log, which are still behind it.
                    source_offset=max(task.committed or 0, machine.start),
                    rows_about=rows_about,
                    files=(),
                )
            )
            await asyncio.sleep(0)
        return copies

    def _finish(self, partial: Path, folder: Path, taken_at: datetime, copies: list[Copy]) -> Manifest:
        """Hash what was copied, write the manifest, make it a snapshot, delete older ones."""
        admin = AdminClient({**self._settings.librdkafka(), "log_level": 0})
        try:
            ids = topic_ids(admin, (copy.changelog for copy in copies))
        except KafkaException as error:
            raise SnapshotError(f"Kafka does not say which topics these are: {error.args[0].str()}") from None
        manifest = Manifest(
            format=FORMAT,
            app_id=self._host.group,
            ledgerflow=metadata.version("ledgerflow"),
            rules=self._rules,
            worker=folder.name,
            taken_at=taken_at,
            partitions=self._host.partitions,
            copies=tuple(_described(copy, partial / copy.folder, ids) for copy in copies),
        )
        (partial / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        partial.rename(folder)
        prune(self._settings.snapshots_dir, folder.name, self._settings.snapshots_keep)
        return manifest


def _described(copy: Copy, folder: Path, ids: Mapping[str, str]) -> Copy:
    files = sorted(folder.iterdir())
    return msgspec.structs.replace(
        copy,
        changelog_id=ids[copy.changelog],
        files=tuple(File(path.name, path.stat().st_size, sha256_of(path)) for path in files),
    )


def prune(snapshots: Path, worker: str, keep: int) -> None:
    """Delete all but a worker's newest snapshots, and its unfinished ones; others' stay."""
    for part in _older(snapshots, worker, keep):
        shutil.rmtree(part, ignore_errors=True)
        if not any(part.parent.iterdir()):
            part.parent.rmdir()


def _older(snapshots: Path, worker: str, keep: int) -> Iterator[Path]:
    whole = 0
    for name in reversed(names(snapshots)):
        part = snapshots / name / worker
        if (part / MANIFEST).exists():
            whole += 1
            if whole > keep:
                yield part
        partial = part.with_name(worker + _PARTIAL)
        if partial.exists():
            yield partial
