"""Logging of a worker: to standard error, and never so much that it fills a disk.

aiokafka retries every few milliseconds while a broker is away, and logs each try.
"""

from __future__ import annotations

import logging
import sys

from pipeline.runtime.escaping import escaped, escaped_lines

SAME_PLACE_EVERY_S = 1.0
"""Seconds in which one line of code may write one record."""


class RateLimit(logging.Filter):
    """Lets through one record from each line of code in SAME_PLACE_EVERY_S."""

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written."""
        place = record.pathname, record.lineno
        if record.created < self._next.get(place, 0.0):
            return False
        self._next[place] = record.created + SAME_PLACE_EVERY_S
        return True


class EscapingFormatter(logging.Formatter):
    """Writes a message on one line, however many it pretends to be, and escapes what a terminal obeys."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line of a record, without its traceback."""
        return escaped(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, and its traceback in lines of its own."""
        return escaped_lines(super().format(record))


def set_up(level: str) -> None:
    """Send what is at `level` or above to standard error."""
    logging.getLogger("aiokafka.producer.sender").setLevel(logging.ERROR)  # retries of retriable answers
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RateLimit())
    handler.setFormatter(EscapingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
