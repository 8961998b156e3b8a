"""The leg of a payment on the creditor's branch: requested by the debtor's branch, posted or refused here.

    leg_requested -> the creditor is credited against this branch's clearing account -> leg_posted
                  -> or cannot be                                                    -> leg_refused

A leg is remembered by its id, so one that is sent again has no second effect, until both windows are over.
"""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import Overflow
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, envelope
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.account_ids import clearing_account_id
from pipeline.domain.ledger.books import Books, EntryDetails
from pipeline.domain.ledger.due import CREDIT, Take
from pipeline.domain.ledger.exchange import told
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.retention import Retention, TakenLeg, ended_for, home_of
from pipeline.domain.ledger.rows import LEG_ROW, leg_key
from pipeline.domain.ledger.value_times import told_time


def request_leg(
    event: Any, payment: Payment, books: Books, out: Outbox, leg_id: str, amount: int, credited: int
) -> None:
    """Ask the creditor's branch to book its side of an amount, and say when both sides count.

    `credited`: what the creditor gets for it, in the creditor's currency.
    """
    out.emit(
        "ledger-commands",
        f"{event.tenant_id}/{payment.creditor_account_id}",
        ev.LegRequested(
            *envelope(event, "leg_requested"),
            leg_id,
            event.payment_id,
            payment.creditor_account_id,
            payment.debtor_account_id,
            payment.creditor_account_id,
            credited,
            payment.credit_currency,
            books.branch,
            payment.reference,
            *books.value_time(),
            event.actor,
            payment.metadata,
            exchange=told(payment.exchange, amount, payment.currency, credited),
        ),
    )


def post_leg(
    retention: Retention, take: Take, event: ev.LegRequested, at: Arrival, rows: Rows, out: Outbox
) -> None:
    """Credit the creditor of a payment of another branch, and answer that branch; or refuse its leg.

    `take`: applies what is due on accounts.
    Raises: Reject for a leg that was posted or refused before.
    """
    key, is_late = leg_key(event.tenant_id, event.leg_id), retention.is_late(event, at, rows)
    if not is_late and rows.get(key) is not None:
        raise Reject("leg_exists")
    take([(event.creditor_account_id, CREDIT)], event, at, rows, out)
    books = Books(event, at, rows)
    when = told_time(event, books.closed_through)
    creditor, amount = event.creditor_account_id, event.amount_minor
    code: str | None = "too_old" if is_late else "amount_must_be_positive"
    if amount > 0 and not is_late:
        code = books.creditor_code(creditor, event.currency, amount)
    if code is None:
        clearing = clearing_account_id(event.currency, at.partition)
        books.open_internal(clearing, event.currency)
        about = EntryDetails(
            event.payment_id, event.reference, when=when, metadata=event.metadata, exchange=event.exchange
        )
        try:
            books.enter(out, "leg", clearing, creditor, amount, about)
        except Overflow:
            code = "overflow"
    if not is_late:
        home = home_of(event, at)
        rows.put(key, LEG_ROW.pack(TakenLeg(event.occurred_at, home)))
        ended_for(home, event, key, at, rows)
    fields = (
        *envelope(event, "leg_answer"),
        event.leg_id,
        event.payment_id,
        event.debtor_account_id,
        event.creditor_account_id,
        event.amount_minor,
        event.currency,
    )
    answer: ev.LegPosted | ev.LegRefused
    if code is None:
        books.save(out)
        answer = ev.LegPosted(*fields, *when, event.actor)
    else:
        answer = ev.LegRefused(*fields, code, event.actor)
    out.emit("ledger-commands", f"{event.tenant_id}/{event.debtor_account_id}", answer)
