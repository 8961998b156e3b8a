"""Things that fall due on a branch as its event time advances: expiries of holds and journals, later limits,
ends of freezes.

    row `x` NUL time NUL kind NUL tenant NUL account NUL id      one for each scheduled item, in order of time
    row `n`                                                      the time of the first one, or an earlier time

A command that advances the watermark first applies what has fallen due, at most DUE_MAX items. If more are
due, the next commands apply them. So a rule that depends on such a time compares it with the watermark
itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.rows import DUE_ROW, NEXT_DUE_ROW, read_number, write_number

DUE_MAX = 100
"""The most items that one command applies."""
HOLD, JOURNAL, LIMIT, FREEZE = "hold", "journal", "limit", "freeze"

NEXT_KEY = row_key(NEXT_DUE_ROW.family)
_PREFIX = row_key(DUE_ROW.family, "")
_OFFSET = 2**63
"""Added to times, so that times before 1970 are not negative and keys sort by time."""


class Due(NamedTuple):
    """One scheduled item."""

    time: int
    """Microseconds UTC."""
    kind: str
    """HOLD, JOURNAL, LIMIT or FREEZE."""
    tenant_id: str
    account_id: str
    """The account of the debtor, of the journal, of the limit or of the freeze."""
    id: str
    """The id of the payment, of the journal, or of the event that set the limit or froze the side."""

    @property
    def key(self) -> bytes:
        """The key of its row."""
        names = (self.kind, self.tenant_id, self.account_id, self.id)
        return row_key(DUE_ROW.family, f"{self.time + _OFFSET:020d}", *names)


def schedule(rows: Rows, due: Due) -> None:
    """Schedule an item."""
    rows.put(due.key, DUE_ROW.head)
    first = read_number(rows, NEXT_KEY)
    if first is None or due.time < first:
        write_number(rows, NEXT_KEY, due.time)


def unschedule(rows: Rows, due: Due) -> None:
    """Remove a scheduled item, if it is still there.

    Row `n` may then be too early, which only costs one scan.
    """
    if rows.get(due.key) is not None:
        rows.delete(due.key)


def next_due(rows: Rows) -> int | None:
    """Return a time before which nothing falls due, microseconds UTC; None where nothing is scheduled."""
    return read_number(rows, NEXT_KEY)


def take_due(rows: Rows, watermark: int) -> list[Due]:
    """Remove the items due at `watermark` and return them in order, at most DUE_MAX."""
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
