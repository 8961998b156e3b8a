"""Takes snapshots of a worker's tables: a copy of each partition's database, and a signed manifest.

    worker -> checkpoint of each partition (hard links) with its offsets, one after another
           -> SHA-256 of every file, ids of the changelog topics -> manifest, signed (`signing`)
           -> folder renamed into place -> older snapshots of this worker deleted

The worker names its snapshots itself, by its clock: who may ask for one could otherwise choose a name that
is newer than all that will come, and have the good ones deleted as older ones.

A partition's copy is consistent by itself: rows and changelog offset reach RocksDB in one write, and nothing
is written between the checkpoint and the reading of the offsets, because both happen on the worker's loop.
A worker that starts from the copy reads the changelog from that offset (`restoring`). The rows contain the
effect of the log's events below the source offset and of no other, so a replay can be compared with them.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import msgspec
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.runtime.assignments import Tasks
from pipeline.runtime.host import Host
from pipeline.runtime.kafka.topic_ids import topic_ids
from pipeline.runtime.kafka.topics import changelog_name
from pipeline.runtime.manifests import (
    FORMAT,
    MANIFEST,
    NAME,
    PARTIAL,
    Copy,
    File,
    Manifest,
    SnapshotError,
    folder_name,
    names,
)
from pipeline.runtime.private_files import private_directory
from pipeline.runtime.settings import Settings, SettingsError
from pipeline.runtime.signing import trusted_part, write_signature

TOKEN_HEADER = "Ledgerflow-Token"
"""A request for a snapshot must show the data directory's token in this header."""
_TIME = "%Y%m%dT%H%M%SZ"
SAME_SECOND_MAX = 1_000
JOINED_WITHIN = timedelta(minutes=15)
"""How long after its name's time another worker may add its part to a snapshot."""
CLOCKS_APART = timedelta(seconds=60)
"""How far the clocks of two machines may be apart."""


def _now() -> datetime:
    return datetime.now(UTC)


class Taken(NamedTuple):
    """A snapshot that was taken."""

    name: str
    manifest: Manifest


class _Good(NamedTuple):
    """A part of this worker that could be restored."""

    taken_at: datetime
    folder: Path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Snapshots:
    """Takes the snapshots of one worker. `take` runs on the worker's loop."""

    def __init__(
        self,
        host: Host,
        tasks: Tasks,
        settings: Settings,
        rules: str,
        *,
        key: bytes,
        token: bytes,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """`rules`: the version of the rules that the worker was started with. `key`: signs manifests.

        `token`: what a request for a snapshot must show.
        """
        self._host = host
        self._tasks = tasks
        self._settings = settings
        self._rules = rules
        self._key = key
        self.token = token
        self._clock = clock
        self._busy = False

    async def take(self, tables: frozenset[str], join: str | None = None) -> Taken:
        """Copy the partitions of `tables` (empty: of all) that the worker owns, and delete old snapshots.

        `join`: the name of a snapshot that another worker has just begun. Raises SnapshotError where one is
        being taken, where there is nothing to join, where partitions move meanwhile, and where Kafka does
        not answer; then what was copied is deleted.
        """
        if self._busy:
            raise SnapshotError("a snapshot is being taken already: ask again when it is done")
        self._busy = True
        try:
            return await self._take(tables, join)
        finally:
            self._busy = False

    async def _take(self, tables: frozenset[str], join: str | None) -> Taken:
        taken_at, worker = self._clock(), self._host.transactional_id
        try:
            private_directory(self._settings.snapshots_dir)
        except (SettingsError, OSError) as error:
            raise SnapshotError(f"no snapshot can be written: {error}") from None
        folder = self._begun(taken_at, worker) if join is None else self._joined(join, taken_at, worker)
        partial = folder.with_name(worker + PARTIAL)
        try:
            copies = await self._checkpoints(partial, tables)
            manifest = await asyncio.to_thread(self._finish, partial, folder, taken_at, copies)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return Taken(folder.parent.name, manifest)

    def _begun(self, now: datetime, worker: str) -> Path:
        """Return the folder of a new snapshot, which nobody else begins. Raises SnapshotError."""
        second = now.strftime(_TIME)
        for name in (second, *(f"{second}-{number:04d}" for number in range(2, SAME_SECOND_MAX))):
            with suppress(FileExistsError):
                (self._settings.snapshots_dir / name).mkdir()
                (self._settings.snapshots_dir / name / (worker + PARTIAL)).mkdir()
                return self._settings.snapshots_dir / name / worker
        raise SnapshotError("too many snapshots in one second: ask again")

    def _joined(self, name: str, now: datetime, worker: str) -> Path:
        """Return the folder for this worker's part of a snapshot of another. Raises SnapshotError."""
        begun = begun_at(name)
        if begun is None or not -CLOCKS_APART <= now - begun <= JOINED_WITHIN:
            raise SnapshotError(f"{name[:32]!a} is no snapshot that was begun a moment ago by this clock")
        folder = self._settings.snapshots_dir / name / worker
        if folder.exists():
            raise SnapshotError(f"there is a snapshot {name} already")
        partial = folder.with_name(worker + PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        return folder

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
        content = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        (partial / MANIFEST).write_bytes(content)
        write_signature(partial, content, self._key)
        partial.rename(folder)
        prune(self._settings.snapshots_dir, folder, self._settings.snapshots_keep, self._key, self._clock())
        return manifest


def _described(copy: Copy, folder: Path, ids: Mapping[str, str]) -> Copy:
    files = sorted(folder.iterdir())
    return msgspec.structs.replace(
        copy,
        changelog_id=ids[copy.changelog],
        files=tuple(File(path.name, path.stat().st_size, sha256_of(path)) for path in files),
    )


def begun_at(name: str) -> datetime | None:
    """Return the time in a snapshot's name; None where it is no such name."""
    if NAME.fullmatch(name):
        with suppress(ValueError):  # such as a 13th month
            return datetime.strptime(name[:16], _TIME).replace(tzinfo=UTC)
    return None


def prune(snapshots: Path, newest: Path, keep: int, key: bytes, now: datetime) -> None:
    """Delete what is older than a worker's newest good snapshots, and its unfinished ones; others' stay.

    `newest`: the folder of the one that was just taken, which stays. Only what could be restored, has the
    name of its time, and is not of a later time than `now` counts as good; what is not goes once there are
    `keep` good ones after it.
    """
    for part in list(_older(snapshots, newest, keep, key, now)):
        shutil.rmtree(part, ignore_errors=True)
        with suppress(OSError):  # not empty: of other workers, too
            part.parent.rmdir()


def _older(snapshots: Path, newest: Path, keep: int, key: bytes, now: datetime) -> Iterator[Path]:
    good, others = [], []
    for name in names(snapshots):
        part = snapshots / name / newest.name
        partial = part.with_name(part.name + PARTIAL)
        if partial.exists():
            yield partial
        if part == newest or not part.is_dir():
            continue
        taken_at = _taken_at(part, key)
        if taken_at is None:
            others.append(part)
        elif taken_at <= now:
            good.append(_Good(taken_at, part))
    good.sort(reverse=True)
    yield from (one.folder for one in good[keep - 1 :])
    if len(good) >= keep - 1:
        oldest = good[keep - 2].taken_at if keep > 1 else now
        yield from (part for part in others if (begun_at(part.parent.name) or now) < oldest)


def _taken_at(part: Path, key: bytes) -> datetime | None:
    """Return when a part was taken; None where it could not be restored, or is a copy under another name."""
    try:
        taken_at = trusted_part(part, key).manifest.taken_at
    except SnapshotError:
        return None
    begun = begun_at(part.parent.name)
    return taken_at if begun is not None and abs(taken_at - begun) <= JOINED_WITHIN + CLOCKS_APART else None
