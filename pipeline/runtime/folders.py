"""A worker's folder in the data directory, which one process at a time may use."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO

from pipeline.runtime.private_files import private_directory
from pipeline.runtime.settings import Settings, SettingsError

TABLES = Path("v1/tables")
"""Where Faust keeps the tables in it: an app has version 1 unless it says otherwise, and ours does not."""
_POLL_S = 0.1


def worker_folder(settings: Settings, worker: int) -> Path:
    """Return the folder of a worker, by its number on this machine."""
    return settings.data_dir / f"worker-{worker}"


def own_folder(settings: Settings, worker: int, within_s: float) -> IO[str]:
    """Lock a worker's folder until the process ends.

    Raises SettingsError where another process keeps it, or where it or the data directory is another user's.
    `within_s`: how long to wait for an earlier process, which may just be ending.
    """
    folder = worker_folder(settings, worker)
    private_directory(settings.data_dir)
    private_directory(folder)
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
