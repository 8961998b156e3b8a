"""What falls due on a branch as its event time advances: ends of holds, journals, freezes and proposals,
later limits.

    row `d` NUL time NUL kind NUL tenant NUL account NUL id    one for each scheduled item, by time
    row `y` NUL tenant NUL place NUL time NUL kind NUL account NUL id
                                         one for each place in which an item holds money: an account and side
    row `o` NUL tenant NUL account       how many items hold money of an account (its side DEBIT)
    row `n`                              the time of the first item, or an earlier time: scans begin there
    row `x`                              as row `d`, of earlier versions: without rows `y` and `o`

`falling_due` says when they are applied. An item of the earlier form gets today's rows when its time comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.rows import (
    ACCOUNT_DUE_ROW,
    DUE_ROW,
    EARLIER_DUE_ROW,
    NEXT_DUE_ROW,
    OPEN_HOLDS_ROW,
    read_number,
    write_number,
)

HOLD, JOURNAL, LIMIT, FREEZE, PROPOSAL = "hold", "journal", "limit", "freeze", "proposal"
SCHEDULED = "scheduled"
DEBIT, CREDIT = "DEBIT", "CREDIT"

NEXT_KEY = row_key(NEXT_DUE_ROW.family)
_OFFSET = 2**63
"""Added to times, so that times before 1970 are not negative and keys sort by time."""
Place = tuple[str, str]
"""An account, and the side of it on which an item holds money: DEBIT or CREDIT."""
Take = Callable[..., None]
"""Applies what is due on places before a command: `falling_due.take` with its bound."""


class Due(NamedTuple):
    """One scheduled item."""

    time: int
    """Microseconds UTC."""
    kind: str
    """HOLD, JOURNAL, LIMIT, FREEZE, PROPOSAL or SCHEDULED."""
    tenant_id: str
    account_id: str
    """The account of the debtor, of the journal, of the limit, of the freeze or of the proposal."""
    id: str
    """The id of the payment, of the journal, or of the event that set the limit, froze the side or was
    proposed."""


def schedule(rows: Rows, due: Due, places: Iterable[Place] = ()) -> None:
    """Schedule an item that holds money in `places`: accounts of this branch."""
    rows.put(_key(DUE_ROW.family, due), DUE_ROW.head)
    for place in places:
        rows.put(_account_key(due, place), ACCOUNT_DUE_ROW.head)
        _count(rows, due.tenant_id, place, +1)
    first = next_due(rows)
    if first is None or due.time < first:
        write_number(rows, NEXT_KEY, due.time)


def unschedule(rows: Rows, due: Due, places: Iterable[Place] = ()) -> None:
    """Remove a scheduled item, if it is still there; `places` are those of `schedule`.

    Row `n` may then be too early, which only costs one scan.
    """
    key, earlier = _key(DUE_ROW.family, due), _key(EARLIER_DUE_ROW.family, due)
    if rows.get(key) is not None:
        rows.delete(key)
        for place in places:
            rows.delete(_account_key(due, place))
            _count(rows, due.tenant_id, place, -1)
    elif rows.get(earlier) is not None:
        rows.delete(earlier)


def both_sides(account_id: str) -> list[Place]:
    """Return the two places of an account."""
    return [(account_id, DEBIT), (account_id, CREDIT)]


def next_due(rows: Rows) -> int | None:
    """Return a time before which nothing falls due, microseconds UTC; None where nothing is scheduled."""
    return read_number(rows, NEXT_KEY)


def is_due(rows: Rows, watermark: int | None) -> bool:
    """Whether anything may be due at `watermark` (None: event time has not begun)."""
    first = next_due(rows)
    return watermark is not None and first is not None and first <= watermark


def update_next(rows: Rows) -> None:
    """Make row `n` exact."""
    firsts = [next(_in_order(rows, kind.family), None) for kind in (DUE_ROW, EARLIER_DUE_ROW)]
    times = [due.time for due in firsts if due is not None]
    if times:
        write_number(rows, NEXT_KEY, min(times))
    else:
        rows.delete(NEXT_KEY)


def due_in_order(rows: Rows, watermark: int, most: int) -> list[Due]:
    """Return the first items that are due at `watermark`, at most so many."""
    return list(islice(_until(watermark, _in_order(rows, DUE_ROW.family)), most))


def due_on(rows: Rows, tenant_id: str, place: Place, watermark: int) -> Iterator[Due]:
    """Yield the items due at `watermark` that hold money in a place, in order of time."""
    return _until(watermark, _of_place(rows, tenant_id, place))


def take_earlier(rows: Rows, watermark: int) -> list[Due]:
    """Remove the items of the earlier form that are due, and return them: they are to be scheduled again."""
    found = list(_until(watermark, _in_order(rows, EARLIER_DUE_ROW.family)))
    for due in found:
        rows.delete(_key(EARLIER_DUE_ROW.family, due))
    return found


def held_items(rows: Rows, tenant_id: str, place: Place, most: int) -> int:
    """Return how many items hold money in a place; where it is a CREDIT side, no more than `most`."""
    if place[1] == DEBIT:
        return read_number(rows, _count_key(tenant_id, place[0])) or 0
    return sum(1 for _ in islice(_of_place(rows, tenant_id, place), most))


def _count(rows: Rows, tenant_id: str, place: Place, change: int) -> None:
    if place[1] != DEBIT:
        return
    add_to_number(rows, _count_key(tenant_id, place[0]), change)


def add_to_number(rows: Rows, key: bytes, change: int) -> None:
    """Change the number of a row that holds one; there is no row for 0. Raises UnreadableRow."""
    number = (read_number(rows, key) or 0) + change
    if number:
        write_number(rows, key, number)
    else:
        rows.delete(key)


def _until(watermark: int, items: Iterator[Due]) -> Iterator[Due]:
    for due in items:
        if due.time > watermark:
            return
        yield due


def _in_order(rows: Rows, family: str) -> Iterator[Due]:
    prefix = row_key(family, "")
    for key, _ in rows.scan(prefix, behind_deleted(prefix, rows)):
        time, kind, tenant_id, account_id, identity = key[len(prefix) :].decode().split("\0")
        yield Due(time_of(time), kind, tenant_id, account_id, identity)


def _of_place(rows: Rows, tenant_id: str, place: Place) -> Iterator[Due]:
    prefix = row_key(ACCOUNT_DUE_ROW.family, tenant_id, *place, "")
    for key, _ in rows.scan(prefix, behind_deleted(prefix, rows)):
        time, kind, account_id, identity = key[len(prefix) :].decode().split("\0")
        yield Due(time_of(time), kind, tenant_id, account_id, identity)


def behind_deleted(prefix: bytes, rows: Rows) -> bytes:
    """Return from where a scan in order of time begins: no item is earlier than row `n` says.

    From the prefix on, RocksDB would step over every item that has fallen due before.
    """
    first = next_due(rows)
    return b"" if first is None else prefix + time_text(first).encode()


def _key(family: str, due: Due) -> bytes:
    return row_key(family, time_text(due.time), due.kind, due.tenant_id, due.account_id, due.id)


def _account_key(due: Due, place: Place) -> bytes:
    own = (time_text(due.time), due.kind, due.account_id, due.id)
    return row_key(ACCOUNT_DUE_ROW.family, due.tenant_id, *place, *own)


def _count_key(tenant_id: str, account_id: str) -> bytes:
    return row_key(OPEN_HOLDS_ROW.family, tenant_id, account_id)


def time_text(time: int) -> str:
    """Return a time as it stands in keys."""
    return f"{time + _OFFSET:020d}"


def time_of(text: str) -> int:
    """Return the time that stands in a key."""
    return int(text) - _OFFSET
