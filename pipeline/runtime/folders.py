"""A worker's folder in the data directory: one process at a time has it."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO

from pipeline.runtime.settings import Settings, SettingsError

TABLES = Path("v1/tables")
"""Where in it Faust keeps the tables of an app of version 1, as ours always are."""
_POLL_S = 0.1


def worker_folder(settings: Settings, worker: int) -> Path:
    """Return the folder of a worker, by its number on this machine."""
    return settings.data_dir / f"worker-{worker}"


def own_folder(settings: Settings, worker: int, within_s: float) -> IO[str]:
    """Lock a worker's folder until the process ends; raise SettingsError if another one keeps it.

    `within_s`: how long to wait for an earlier process, which may just be ending.
    """
    folder = worker_folder(settings, worker)
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("a")
    deadline = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > deadline:
                lock.close()
                raise SettingsError(
                    f"another worker uses {folder}: stop it, or give another number (--worker)"
                ) from None
            time.sleep(_POLL_S)
