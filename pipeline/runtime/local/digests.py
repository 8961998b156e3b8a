"""SHA-256 of the programs that are started, at every start: a file that somebody changed must not run.

Hashing takes the interpreter's lock only between pieces, so a few threads use all cores.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

_AT_ONCE = 4


def sha256_of(path: Path) -> bytes | None:
    """Return the SHA-256 of a plain file; None where there is none, or a link."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        return hashlib.file_digest(opened, "sha256").digest()


def sha256_of_all(paths: Sequence[Path]) -> list[bytes | None]:
    """Return `sha256_of` of every path."""
    # The largest first, so that no long one is left alone at the end.
    order = sorted(range(len(paths)), key=lambda at: -paths[at].stat().st_size if paths[at].is_file() else 0)
    found: list[bytes | None] = [None] * len(paths)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for at, digest in zip(order, pool.map(lambda at: sha256_of(paths[at]), order), strict=True):
            found[at] = digest
    return found


def tree_sha256(folder: Path) -> str:
    """Return the SHA-256 of all that lies in a folder: of the lines `<sha256> <path>` of its files, sorted.

    What is no plain file counts with its name, so that a link never equals the file that it leads to.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    lines = [
        f"{'' if digest is None else digest.hex()} {path.relative_to(folder).as_posix()}\n"
        for path, digest in zip(paths, sha256_of_all(paths), strict=True)
    ]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def changed_files(distribution: str, folder: str) -> list[str]:
    """Return the files below a folder of an installed package that are not as they were installed.

    A package without such a list (RECORD) has none. Raises PackageNotFoundError.
    """
    recorded = [
        file
        for file in metadata.distribution(distribution).files or ()
        if folder in file.parts and file.hash is not None and file.hash.mode == "sha256"
    ]
    digests = sha256_of_all([Path(str(file.locate())) for file in recorded])
    return [
        str(file)
        for file, digest in zip(recorded, digests, strict=True)
        if digest is None
        or file.hash is None
        or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value
    ]
