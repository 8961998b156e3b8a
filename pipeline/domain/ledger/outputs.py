"""Outputs of the ledger: outcomes of payments and balances; and the events that only branches send."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.outbox import Outbox, envelope
from pipeline.domain.ledger.rows import FROZEN_NAMES, STATUS_NAMES, Account

BETWEEN_BRANCHES = frozenset(
    {
        *(ev.LegRequested, ev.LegPosted, ev.LegRefused),
        *(ev.JournalLegsRequested, ev.JournalLegsAnswered, ev.JournalLegsEnded),
    }
)
"""Requests and answers between branches of the ledger; no upstream may send them."""

_OUTCOMES: dict[str, Any] = {
    "payment_reserved": ev.PaymentReserved,
    "payment_settled": ev.PaymentSettled,
    "payment_rejected": ev.PaymentRejected,
    "payment_failed": ev.PaymentFailed,
    "payment_cancelled": ev.PaymentCancelledOutcome,
    "payment_expired": ev.PaymentExpired,
}


def announce(
    out: Outbox, cause: Any, payment: Any, outcome: str, code: str, amount: int | None = None, **more: Any
) -> None:
    """Emit the outcome of a payment, keyed by its debtor; `amount` replaces the payment's own amount.

    `more`: fields that only this outcome has.
    """
    out.emit(
        "payment-events",
        f"{cause.tenant_id}/{payment.debtor_account_id}",
        _OUTCOMES[outcome](
            *envelope(cause, outcome),
            cause.payment_id,
            payment.debtor_account_id,
            payment.creditor_account_id,
            payment.amount_minor if amount is None else amount,
            payment.currency,
            code,
            actor=cause.actor,
            **more,
        ),
    )


def announce_linked(
    out: Outbox, cause: Any, index: int, payment_id: str, payment: Any, outcome: str, code: str, **more: Any
) -> None:
    """Emit the outcome of one payment of a link, as `announce`; `index` is its place in the link."""
    out.emit(
        "payment-events",
        f"{cause.tenant_id}/{payment.debtor_account_id}",
        _OUTCOMES[outcome](
            *envelope(cause, f"{outcome}:{index}"),
            payment_id,
            payment.debtor_account_id,
            payment.creditor_account_id,
            payment.amount_minor,
            payment.currency,
            code,
            actor=cause.actor,
            **more,
        ),
    )


def emit_balance(out: Outbox, cause: Any, account_id: str, account: Account) -> None:
    """Emit the balance of an account."""
    out.emit(
        "balances",
        f"{cause.tenant_id}/{account_id}",
        ev.BalanceUpdated(
            f"{cause.event_id}:{cause.tenant_id}/{account_id}",
            cause.tenant_id,
            cause.occurred_at,
            cause.correlation_id,
            cause.event_id,
            account_id,
            ACCOUNT_TYPES[account.account_type],
            account.currency,
            account.debits_pending,
            account.debits_posted,
            account.credits_pending,
            account.credits_posted,
            account.available_minor,
            account.balance_minor,
            account.sequence,
            account.overdraft_limit_minor,
            STATUS_NAMES[account.status],
            account.minimum_balance_minor,
            account.maximum_balance_minor,
            FROZEN_NAMES[account.frozen],
        ),
    )
