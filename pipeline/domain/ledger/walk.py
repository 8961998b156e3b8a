"""Rows of earlier versions, which do not say when they have ended: their windows begin as a walk comes by.

    row `W`    from when the walk goes on, event time, and the key behind which it does

A table that begins with this version has none, and is done with the walk at its first command. Otherwise the
walk looks at a bounded number of rows in each step, and makes a step each time event time has gone on a
little. It finds its place by seeking. What has not ended is left alone: it gets its time when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.outbox import Arrival
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.kernel.times import MICROSECONDS_PER_SECOND, NO_END
from pipeline.domain.ledger.journals import (
    ENDED_STATES,
    HELD,
    unpack_branch_legs,
    unpack_journal,
    write_journal,
)
from pipeline.domain.ledger.links import OPEN_STATES as OPEN_LINKS
from pipeline.domain.ledger.links import unpack_link, write_link
from pipeline.domain.ledger.retention import TakenLeg, unpack_leg
from pipeline.domain.ledger.rows import (
    ENDED_STATES as ENDED_PAYMENTS,
)
from pipeline.domain.ledger.rows import (
    JOURNAL_PART_ROW,
    LEG_ROW,
    WALK_ROW,
    ended,
    read_watermark,
    unpack_payment,
    write_payment,
)

FAMILIES = "gjklp"
"""The families of rows that the walk goes through, in their order."""
STEP_ROWS = 256
"""The most rows that one step looks at."""
STEP_US = 10 * MICROSECONDS_PER_SECOND
"""How far event time goes on between two steps."""
SOON = -(2**61)
"""As soon as event time begins: no time that is believed is earlier."""


class Walk(msgspec.Struct, array_like=True, gc=False):
    """Where the walk is."""

    next_at: int
    """Microseconds UTC; NO_END: it is done."""
    after: bytes
    """The key of the last row that was looked at."""


WALK_KEY = row_key(WALK_ROW.family)
unpack_walk = unpacker(WALK_ROW, Walk)
"""Return where the walk is. Raises UnreadableRow."""
DONE = Walk(NO_END, b"")


def next_step(rows: Rows) -> int | None:
    """Return when the walk goes on, event time; None: the table has not begun with this version."""
    row = rows.get(WALK_KEY)
    return None if row is None else unpack_walk(row).next_at


def first_step(rows: Rows) -> Walk | None:
    """Return how the walk of a table begins, None where it has begun."""
    if rows.get(WALK_KEY) is not None:
        return None
    earlier = any(next(rows.scan(row_key(family, "")), None) for family in FAMILIES)
    return Walk(SOON, b"") if earlier else DONE


def go_on(begun: Walk | None, at: Arrival, rows: Rows) -> None:
    """Make a step after a command if it is time; `begun`: the walk, where the command was the first one."""
    if begun is not None:
        rows.put(WALK_KEY, WALK_ROW.pack(begun))
    row, watermark = rows.get(WALK_KEY), read_watermark(rows)
    assert row is not None, "it begins with the first command"
    walk = unpack_walk(row)
    if watermark is None or watermark < walk.next_at:
        return
    found = list(islice(_behind(walk.after, rows), STEP_ROWS))
    for key, value in found:
        _begin_window(key, value, at, rows)
    done = len(found) < STEP_ROWS
    rows.put(WALK_KEY, WALK_ROW.pack(DONE if done else Walk(watermark + STEP_US, found[-1][0])))


def _behind(after: bytes, rows: Rows) -> Iterator[tuple[bytes, bytes]]:
    for family in FAMILIES:
        prefix = row_key(family, "")
        if after < prefix or after.startswith(prefix):
            yield from rows.scan(prefix, after if after.startswith(prefix) else b"")


def _begin_window(key: bytes, row: bytes, at: Arrival, rows: Rows) -> None:
    """Let a row that has ended have ended now, if it does not say when."""
    family, tenant, *names = key.decode().split("\0")
    if family == "p":
        payment = unpack_payment(row)
        if payment.ended_at is None and payment.state in ENDED_PAYMENTS:
            write_payment(rows, tenant, names[0], payment)
    elif family == "j":
        journal = unpack_journal(row)
        if journal.ended_at is None and journal.state in ENDED_STATES:
            write_journal(rows, tenant, names[0], journal)
    elif family == "k":
        link = unpack_link(row)
        if link.ended_at is None and link.state not in OPEN_LINKS:
            write_link(rows, tenant, names[1], link)
    elif family == "l":
        if unpack_leg(row).asked_at is None:
            rows.put(key, LEG_ROW.pack(TakenLeg(ended(rows, key), None)))
    else:
        part = unpack_branch_legs(row)
        away = partition_of(f"{tenant}/{names[0]}", at.partitions) != at.partition
        if away and part.asked_at is None and part.state != HELD:
            part.asked_at = ended(rows, key)
            rows.put(key, JOURNAL_PART_ROW.pack(part))
