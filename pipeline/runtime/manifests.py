"""The manifests of snapshots: what was copied, and where it belongs.

    <snapshots_dir>/<name>/<worker>/manifest.json          what the copies are, with the SHA-256 of each file
                                    manifest.sig           the signature of its bytes (`signing`)
                                    <table>-<partition>.rocks/...

A manifest says where its copies are put, so every name in it must be one that this program writes.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from pipeline.runtime.kafka.topics import changelog_name

FORMAT = 1
MANIFEST = "manifest.json"
NAME = re.compile(r"\d{8}T\d{6}Z(-\d{4})?", re.ASCII)
"""A snapshot's name: the time it was begun, and a number where that second has one already. So names sort
by age, and none can be a path."""
PARTIAL = ".partial"
MANIFEST_BYTES_MAX = 64 * 2**20
PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", re.ASCII)
"""A name that cannot be a path."""
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


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


def names(folder: Path) -> list[str]:
    """Return the names of the snapshots in a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(
        path.name
        for path in folder.iterdir()
        if NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    )


def parts_of(snapshot: Path) -> list[WorkerSnapshot]:
    """Return each worker's part of a snapshot, to be shown: nobody has looked at the signatures (`signing`).

    Raises SnapshotError where a manifest is damaged.
    """
    return [WorkerSnapshot(folder, decoded(folder, content_of(folder))) for folder in folders_of(snapshot)]


@contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """Open a folder, as a file descriptor. Raises SnapshotError where it is a link or no folder."""
    try:
        at = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise SnapshotError(
            f"{path} is damaged (no folder, or a link: {error.strerror}): use another snapshot"
        ) from None
    try:
        yield at
    finally:
        os.close(at)


def opened_file(path: Path, name: str, at: int) -> IO[bytes]:
    """Open a plain file of an open folder; `path` is only for the message.

    Raises SnapshotError where it is missing, a link, or no plain file.
    """
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    except OSError as error:
        raise SnapshotError(f"{path} is damaged ({error.strerror}): use another snapshot") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise SnapshotError(f"{path} is damaged (no plain file): use another snapshot")
    return os.fdopen(file, "rb")


def folders_of(snapshot: Path) -> list[Path]:
    """Return the folders of a snapshot that have a manifest, in order."""
    found = (path.parent for path in snapshot.glob(f"*/{MANIFEST}"))
    return sorted(folder for folder in found if folder.suffix != PARTIAL)


def content_of(folder: Path) -> bytes:
    """Return the bytes of a manifest. Raises SnapshotError where it is missing, a link, or too long."""
    with opened_folder(folder) as at, opened_file(folder / MANIFEST, MANIFEST, at) as file:
        content = file.read(MANIFEST_BYTES_MAX + 1)
    if len(content) > MANIFEST_BYTES_MAX:
        raise SnapshotError(f"{folder / MANIFEST} is longer than any manifest: use another snapshot")
    return content


def decoded(folder: Path, content: bytes) -> Manifest:
    """Return a manifest in which every name is one that this program writes. Raises SnapshotError."""
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{path} is damaged ({error}): use another snapshot") from None
    if manifest.format != FORMAT:
        raise SnapshotError(f"{path} has format {manifest.format}, this version of Ledgerflow reads {FORMAT}")
    if odd := next(_odd(manifest), None):
        raise SnapshotError(f"{path} is damaged ({odd}): use another snapshot")
    return manifest


def _odd(manifest: Manifest) -> Iterator[str]:
    """Yield what no manifest of this program says: it could lead out of its folder, or to another topic."""
    for text in (manifest.app_id, manifest.worker, manifest.ledgerflow):
        if not PLAIN.fullmatch(text):
            yield f"{text[:100]!a} is no name"
    places = [(copy.table, copy.partition) for copy in manifest.copies]
    if len(set(places)) < len(places):
        yield "a partition is there twice"
    for copy in manifest.copies:
        if not PLAIN.fullmatch(copy.table):
            yield f"{copy.table[:100]!a} is no table"
        elif copy.changelog != changelog_name(manifest.app_id, copy.table):
            yield f"{copy.changelog[:100]!a} is not the changelog of {copy.table}"
        elif not 0 <= copy.partition < manifest.partitions:
            yield f"{copy.table} has no partition {copy.partition}"
        for file in copy.files:
            if not PLAIN.fullmatch(file.name):
                yield f"{file.name[:100]!a} is no file of a database"
            elif file.size < 0 or not _SHA256.fullmatch(file.sha256):
                yield f"{file.name} has no size or SHA-256"
        if len({file.name for file in copy.files}) < len(copy.files):
            yield f"a file of {copy.folder} is there twice"
