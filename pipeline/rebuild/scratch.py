"""The folder of a rebuild: databases that contain a log up to an offset, like a worker's tables.

Rows and offset are one atomic write, so a run that was interrupted at any moment continues from there. A
file states what the databases were made from; where that has changed (other topics, other rules), they are
deleted.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from pipeline.runtime.store.partition_store import PartitionStore

_ABOUT = "about.json"
_LOCK = "lock"


class ScratchBusy(RuntimeError):
    """Another rebuild uses the folder."""


class Scratch:
    """The databases of a rebuild, by name; use it in a `with` statement."""

    def __init__(self, folder: Path, about: Mapping[str, str], anew: bool = False) -> None:
        """`about`: what the databases are made from; `anew`: delete what is there. Raises ScratchBusy."""
        self.folder = folder
        self.begun_anew = False
        """Whether an earlier run's databases were deleted because they were made from something else."""
        self._stores: dict[str, PartitionStore] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._lock: IO[str] = (folder / _LOCK).open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise ScratchBusy(f"another rebuild uses {folder}: wait for its end") from None
        self._keep_or_empty(dict(about), anew)

    def _keep_or_empty(self, about: dict[str, str], anew: bool) -> None:
        path = self.folder / _ABOUT
        try:
            known = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            known = None
        if known == about and not anew:
            return
        self.begun_anew = known not in (None, about)
        path.unlink(missing_ok=True)
        for left in self.folder.glob("*.rocks"):
            shutil.rmtree(left)
        path.write_text(json.dumps(about, indent=1) + "\n", "utf-8")

    def store(self, name: str) -> PartitionStore:
        """Return a database; it is opened or made at the first call."""
        store = self._stores.get(name)
        if store is None:
            store = self._stores[name] = PartitionStore(self.folder / f"{name}.rocks")
        return store

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        for store in self._stores.values():
            store.close()
        self._lock.close()
