"""Where `LEDGERFLOW_BACKDATING` is `refuse`: a back-dated debit is refused, as `back_dated`.

The ledger cannot tell whether the money was there then, so it refuses every command that would post one,
whether or not it would overdraw anything. Like `not_yet` it is decided before anything else is done with
the command, and its id is not remembered. A command that has no effect anyway is answered by its own rule:
what it names is not there, does not wait for it, its id is known, or it is too old.

What is held was set aside when it was held, and what one branch asks of another was decided by the first:
neither is refused, so a held journal that names its time is judged when it is submitted.
"""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.back_dating import is_back_dated
from pipeline.domain.ledger.holds import read_hold
from pipeline.domain.ledger.journals import HELD, read_journal
from pipeline.domain.ledger.not_yet import answer_unremembered
from pipeline.domain.ledger.repeats import confirmation_code
from pipeline.domain.ledger.rows import closed_key, read_number, read_payment, read_watermark
from pipeline.domain.ledger.value_times import value_time

CODE = "back_dated"
_ASKING = (ev.JournalSubmitted, ev.JournalReversed)
"""Commands that may ask for a time."""
_FORGOTTEN = (
    *(ev.PaymentDecided, ev.PaymentsLinkDecided, ev.PaymentReversed),
    *(ev.JournalSubmitted, ev.JournalReversed),
)
"""Commands that are too old at some time, and then answered so."""
_JUDGED = frozenset((*_FORGOTTEN, ev.PaymentReviewed, ev.PaymentCaptured, ev.JournalConfirmed))


def answer_back_dated(window: int, event: Any, at: Arrival, rows: Rows, out: Outbox) -> bool:
    """Refuse a command that would post a back-dated debit; return whether it is answered.

    `window`: how long ids are remembered, microseconds of event time.
    """
    if type(event) not in _JUDGED:
        return False
    watermark = read_watermark(rows)
    if watermark is None or not _is_late(event, watermark, rows):
        return False
    if type(event) in _FORGOTTEN and watermark - event.occurred_at > window:
        return False
    return _posts(event, rows) and answer_unremembered(event, CODE, rows, out)


def _is_late(event: Any, watermark: int, rows: Rows) -> bool:
    """Whether what a command posts would be back-dated; of a journal for later, once its time has come."""
    later = event.execute_at if type(event) is ev.JournalSubmitted else None
    if later is not None and later > max(event.occurred_at, watermark):
        return event.effective_at is not None and is_back_dated(event.effective_at, later)
    return is_back_dated(_counts_at(event, rows), watermark)


def _counts_at(event: Any, rows: Rows) -> int:
    """Return when what a command posts would count."""
    asked_at = event.effective_at if isinstance(event, _ASKING) else None
    closed_through = read_number(rows, closed_key(event.tenant_id))
    return value_time(asked_at, event.occurred_at, closed_through, None).counts_at(event.occurred_at)


def _posts(event: Any, rows: Rows) -> bool:
    """Whether a command would post a debit if there is money, and nothing else stands against it."""
    kind, tenant = type(event), event.tenant_id
    if kind is ev.PaymentDecided or kind is ev.PaymentsLinkDecided:
        return True  # one whose id is known is answered as any repeat
    if kind is ev.JournalSubmitted:
        return read_journal(rows, tenant, event.account_id, event.journal_id) is None
    if kind is ev.JournalReversed or kind is ev.JournalConfirmed:
        journal = read_journal(rows, tenant, event.account_id, event.journal_id)
        if journal is None:
            return False
        if kind is ev.JournalReversed:
            return read_journal(rows, tenant, event.account_id, event.reversal_id) is None
        known = confirmation_code(journal, event) is not None
        return journal.state == HELD and journal.effective_at is None and not known
    payment = read_payment(rows, tenant, event.payment_id)
    if payment is None or payment.debtor_account_id != event.debtor_account_id:
        return False
    if kind is ev.PaymentReviewed:
        return bool(event.approved) and payment.state == "HELD"
    if kind is ev.PaymentReversed:
        return read_journal(rows, tenant, event.debtor_account_id, event.reversal_id) is None
    hold = read_hold(rows, tenant, event.payment_id)
    return hold is not None and all(one.capture_id != event.capture_id for one in hold.captures)
