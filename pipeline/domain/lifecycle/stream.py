"""The lifecycle stream: states, times and causes of every payment, and an alert for a stuck payment.

    payment_scheduled, _screened, _reviewed (fraud stream) -> a step of the payment; no step is a review that
                                                              needs a second person
    proposal_decided APPROVED (ledger)                 -> of such a review: a step, and the clock advances
    payment_reserved, _settled, _rejected, ... (ledger) -> a step, and the clock advances
    command_refused (ledger)                           -> counted, and the clock advances
    the clock has reached a due time                   -> payment_stuck; payment_resumed at the next step
    money has moved, and no screening let it through   -> invariant_broken: settled_unscreened

A payment is stuck when the ledger of its branch has advanced in event time by a bound without any step of
this payment. So only events of the ledger move the clock, each to its own time, but never to a later time
than Kafka's timestamp. Events of the fraud stream do not: that may be far ahead of the ledger after an
outage. Payments that wait for a person's review have a separate bound.

The fraud stream writes a payment's decision (to the ledger's log) and its screening (here) in one
transaction, and the ledger answers a decision after that transaction has committed. So in the order of this
log, whatever the clocks say, the screening stands before every answer. An answer that moves money, of a
payment that no screening has let through, is the answer to a decision that the fraud stream has not made.

A life that has ended is over once the clock is past both windows since it was needed last: it counts as
absent then, and its row is deleted with a bucket of others (`kernel.retention`). A screening of its id may
still be on its way to the ledger, so it counts as need.

Due times are rounded up to whole seconds, so that many payments become stuck together. One event raises at
most STUCK_MAX alerts; the next events raise the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.ids import check_ids
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.retention import Queue, Windows
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY, hold_end
from pipeline.domain.lifecycle.outputs import STEP_NAMES, emit_resumed, emit_unscreened, raise_alerts
from pipeline.domain.lifecycle.reviews import review_of
from pipeline.domain.lifecycle.rows import (
    DUE_ROW,
    ENDED,
    LONG_MAX,
    NOT_ASKED,
    NOT_KEPT,
    UNSCREENED,
    WAITS_FOR,
    Clock,
    Life,
    Step,
    due_key,
    life_key,
    pack_life,
    read_clock,
    read_life,
    stuck_key,
    unpack_life,
    write_clock,
)
from pipeline.domain.lifecycle.screened import is_unscreened, let_through, new_life
from pipeline.domain.lifecycle.settings import LifecycleSettings
from pipeline.domain.tenants.settings import UNRESTRICTED, Tenants

SECOND_US = 1_000_000
WINDOWS = Windows()

STATES: dict[type, str] = {
    ev.PaymentReserved: "RESERVED",
    ev.PaymentSettled: "SETTLED",
    ev.PaymentRejected: "REJECTED",
    ev.PaymentFailed: "FAILED",
    ev.PaymentCancelledOutcome: "CANCELLED",
    ev.PaymentExpired: "EXPIRED",
    ev.PaymentCapturedOutcome: "AUTHORISED",
    ev.PaymentExtendedOutcome: "AUTHORISED",
}
"""The state of a payment after each event of the ledger; `_state_after` has the exceptions."""
TAKEN = frozenset({*STEP_NAMES, ev.CommandRefused, ev.CommandProposed})
FROM_FRAUD = (ev.PaymentScheduled, ev.PaymentScreened, ev.PaymentReviewed)
"""Events of the fraud stream; they do not move the clock."""
ENDS_OF_WAITING = (ev.PaymentCancelledOutcome, ev.CommandRefused)
"""What the fraud stream answers to commands about payments that wait; the ledger, to those about others."""


class Lifecycle:
    """The rules of the stream; holds no state of its own."""

    def __init__(
        self,
        settings: LifecycleSettings | None = None,
        windows: Windows = WINDOWS,
        tenants: Tenants = UNRESTRICTED,
    ) -> None:
        settings = settings or LifecycleSettings()
        self._tenants = tenants
        self.keep_us = windows.both_days * MICROSECONDS_PER_DAY
        """How long a life is kept once it has ended."""
        self._bounds_us = {
            state: (settings.review_after_s if waits_for == "review" else settings.stuck_after_s) * SECOND_US
            for state, waits_for in WAITS_FOR.items()
        }

    def apply(self, event: Any, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        """Apply one event of payment-events. Raises Reject for one that belongs in dead letters."""
        kind = type(event)
        if kind not in TAKEN:
            raise Reject("unexpected_event", kind.__name__)
        if event.payment_id is not None:
            check_ids(event)
        clock = read_clock(rows)
        before = clock.watermark, clock.earliest
        seen = min(event.occurred_at, at.recorded_at)
        if not is_of_fraud(kind, event):
            clock.watermark = max(clock.watermark, seen)
        if event.payment_id is not None:
            now = max(clock.watermark, seen)
            self._apply_to_life(event, at, now, clock, rows, out)
        if clock.earliest <= clock.watermark:
            raise_alerts(clock, rows, out)
        if before != (clock.watermark, clock.earliest):
            write_clock(rows, clock)

    @staticmethod
    def keys(event: Any) -> Iterable[bytes]:
        """Return the keys of the rows that applying `event` reads."""
        if type(event) in TAKEN and event.payment_id is not None:
            yield life_key(event.tenant_id, event.payment_id)

    def _apply_to_life(
        self, event: Any, at: Arrival, now: int, clock: Clock, rows: PrefetchingRows, out: Outbox
    ) -> None:
        names = event.tenant_id, event.payment_id
        life = read_life(rows, *names)
        if life is not None and self.is_over(life, clock.watermark):
            life = None
        last = None if life is None else life.steps[-1]
        due_at, stuck_id = (None, None) if life is None else (life.due_at, life.stuck_id)
        broken = is_unscreened(life, type(event))
        life = self.follow(life, type(event), event, at.recorded_at, now)
        if life is None:
            return
        if broken:
            emit_unscreened(event, at, out)
        rows.put(life_key(*names), pack_life(life))
        if stuck_id is not None and life.stuck_id is None:
            rows.delete(stuck_key(event.tenant_id, life.debtor_account_id, event.payment_id))
            emit_resumed(stuck_id, life, event, out)
        if life.has_ended and life.steps[-1] is not last:
            self._end(life_key(*names), life, clock.watermark, rows)
        if due_at == life.due_at:
            return
        if due_at is not None:
            rows.delete(due_key(due_at, *names))
        if life.due_at is not None:
            rows.put(due_key(life.due_at, *names), DUE_ROW.head)
            clock.earliest = min(clock.earliest, life.due_at)

    def is_over(self, life: Life, watermark: int) -> bool:
        """Whether a life has ended so long ago that it counts as absent."""
        return life.has_ended and watermark - life.needed_at > self.keep_us

    def _end(self, key: bytes, life: Life, watermark: int, rows: PrefetchingRows) -> None:
        """Remember that a life has ended, and delete some that are over."""
        queue = Queue(ENDED, rows, self.keep_us)
        keys = queue.add(life.progressed_at, key)
        if keys:
            found = zip(keys, rows.get_many(keys), strict=True)
            lives = {key: unpack_life(row) for key, row in found if row is not None}
            for gone in self.swept(lives, watermark, queue):
                rows.delete(gone)
        queue.write()

    def swept(self, lives: dict[bytes, Life], watermark: int, queue: Queue) -> list[bytes]:
        """Return the keys of those lives that are over; what was screened again stays in the queue.

        So does what has ended by the time of the fraud stream, where the ledger's is still far behind.
        """
        over = []
        for key, life in lives.items():
            if self.is_over(life, watermark):
                over.append(key)
            elif life.has_ended and (
                life.needed_at > life.progressed_at or queue.newest_at - life.progressed_at > self.keep_us
            ):
                queue.again(key)
        return over

    def follow(self, life: Life | None, kind: type, event: Any, recorded_at: int, now: int) -> Life | None:
        """Return the life of a payment after an event about it; None if nothing has changed.

        `life` is changed in place; None: there is none yet. `kind` is the class of the event, `event` has its
        fields; `recorded_at` and `now` (the event time of the step) are microseconds UTC.
        """
        if kind is ev.CommandRefused:
            return None if life is None else _count_refused(life)
        if kind is ev.PaymentScheduled:
            if life is not None and not life.has_ended:
                return None
            life = new_life(event, False, life)
            life.execute_at, life.hold_expires_at = event.execute_at, hold_end(event)
            return self._advance(life, "SCHEDULED", "ok", kind, event, recorded_at, now)
        if kind is ev.PaymentScreened:
            passed = event.outcome != "DECLINE"
            if life is not None and life.state == "SCHEDULED":
                life.to_review = event.outcome == "REVIEW"
            elif life is not None and not life.is_forgotten:
                # A repeated id: the ledger refuses it, and the refusal is counted. If the ledger accepts it,
                # because the first one was too old, the new life lacks the outcome of this screening.
                if life.has_ended:
                    life.screened_again_at = now
                elif not passed or life.screened != UNSCREENED:
                    return None
                return let_through(life) if passed and life.screened == UNSCREENED else life
            else:
                life = new_life(event, event.outcome == "REVIEW", life)
                life.hold_expires_at, life.link_id = hold_end(event), event.link_id
            if passed:
                let_through(life)
            return self._advance(life, "SCREENED", event.outcome.lower(), kind, event, recorded_at, now)
        if kind is ev.CommandProposed:
            return None
        if kind is ev.PaymentReviewed or kind is ev.ProposalDecided:
            approved = review_of(life, kind, event, self._tenants)
            if life is None or approved is None:
                return None
            life.to_review = False
            state = life.state
            if state == "HELD":
                state = _reserved(life) if approved else "RESERVED"
            code = "approved" if approved else "declined"
            return self._advance(life, state, code, kind, event, recorded_at, now)
        if kind is ev.PaymentRejected and event.code in NOT_KEPT and life is not None and _is_known(life):
            return _count_refused(life)
        unscreened = is_unscreened(life, kind)
        if life is None or life.is_forgotten:
            life = new_life(event, False, life)
        if unscreened:
            life.screened = NOT_ASKED
        if kind is ev.PaymentExtendedOutcome:
            life.hold_expires_at = event.hold_expires_at
        return self._advance(life, _state_after(life, kind, event), event.code, kind, event, recorded_at, now)

    def _advance(
        self, life: Life, state: str, code: str, kind: type, event: Any, recorded_at: int, now: int
    ) -> Life:
        """Add a step and enter its state; set the due time if the state is not final."""
        ids = event.event_id, event.causation_id, event.correlation_id
        life.steps.append(Step(STEP_NAMES[kind], state, code, event.occurred_at, recorded_at, *ids))
        life.state, life.progressed_at = state, now
        life.due_at = life.stuck_id = None
        bound_us = self._bounds_us.get(state)
        if bound_us is None:
            life.to_review = False
        else:
            if state == "AUTHORISED" and life.hold_expires_at is not None:
                now = max(now, life.hold_expires_at)  # it may wait until then
            elif state == "SCHEDULED" and life.execute_at is not None:
                now = max(now, life.execute_at)
            life.due_at = min(max(0, -(-(now + bound_us) // SECOND_US) * SECOND_US), LONG_MAX)
        return life


def is_of_fraud(kind: type, event: Any) -> bool:
    """Whether the fraud stream says an event: of a payment that waits it names the time."""
    return kind in FROM_FRAUD or (kind in ENDS_OF_WAITING and event.execute_at is not None)


def _state_after(life: Life, kind: type, event: Any) -> str:
    """Return the state of a payment after an event of the ledger."""
    if kind is ev.PaymentReserved:
        return "HELD" if life.to_review else _reserved(life)
    if kind is ev.PaymentCapturedOutcome and event.held_minor <= 0:
        return "SETTLED"
    return STATES[kind]


def _reserved(life: Life) -> str:
    """Return the state of a reserved payment that needs no review."""
    return "RESERVED" if life.hold_expires_at is None else "AUTHORISED"


def _is_known(life: Life) -> bool:
    """Whether the ledger has answered a payment already: then a code of NOT_KEPT is said of a repeat."""
    return life.state != "SCREENED"


def _count_refused(life: Life) -> Life:
    """Count a refused command."""
    life.refused += 1
    return life
