"""Files of SQLite that the gateways of a machine share: of mode 0600, with a write-ahead log."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

BUSY_S = 5.0
"""How long another process may have the file."""
_AGAIN_AFTER_S = 0.02


def opened(path: Path, schema: str) -> sqlite3.Connection:
    """Return a connection for several threads, one at a time; the file and its tables are made if need be.

    Each statement is a transaction of its own. Raises sqlite3.Error, OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    until = time.monotonic() + BUSY_S
    while True:
        try:
            # With a new file, SQLite lets one of several processes do this, and the others do not wait.
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(schema)
            return database
        except sqlite3.OperationalError:
            if time.monotonic() >= until:
                database.close()
                raise
            time.sleep(_AGAIN_AFTER_S)
