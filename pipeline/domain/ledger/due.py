"""What falls due on a branch as its event time moves on: holds and journals that expire, limits that begin.

    row `x` NUL time NUL kind NUL tenant NUL account NUL id      one for each thing to come, in order of time
    row `n`                                                      a time, not later than the first of them

A command that moves the watermark takes what has fallen due before it does its own work. It takes a bounded
number; where more is due, the next commands go on, and a rule that depends on a time looks at it itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.rows import DUE_ROW, NEXT_DUE_ROW, read_number, write_number

DUE_MAX = 100
"""How many a command takes at most."""
HOLD, JOURNAL, LIMIT = "hold", "journal", "limit"

NEXT_KEY = row_key(NEXT_DUE_ROW.family)
_PREFIX = row_key(DUE_ROW.family, "")
_OFFSET = 2**63
"""Added to times, so that the order of their digits is theirs, before 1970 too."""


class Due(NamedTuple):
    """One thing that falls due."""

    time: int
    """Microseconds UTC."""
    kind: str
    """HOLD, JOURNAL or LIMIT."""
    tenant_id: str
    account_id: str
    """The debtor's, the journal's, or the one that the limit is for."""
    id: str
    """Of the payment, of the journal, or of the event that set the limit."""

    @property
    def key(self) -> bytes:
        """The key of its row."""
        names = (self.kind, self.tenant_id, self.account_id, self.id)
        return row_key(DUE_ROW.family, f"{self.time + _OFFSET:020d}", *names)


def schedule(rows: Rows, due: Due) -> None:
    """Remember what is to come."""
    rows.put(due.key, DUE_ROW.head)
    first = read_number(rows, NEXT_KEY)
    if first is None or due.time < first:
        write_number(rows, NEXT_KEY, due.time)


def unschedule(rows: Rows, due: Due) -> None:
    """Remove one thing that will not come, if it is still there.

    Row `n` may then be early, which costs one scan.
    """
    if rows.get(due.key) is not None:
        rows.delete(due.key)


def next_due(rows: Rows) -> int | None:
    """Return a time before which nothing falls due, microseconds UTC; None where nothing is to come."""
    return read_number(rows, NEXT_KEY)


def take_due(rows: Rows, watermark: int) -> list[Due]:
    """Remove what is due at `watermark` and return it in order, DUE_MAX at most."""
    first = next_due(rows)
    if first is None or first > watermark:
        return []
    taken: list[Due] = []
    for due in _all(rows):
        if due.time > watermark or len(taken) == DUE_MAX:
            write_number(rows, NEXT_KEY, due.time)
            break
        taken.append(due)
    else:
        rows.delete(NEXT_KEY)
    for due in taken:
        rows.delete(due.key)
    return taken


def _all(rows: Rows) -> Iterator[Due]:
    for key, _ in rows.scan(_PREFIX):
        time, kind, tenant_id, account_id, identity = key[len(_PREFIX) :].decode().split("\0")
        yield Due(int(time) - _OFFSET, kind, tenant_id, account_id, identity)
