"""Open items of a run that have come and that nobody has looked for but by a reference.

Most of them find their counterpart within the run. Until somebody looks otherwise they are in no index and
counted on no day: `AccountDesk` makes up for both (`settle_in`) before anything could tell the difference.
"""

from __future__ import annotations

from pipeline.domain.reconciliation.assigning.blocking import REFERENCES_MAX
from pipeline.domain.reconciliation.desk.rows import Entry, Line

SEVERAL = b""
"""Instead of a key: more than one item has the reference, or had it."""


class Waiting:
    """The items of one account that wait so."""

    def __init__(self) -> None:
        self.items: dict[bytes, Entry] = {}
        """By their keys, in the order in which they came."""
        self.postings: dict[str, bytes] = {}
        """The key of the posting with a reference, or SEVERAL."""
        self.lines: dict[str, bytes] = {}

    def add(self, key: bytes, entry: Entry) -> None:
        """Let an item wait that has references."""
        self.items[key] = entry
        known = self.lines if isinstance(entry, Line) else self.postings
        for one in entry.references[:REFERENCES_MAX]:
            known[one] = SEVERAL if one in known else key

    def take(self, key: bytes) -> None:
        """Let an item wait no more."""
        entry = self.items.pop(key)
        known = self.lines if isinstance(entry, Line) else self.postings
        for one in entry.references[:REFERENCES_MAX]:
            if known[one] == key:
                del known[one]

    def take_all(self) -> dict[bytes, Entry]:
        """Return all items; none waits any more."""
        items, self.items = self.items, {}
        self.postings, self.lines = {}, {}
        return items
