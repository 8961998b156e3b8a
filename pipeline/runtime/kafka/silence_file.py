"""Since when Kafka is silent, kept on disk: a worker may end before the silence does.

    keep, keep, keep -> over -> its alert is written -> the file goes

The file holds when the silence began; its own time is when Kafka was last seen silent. What it says at a
start is reported as an alert, so that no silence is forgotten; it says one silence for several that no alert
tells yet.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

LOG = logging.getLogger(__name__)


class SilenceFile:
    """The file of one worker. From any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._written = False
        """Whether the silence that lasts now is in the file."""
        self._unsaid = 0
        """How many silences are over whose alerts are not written."""
        self._failed = False
        """Whether the log says already that the file cannot be written."""

    def keep(self, since: float) -> None:
        """Keep that Kafka is silent, since a time in seconds UTC; again and again, as long as it is."""
        with self._lock:
            try:
                if not self._written:
                    earlier = self.kept()
                    self._write(since if earlier is None else min(since, earlier[0]))
                os.utime(self._path)
                self._written, self._failed = True, False
            except OSError as error:
                if not self._failed:
                    LOG.warning("%s cannot be written: %s", self._path, error.strerror)
                self._written, self._failed = False, True

    def kept(self) -> tuple[float, float] | None:
        """Return from when to when Kafka was seen silent, seconds UTC; None where the file says nothing."""
        try:
            since, until = float(self._path.read_text()), self._path.stat().st_mtime
        except (OSError, ValueError):
            return None
        return (since, until) if 0 <= since <= until else None

    def over(self) -> Callable[[bool], None]:
        """Say that the silence is over; return what is to be called once its alert is written, or is not.

        Until it is written the file stays.
        """
        with self._lock:
            self._written = False
            self._unsaid += 1
        return self._said

    def _said(self, written: bool) -> None:
        if not written:
            return
        with self._lock:
            self._unsaid -= 1
            if not self._unsaid:
                with contextlib.suppress(OSError):
                    self._path.unlink(missing_ok=True)
                self._written = False  # a silence that lasts is written again

    def _write(self, since: float) -> None:
        """Write the file whole or not at all: half a number is another one. Raises OSError."""
        partial = self._path.with_name(f"{self._path.name}.partial")
        try:
            partial.write_text(repr(since))
            partial.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
