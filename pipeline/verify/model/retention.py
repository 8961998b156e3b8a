"""What has ended, in the order of event time, until its windows are over: by buckets, oldest first.

What never changes: a row that is over counts as absent from then on, whether it is deleted yet or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.verify.model.wire import LAYOUT, LONG_MIN, msgpack, row_key

BUCKET = 32
"""How many rows one bucket names."""
BUCKETS_AT_ONCE = 4
"""How many buckets go at most when one is closed."""
DUPLICATES_DAYS, REVERSALS_DAYS = 90, 400
"""The default settings: how long an id is recognised; how long what has ended may be reversed."""

Change = tuple[bytes, bytes | None]
"""Key and value of a row; None: it is deleted."""


@dataclass
class Ended:
    """The rows of one table, or of one owner in it, that have ended."""

    families: str
    """The letters of the rows of the queue itself and of its buckets."""
    owner: tuple[str, ...] = ()
    newest: int = LONG_MIN
    open: list[bytes] = field(default_factory=list)
    closed: list[tuple[int, list[bytes]]] = field(default_factory=list)
    gone: int = 0
    """How many buckets have gone."""
    full: int = 0
    """How many buckets got full since what is over was last looked for."""

    def add(self, at: int, key: bytes, keep_us: int) -> tuple[list[bytes], list[Change]]:
        """Add a row; return the keys of rows that may go now, and the changes of buckets."""
        closed = self.put(at, key)
        over, gone = self.over(keep_us)
        return over, [*closed, *gone]

    def put(self, at: int, key: bytes) -> list[Change]:
        """Add a row; return the bucket that is full by it."""
        self.newest = max(self.newest, at)
        self.open.append(key)
        if len(self.open) < BUCKET:
            return []
        number = self.gone + len(self.closed)
        self.closed.append((self.newest, self.open))
        self.full += 1
        change = self._key(number), bytes([LAYOUT]) + msgpack([self.newest, self.open])
        self.open = []
        return [change]

    def over(self, keep_us: int) -> tuple[list[bytes], list[Change]]:
        """Return the keys of rows that may go, as the buckets that got full allow, and what changes."""
        over, changes = list[bytes](), list[Change]()
        looks, self.full = BUCKETS_AT_ONCE * self.full, 0
        for _ in range(looks):
            if not self.closed or self.newest - self.closed[0][0] <= keep_us:
                break
            over += self.closed.pop(0)[1]
            changes.append((self._key(self.gone), None))
            self.gone += 1
        return over, changes

    def row(self) -> Change:
        """Return the row of the queue itself."""
        numbers = [self.newest, self.gone, self.gone + len(self.closed), self.open]
        return row_key(self.families[0], *self.owner), bytes([LAYOUT]) + msgpack(numbers)

    def _key(self, number: int) -> bytes:
        return row_key(self.families[1], *self.owner, f"{number:016x}")
