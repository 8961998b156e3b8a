"""The signatures of snapshots, and their use.

    manifest.sig    HMAC-SHA-256 of the manifest's bytes, by a key of the data directory or of a setting

The manifest has the digest of every file, so the signature covers names, sizes and content of all files, the
worker, the versions and the offsets. Whoever can write into a folder of snapshots could otherwise have a
worker take any rows for its own. Nothing of a snapshot is used before its signature holds, and no byte that
was not compared with its digest.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.runtime.manifests import (
    MANIFEST,
    PARTIAL,
    PLAIN,
    Copy,
    File,
    SnapshotError,
    WorkerSnapshot,
    content_of,
    decoded,
    folders_of,
    opened_file,
    opened_folder,
)
from pipeline.runtime.settings import ENV_PREFIX

SIGNATURE = "manifest.sig"
_SIGNATURE_BYTES_MAX = 256
_CONTEXT = b"ledgerflow snapshot manifest\0"
_KEY_CONTEXT = b"ledgerflow snapshot key\0"
_CHUNK_BYTES = 2**20


def trusted_parts(snapshot: Path, key: bytes) -> list[WorkerSnapshot]:
    """Return each worker's part of a snapshot, to be used; `verified_content` gives its files.

    Raises SnapshotError where one is not signed with the key, is damaged, or is not that worker's.
    """
    return [trusted_part(folder, key) for folder in folders_of(snapshot)]


def trusted_part(folder: Path, key: bytes) -> WorkerSnapshot:
    """Return one worker's part of a snapshot, to be used. Raises as `trusted_parts`."""
    content = content_of(folder)
    _require_signature(folder, content, key)
    manifest = decoded(folder, content)
    if manifest.worker != folder.name:
        raise SnapshotError(f"{folder} is a copy of the worker {manifest.worker}: give it that name again")
    return WorkerSnapshot(folder, manifest)


def sign_manifest(folder: Path, key: bytes) -> None:
    """Sign a worker's part of a snapshot as it is; in the place of an earlier signature.

    Every file is compared with the manifest first. Raises SnapshotError where one is not as it says.
    """
    content = content_of(folder)
    for copy in decoded(folder, content).copies:
        for _ in verified_content(folder / copy.folder, copy):
            pass
    write_signature(folder, content, key)


def write_signature(folder: Path, content: bytes, key: bytes) -> None:
    """Write the signature of a manifest's bytes beside it."""
    partial = folder / (SIGNATURE + PARTIAL)
    partial.unlink(missing_ok=True)
    with open(partial, "x", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600)) as file:
        file.write(f"hmac-sha256 {_key_name(key)} {_signature(content, key)}\n")
    partial.replace(folder / SIGNATURE)


def verified_content(source: Path, copy: Copy) -> Iterator[tuple[File, bytes]]:
    """Yield the files of a copy in pieces, at least one of each; `source` is the folder of its database.

    Raises SnapshotError where a file is missing, too much, a link, no plain file, or not as the manifest
    says; at the latest after its last piece. The bytes that are yielded are those that were checked.
    """
    with opened_folder(source) as at:
        expected, found = {file.name for file in copy.files}, set(os.listdir(at))
        if expected != found:
            odd = ", ".join(
                sorted(name if PLAIN.fullmatch(name) else ascii(name) for name in expected ^ found)
            )
            raise SnapshotError(
                f"{source} is damaged (missing or not in the manifest: {odd}): use another snapshot"
            )
        for file in copy.files:
            yield from ((file, piece) for piece in _pieces(source, at, file))


def _pieces(source: Path, at: int, file: File) -> Iterator[bytes]:
    digest, left = hashlib.sha256(), file.size
    with opened_file(source / file.name, file.name, at) as original:
        while True:
            piece = original.read(min(_CHUNK_BYTES, left + 1))
            digest.update(piece)
            left -= len(piece)
            if left < 0 or not piece:
                break
            yield piece
    if left or digest.hexdigest() != file.sha256:
        raise SnapshotError(
            f"{source / file.name} is damaged (its SHA-256 is not the manifest's): use another snapshot"
        )
    if not file.size:
        yield b""


def _require_signature(folder: Path, content: bytes, key: bytes) -> None:
    """Raises SnapshotError where a manifest's bytes are not signed with the key."""
    if not os.path.lexists(folder / SIGNATURE):
        raise SnapshotError(
            f"{folder} is not signed: `ledgerflow migrate` signs the snapshots of an earlier version"
        )
    with opened_folder(folder) as at, opened_file(folder / SIGNATURE, SIGNATURE, at) as file:
        said = file.read(_SIGNATURE_BYTES_MAX).decode("ascii", "replace").split()
    if len(said) != 3 or said[0] != "hmac-sha256":
        raise SnapshotError(f"{folder / SIGNATURE} is damaged: use another snapshot")
    if said[1] != _key_name(key):
        raise SnapshotError(
            f"{folder} is signed with another key than this one ({_key_name(key)}): name the key's file of"
            f" where it was taken ({ENV_PREFIX}SNAPSHOT_KEY_FILE)"
        )
    if not hmac.compare_digest(said[2].encode(), _signature(content, key).encode()):
        raise SnapshotError(f"{folder / MANIFEST} is not what was signed: use another snapshot")


def _signature(content: bytes, key: bytes) -> str:
    return hmac.new(key, _CONTEXT + content, "sha256").hexdigest()


def _key_name(key: bytes) -> str:
    """Return a name by which a key can be told from another; it says nothing of the key."""
    return hashlib.sha256(_KEY_CONTEXT + key).hexdigest()[:16]
