"""Payments that wait for their time (`execute_at`), in front of the decision: they are screened when due.

    payment_initiated -> waits: payment_scheduled -> the partition's time has come: screened, payment_decided
                      -> refused: not_yet, too_old, too_far_ahead, expired, too_many_scheduled
                      -> its id waits already, or did before it was cancelled: exists, or what differs
    payment_cancelled of one that waits -> payment_cancelled; nobody else hears of it
    any other command about one that waits -> refused: payment_scheduled

The partition's time is the newest time of its accepted commands, of each no later than its record. An event
first takes all that is due of its own debtor, and of the debtor whose payment it names; then OTHERS_MAX of
the rest. So whoever is concerned by a payment that is due meets it executed, however far the others are: the
bound is on the work of an event, never on truth.

An executed payment is as if it had been initiated at its time: `occurred_at` of its decision is `execute_at`.
The ids of what it causes derive from its own event, which comes once: a repeat has the time of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import structs

from pipeline.domain.fraud.scheduled_rows import (
    NEVER,
    Clock,
    Due,
    Waiting,
    due_in_order,
    due_of_debtor,
    forget,
    how_many_wait,
    pack_waiting,
    plan,
    read_waiting,
    waiting_key,
)
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.outbox import Outbox, envelope
from pipeline.domain.kernel.repeats import first_of
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.kernel.times import FAR_AHEAD_US

OTHERS_MAX = 100
"""The most rows that an event takes beside those of its own debtors."""
WAITING_MAX = 1000
"""The most payments of one debtor that wait."""
COMMANDS: dict[type, str] = {
    ev.PaymentReviewed: "payment_reviewed",
    ev.PaymentCancelled: "payment_cancelled",
    ev.PaymentCaptured: "payment_captured",
    ev.PaymentExtended: "payment_extended",
    ev.PaymentReversed: "payment_reversed",
}
"""Commands about a payment, and their names in command_refused."""
Execute = Callable[[ev.PaymentInitiated], None]
"""Screens a payment that is due."""


def known_here(rows: Rows, tenant_id: str, payment_id: str, now: int, window_us: int) -> Waiting | None:
    """Return the payment of an id that waits, or was cancelled within the window while it waited."""
    known = read_waiting(rows.get(waiting_key(tenant_id, payment_id)))
    return None if known is None or _is_over(known, now, window_us) else known


def execution_time(event: ev.PaymentInitiated) -> int:
    """Return when a payment counts as initiated: when it happened, or at `execute_at` if that is later."""
    return event.occurred_at if event.execute_at is None else max(event.occurred_at, event.execute_at)


def is_ahead(event: ev.PaymentInitiated, now: int) -> bool:
    """Whether a payment has to wait. One whose `execute_at` has come, or is no later than itself, has not."""
    return event.execute_at is not None and event.execute_at > max(now, event.occurred_at)


def take_due(
    event: Any, clock: Clock, rows: Rows, window_us: int, execute: Execute, most: int = OTHERS_MAX
) -> None:
    """Execute what is due before an event (None: there is none but time), and forget what is over."""
    if not clock.is_due(clock.watermark):
        return
    for debtor in () if event is None else _debtors(event, rows):
        for due in due_of_debtor(rows, event.tenant_id, debtor, clock.watermark):
            _take(due, clock, rows, window_us, execute)
    for number, due in enumerate(due_in_order(rows, clock)):
        if number == most:
            break
        _take(due, clock, rows, window_us, execute)


def schedule(event: ev.PaymentInitiated, clock: Clock, rows: Rows, out: Outbox) -> None:
    """Let a payment wait, and say so."""
    rows.put(waiting_key(event.tenant_id, event.payment_id), pack_waiting(Waiting(event)))
    plan(rows, clock, _due_of(event), waits=True)
    assert event.execute_at is not None
    said = ev.PaymentScheduled(
        *envelope(event, "payment_scheduled"),
        event.payment_id,
        event.debtor_account_id,
        event.creditor_account_id,
        event.amount_minor,
        event.currency,
        event.execute_at,
        event.hold_expires_at,
        event.actor,
        event.hold,
    )
    out.emit("payment-events", f"{event.tenant_id}/{event.debtor_account_id}", said)


def refusal(
    event: ev.PaymentInitiated, recorded_at: int, now: int, window_us: int, ahead_us: int | None, rows: Rows
) -> str | None:
    """Return why a payment may not wait, the first reason that holds, or None.

    `now`: the partition's time; `window_us`: how long ids are known; `ahead_us`: how far a command may be
    ahead of its record, None: as far as it is. All microseconds.
    """
    assert event.execute_at is not None
    end = event.hold_expires_at
    code = first_of(
        (
            ("not_yet", ahead_us is not None and event.occurred_at - recorded_at > ahead_us),
            ("too_old", now - event.occurred_at > window_us),
            ("too_far_ahead", event.execute_at - now > FAR_AHEAD_US or event.execute_at == NEVER),
            ("expired", end is not None and end <= event.execute_at),
        )
    )
    if code is not None:
        return code
    crowded = how_many_wait(rows, event.tenant_id, event.debtor_account_id) >= WAITING_MAX
    return "too_many_scheduled" if crowded else None


def refuse_payment(event: ev.PaymentInitiated, code: str, out: Outbox, execute_at: int | None = None) -> None:
    """Answer a payment that has no effect; `execute_at`: of the one that waits, or may not."""
    debtor, payment_id = event.debtor_account_id, event.payment_id
    refuse(out, event, "payment_initiated", debtor, payment_id, code, execute_at=execute_at)


def about_waiting(known: Waiting, event: Any, clock: Clock, rows: Rows, window_us: int, out: Outbox) -> None:
    """Apply a command about a payment that waits, or was cancelled while it did: only a cancellation has an
    effect, and only one."""
    kind = type(event)
    if known.cancelled_at is None and kind is ev.PaymentCancelled:
        return _cancel(known, event, clock, rows, window_us, out)
    code = "payment_scheduled"
    if known.cancelled_at is not None:
        code = "not_settled" if kind is ev.PaymentReversed else "already_failed"
    ids = {name: getattr(event, name) for name in ("capture_id", "reversal_id") if hasattr(event, name)}
    ids["execute_at"] = known.command.execute_at
    refuse(out, event, COMMANDS[kind], event.debtor_account_id, event.payment_id, code, **ids)


def _cancel(known: Waiting, event: Any, clock: Clock, rows: Rows, window_us: int, out: Outbox) -> None:
    command = known.command
    due = _due_of(command)
    forget(rows, due, waits=True)
    known.cancelled_at = clock.watermark
    rows.put(waiting_key(event.tenant_id, event.payment_id), pack_waiting(known))
    over_at = min(clock.watermark + window_us + 1, NEVER - 1)
    plan(rows, clock, due._replace(time=over_at), waits=False)
    said = ev.PaymentCancelledOutcome(
        *envelope(event, "payment_cancelled"),
        event.payment_id,
        command.debtor_account_id,
        command.creditor_account_id,
        command.amount_minor,
        command.currency,
        "cancelled",
        event.actor,
        command.execute_at,
    )
    out.emit("payment-events", f"{event.tenant_id}/{event.debtor_account_id}", said)


def _debtors(event: Any, rows: Rows) -> Iterator[str]:
    """Yield the debtor of an event, and whoever waits under one of its payment ids."""
    yield event.debtor_account_id
    about = event.payments if type(event) is ev.PaymentsLinked else (event,)
    seen = {event.debtor_account_id}
    for payment in about:
        known = read_waiting(rows.get(waiting_key(event.tenant_id, payment.payment_id)))
        if known is not None and known.cancelled_at is None:
            debtor = known.command.debtor_account_id
            if debtor not in seen:
                seen.add(debtor)
                yield debtor


def _take(due: Due, clock: Clock, rows: Rows, window_us: int, execute: Execute) -> None:
    """Execute a payment that is due, or forget one that was cancelled."""
    key = waiting_key(due.tenant_id, due.payment_id)
    known = read_waiting(rows.get(key))
    if known is not None and known.cancelled_at is None and _due_of(known.command) == due:
        forget(rows, due, waits=True)
        rows.delete(key)
        return execute(structs.replace(known.command, occurred_at=due.time))
    forget(rows, due, waits=False)
    if known is not None and _is_over(known, clock.watermark, window_us):
        rows.delete(key)


def _due_of(command: ev.PaymentInitiated) -> Due:
    assert command.execute_at is not None, "what waits has a time"
    return Due(command.execute_at, command.tenant_id, command.debtor_account_id, command.payment_id)


def _is_over(known: Waiting, now: int, window_us: int) -> bool:
    return known.cancelled_at is not None and now - known.cancelled_at > window_us
