"""What the lifecycle stream says: which payments are stuck, go on again, or have moved money unscreened."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, derived_id, envelope
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.lifecycle.rows import (
    DUE,
    LONG_MAX,
    STUCK_ROW,
    WAITS_FOR,
    Clock,
    Life,
    due_key,
    life_key,
    pack_life,
    read_due_key,
    read_life,
    stuck_key,
)

STUCK_MAX = 100
"""Most alerts that one event raises."""
ALERTS = "payment-alerts"
INVARIANT_ALERTS, EVENTS = "invariant-alerts", "payment-events"
INVARIANT = "settled_unscreened"

STEP_NAMES: dict[type, str] = {
    ev.PaymentScheduled: "payment_scheduled",
    ev.PaymentScreened: "payment_screened",
    ev.PaymentReviewed: "payment_reviewed",
    ev.ProposalDecided: "payment_reviewed",
    ev.PaymentReserved: "payment_reserved",
    ev.PaymentSettled: "payment_settled",
    ev.PaymentRejected: "payment_rejected",
    ev.PaymentFailed: "payment_failed",
    ev.PaymentCancelledOutcome: "payment_cancelled",
    ev.PaymentExpired: "payment_expired",
    ev.PaymentCapturedOutcome: "payment_captured",
    ev.PaymentExtendedOutcome: "payment_extended",
}
"""The name of the step that an event makes."""


def emit_unscreened(event: Any, at: Arrival, out: Outbox) -> None:
    """Emit the alert that a payment has moved money unscreened. Its id derives from the record's offset."""
    name = STEP_NAMES[type(event)]
    out.emit(
        INVARIANT_ALERTS,
        f"{event.tenant_id}/{event.debtor_account_id}",
        ev.InvariantBroken(
            derived_id(cause_name(event), f"{INVARIANT}:{at.partition}:{at.offset}"),
            event.tenant_id,
            event.occurred_at,
            event.correlation_id,
            event.event_id,
            INVARIANT,
            event.debtor_account_id,
            event.currency,
            None,
            "payment_screened that does not decline it, before",
            f"{name} of payment {event.payment_id}, {event.amount_minor} minor units",
            EVENTS,
            at.partition,
            at.offset,
        ),
    )


def raise_alerts(clock: Clock, rows: Rows, out: Outbox) -> None:
    """Emit payment_stuck for payments that are due by the clock, in the order of their due times."""
    due = rows.scan(row_key(DUE, ""), due_key(max(clock.earliest, 0)))
    clock.earliest = LONG_MAX
    for raised, (key, _) in enumerate(due):
        due_at, tenant_id, payment_id = read_due_key(key)
        if due_at > clock.watermark or raised == STUCK_MAX:
            clock.earliest = due_at
            return
        rows.delete(key)
        life = read_life(rows, tenant_id, payment_id)
        assert life is not None, "what is due has a life"
        _mark_stuck(life, due_at, tenant_id, payment_id, rows, out)


def _mark_stuck(life: Life, due_at: int, tenant_id: str, payment_id: str, rows: Rows, out: Outbox) -> None:
    last = life.steps[-1]
    cause = "\0".join((tenant_id, life.debtor_account_id, payment_id, last.event_id))  # routing.cause_name
    life.due_at, life.stuck_id = None, derived_id(cause, "payment_stuck")
    rows.put(life_key(tenant_id, payment_id), pack_life(life))
    rows.put(stuck_key(tenant_id, life.debtor_account_id, payment_id), STUCK_ROW.head)
    out.emit(
        ALERTS,
        f"{tenant_id}/{life.debtor_account_id}",
        ev.PaymentStuck(
            life.stuck_id,
            tenant_id,
            due_at,
            last.correlation_id,
            last.event_id,
            payment_id,
            life.debtor_account_id,
            life.creditor_account_id,
            life.amount_minor,
            life.currency,
            WAITS_FOR[life.state],
            life.progressed_at,
        ),
    )


def emit_resumed(stuck_id: str, life: Life, event: Any, out: Outbox) -> None:
    """Emit payment_resumed for a payment of which payment_stuck was said."""
    out.emit(
        ALERTS,
        f"{event.tenant_id}/{life.debtor_account_id}",
        ev.PaymentResumed(
            *envelope(event, "payment_resumed"),
            event.payment_id,
            life.debtor_account_id,
            stuck_id,
        ),
    )
