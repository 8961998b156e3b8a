"""Which rows of the ledger are over, how they count as absent, and how they go (`kernel.retention`).

    payment, journal, link    over when both windows have passed in the branch's event time since it ended
    leg, part                 over when they have passed in the time of its home: the branch that has sent it
    hold, reversed, own part  go with their payment or journal

    row `m`, `z`                    the queue of what has ended by this branch's time
    row `m` NUL home, `z` NUL home  the queues of what has ended by another branch's time

Event time differs between branches, so what a home sends goes by its own time: the newest that it has said.
A leg whose home says a later time than the leg of the same id did is another payment's: the home has
forgotten the first one. A payment asks for a leg once, so one that comes twice says the same time.

`forget` deletes what a command names and is over, before anything looks at it. So everything else sees it as
absent, and whether it was swept before makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.links import PAYMENTS_MAX
from pipeline.domain.kernel.outbox import Arrival
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.retention import Queue
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.holds import hold_key
from pipeline.domain.ledger.journals import (
    HELD,
    earlier_key,
    journal_key,
    part_key,
    unpack_branch_legs,
    unpack_journal,
)
from pipeline.domain.ledger.links import link_key, unpack_link
from pipeline.domain.ledger.rows import (
    ENDED,
    LEG_ROW,
    leg_key,
    payment_key,
    read_watermark,
    taken_key,
    unpack_payment,
)

FROM_HOME = (ev.LegRequested, ev.JournalLegsRequested, ev.JournalLegsEnded)
"""What a home sends, of which a row is kept by its time."""
OF_PAYMENTS = (
    *(ev.PaymentDecided, ev.PaymentReviewed, ev.PaymentCancelled),
    *(ev.PaymentCaptured, ev.PaymentExtended, ev.PaymentReversed),
)
"""Commands that name a payment."""
OF_JOURNALS = (ev.JournalSubmitted, ev.JournalConfirmed, ev.JournalVoided, ev.JournalReversed)
"""Commands that name a journal."""


class TakenLeg(msgspec.Struct, array_like=True, gc=False):
    """A leg of a payment of another branch that was posted or refused here."""

    asked_at: int | None
    """When its home asked for it, event time, microseconds UTC; None: not known (layout 1)."""
    home: int | None
    """The branch whose time that is; None: this branch's."""


unpack_leg = unpacker(LEG_ROW, TakenLeg)
"""Return the leg of a row. Raises UnreadableRow."""


class Ending(NamedTuple):
    """When a row has ended; None: it has not, or it is not known."""

    at: int | None
    home: int | None = None


def ending(key: bytes, row: bytes) -> Ending:
    """Return when a row has ended: a payment's, a journal's, a link's, a leg's, a part's.

    Raises UnreadableRow.
    """
    family = key[:1]
    if family == b"p":
        return Ending(unpack_payment(row).ended_at)
    if family == b"j":
        return Ending(unpack_journal(row).ended_at)
    if family == b"k":
        return Ending(unpack_link(row).ended_at)
    if family == b"l":
        leg = unpack_leg(row)
        return Ending(leg.asked_at, leg.home)
    part = unpack_branch_legs(row)
    return Ending(None if part.state == HELD else part.asked_at, part.home)


def home_of(event: Any, at: Arrival) -> int:
    """Return the branch that has sent a leg or the legs of a journal, or their end."""
    home = event.debtor_account_id if type(event) is ev.LegRequested else event.home_account_id
    return partition_of(f"{event.tenant_id}/{home}", at.partitions)


def told_at(event: Any, at: Arrival) -> int:
    """Return the time to which an event of a home moves what is known of its time."""
    told: int = min(event.occurred_at, at.recorded_at)
    return told


def ended_for(home: int, event: Any, key: bytes, at: Arrival, rows: Rows) -> None:
    """Note that a row has ended by the time of its home."""
    queue = Queue(ENDED, rows, 0, str(home))
    queue.enqueue(told_at(event, at), key)
    queue.write()


def newest_told(home: int, rows: Rows) -> int:
    """Return the newest time that a home has said, microseconds UTC; `LONG_AGO` for none."""
    return Queue(ENDED, rows, 0, str(home)).newest_at


Mark = list[tuple[tuple[str, ...], bytes | None]]
"""The queues that a command may add to, by their owners, and their rows before it."""


class Retention:
    """The windows of the ledger, and what they mean for its rows."""

    def __init__(self, window_us: int, keep_us: int) -> None:
        """`window_us`: how long ids are recognised; `keep_us`: until both windows are over."""
        self.window_us, self.keep_us = window_us, keep_us

    def is_over(self, ended: Ending, clock: int | None) -> bool:
        """Whether a row counts as absent at a time of its clock."""
        return ended.at is not None and clock is not None and clock - ended.at > self.keep_us

    def is_too_old(self, event: Any, rows: Rows) -> bool:
        """Whether a command is older than ids are recognised: what it repeats or names may be forgotten."""
        watermark = read_watermark(rows)
        return watermark is not None and bool(watermark - event.occurred_at > self.window_us)

    def is_late(self, event: Any, at: Arrival, rows: Rows) -> bool:
        """Whether what a home asks for may have been asked for before, and be forgotten."""
        return bool(newest_told(home_of(event, at), rows) - event.occurred_at > self.keep_us)

    def forget(self, event: Any, at: Arrival, rows: Rows) -> None:
        """Delete the rows that a command names, if they are over."""
        kind, tenant = type(event), event.tenant_id
        if kind is ev.LegRequested:
            return self._forget_of_home(leg_key(tenant, event.leg_id), event, at, rows)
        if kind is ev.JournalLegsRequested:
            key = part_key(tenant, event.home_account_id, event.journal_id)
            return self._forget_of_home(key, event, at, rows)
        keys = []
        if kind in OF_JOURNALS:
            keys += [(event.account_id, event.journal_id)]
        elif kind is ev.PaymentsLinkDecided:
            self._forget_one(link_key(tenant, event.debtor_account_id, event.link_id), rows)
            for one in event.payments[:PAYMENTS_MAX]:
                self._forget_one(payment_key(tenant, one.payment_id), rows)
        elif kind in OF_PAYMENTS:
            self._forget_one(payment_key(tenant, event.payment_id), rows)
        if hasattr(event, "reversal_id"):
            home = event.account_id if kind is ev.JournalReversed else event.debtor_account_id
            keys += [(home, event.reversal_id)]
        for account_id, journal_id in keys:
            self._forget_one(journal_key(tenant, account_id, journal_id), rows)
            earlier = earlier_key(tenant, journal_id)
            row = rows.get(earlier)
            if row is not None and unpack_journal(row).account_id == account_id:
                self._forget_one(earlier, rows)

    def _forget_one(self, key: bytes, rows: Rows) -> None:
        row = rows.get(key)
        if row is not None and self.is_over(ending(key, row), read_watermark(rows)):
            delete(key, row, rows)

    def _forget_of_home(self, key: bytes, event: Any, at: Arrival, rows: Rows) -> None:
        row = rows.get(key)
        if row is None:
            return
        ended = ending(key, row)
        if ended.at is None:
            return
        clock = read_watermark(rows) if ended.home is None else newest_told(ended.home, rows)
        if self.is_over(ended, clock) or event.occurred_at > ended.at:
            rows.delete(key)

    def mark(self, event: Any, at: Arrival, rows: Rows) -> Mark:
        """Return how the queues stand before a command."""
        owners: list[tuple[str, ...]] = [()]
        if type(event) in FROM_HOME:
            owners.append((str(home_of(event, at)),))
        return [(owner, rows.get(ENDED.key(*owner))) for owner in owners]

    def sweep(self, mark: Mark, rows: Rows) -> None:
        """Delete some rows that are over, if a command has closed buckets since its mark."""
        for owner, before in mark:
            if rows.get(ENDED.key(*owner)) == before:
                continue
            queue = Queue(ENDED, rows, self.keep_us, *owner)
            closed = 0 if before is None else ENDED.read_state(before).tail
            if queue.closed > closed:
                keys = queue.sweep(queue.closed - closed)
                found = [rows.get(key) for key in keys]
                self.delete_over(queue.newest_at, keys, found, queue, rows)
                queue.write()

    def delete_over(
        self, clock: int, keys: Sequence[bytes], found: Sequence[bytes | None], queue: Queue, rows: Rows
    ) -> None:
        """Delete those rows of a queue that are over at a time of its clock.

        One that is not goes into the queue once more; one that is open again comes back when it ends.
        """
        seen = set[bytes]()
        for key, row in zip(keys, found, strict=True):
            if row is None or key in seen:
                continue
            seen.add(key)
            ended = ending(key, row)
            if self.is_over(ended, clock):
                delete(key, row, rows)
            elif ended.at is not None:
                queue.again(key)


def delete(key: bytes, row: bytes, rows: Rows) -> None:
    """Delete a row, and those that go with it."""
    rows.delete(key)
    for other in _companions(key, row):
        if rows.get(other) is not None:
            rows.delete(other)


def _companions(key: bytes, row: bytes) -> Iterator[bytes]:
    if key[:1] == b"p":
        _, tenant, payment_id = key.decode().split("\0", 2)
        payment = unpack_payment(row)
        if payment.hold_expires_at is not None or not payment.payment_type:
            yield hold_key(tenant, payment_id)
        if payment.reversing is not None:
            yield taken_key(tenant, payment_id)
            if payment.exchange is not None:
                yield taken_key(tenant, payment_id, payment.credit_currency)
    elif key[:1] == b"j":
        _, tenant, journal_id, *_ = key.decode().split("\0")
        yield part_key(tenant, unpack_journal(row).account_id, journal_id)
