"""The ledger of one branch (partition): double entry, reserve, settle, release.

    payment_decided -> reserve on the debtor -> creditor on this branch: settle at once
                                             -> creditor elsewhere: leg_requested to its branch
    leg_requested   -> credit the creditor against this branch's clearing account -> leg_posted / leg_refused
    leg_posted      -> settle: debit the debtor against the clearing account
    leg_refused     -> release the hold: the payment has failed

Here is the way of an ordinary payment; other commands have their rules beside it: `accounts` (limits,
status, periods), `holds` (payments that are captured), `journals` (many legs),
`reversals`. What waits for a time is in `due`, and is taken as event time moves on.

What never changes: every entry has one debit and one credit of the same amount on the same branch, so the
postings of a branch sum to zero after every event, and so do its pending counters. A hold stands between the
debtor and either the creditor (same branch) or the clearing account. A posting, once emitted, is never
altered. All rules run on copies of the rows; rows and outputs are written only after nothing can fail.
Result codes are TigerBeetle's terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.money import Overflow
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, derived_id, envelope
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger import accounts, holds, journals, reversals
from pipeline.domain.ledger.books import About, Books, can_be_opened, clearing_account_id
from pipeline.domain.ledger.due import HOLD, JOURNAL, NEXT_KEY, take_due
from pipeline.domain.ledger.journals import journal_key, part_key
from pipeline.domain.ledger.outputs import announce
from pipeline.domain.ledger.rows import (
    LEG_ROW,
    Payment,
    account_key,
    advance_watermark,
    closed_key,
    leg_key,
    payment_key,
    read_payment,
    write_payment,
)
from pipeline.domain.tenants.settings import UNRESTRICTED, Tenants

MICROSECONDS_PER_DAY = 86_400_000_000


class LedgerRules(msgspec.Struct, frozen=True):
    """The settings of the ledger."""

    dedupe_window_days: int = 90
    """How long a payment id is remembered, in days of event time; an older payment is `too_old`."""
    tenants: Tenants = UNRESTRICTED
    """Who may open accounts, in which currencies."""


def dedupe_window(rules: LedgerRules | None) -> int:
    """Return how long payment ids are remembered, in microseconds of event time."""
    return (rules or LedgerRules()).dedupe_window_days * MICROSECONDS_PER_DAY


class Ledger:
    """The rules of the ledger over the rows of one branch; holds no state of its own."""

    def __init__(self, rules: LedgerRules | None = None) -> None:
        self._window = dedupe_window(rules)
        tenants = UNRESTRICTED if rules is None else rules.tenants
        self._rules: dict[type, Callable[[Any, Arrival, Rows, Outbox], None]] = {
            ev.AccountOpened: partial(accounts.open_account, tenants=tenants),
            ev.AccountLimitSet: accounts.set_limit,
            ev.AccountFrozen: accounts.freeze_account,
            ev.AccountUnfrozen: accounts.unfreeze_account,
            ev.AccountClosed: accounts.close_account,
            ev.AccountReopened: accounts.reopen_account,
            ev.PeriodClosed: accounts.close_period,
            ev.PaymentDecided: self._decide_payment,
            ev.PaymentReviewed: self._review_payment,
            ev.PaymentCancelled: self._cancel_payment,
            ev.LegRequested: self._post_leg,
            ev.LegPosted: self._settle_remote,
            ev.LegRefused: self._fail_remote,
            ev.JournalLegsRequested: journals.hold_legs,
            ev.JournalLegsAnswered: journals.answered,
            ev.JournalLegsEnded: journals.end_legs,
        }
        self._timed: dict[type, Callable[[Any, int, Arrival, Rows, Outbox], None]] = {
            ev.PaymentCaptured: holds.capture,
            ev.PaymentExtended: holds.extend,
            ev.PaymentReversed: partial(reversals.reverse_payment, self._window),
            ev.JournalSubmitted: partial(journals.submit, self._window),
            ev.JournalConfirmed: journals.confirm,
            ev.JournalVoided: journals.void,
            ev.JournalReversed: partial(reversals.reverse_journal, self._window),
        }
        """Commands that move the branch's event time on, and are told where it stands."""

    def apply(self, event: Any, at: Arrival, rows: Rows, out: Outbox) -> None:
        """Apply one command; raise `Reject` for one that belongs in dead letters."""
        kind = type(event)
        if kind not in self._rules and kind not in self._timed:
            raise Reject("unexpected_event", kind.__name__)
        tenant = event.tenant_id
        if not tenant or "/" in tenant or "\0" in tenant:
            raise Reject("invalid_tenant_id")  # its keys could be another tenant's, or an internal account's
        if kind in self._rules:
            self._rules[kind](event, at, rows, out)
        else:
            self._timed[kind](event, self._advance(event, at, rows, out), at, rows, out)

    @staticmethod
    def _advance(event: Any, at: Arrival, rows: Rows, out: Outbox) -> int:
        """Move the branch's event time on to an event, let fall due what is due, and return the time."""
        watermark = advance_watermark(rows, event.occurred_at, at.recorded_at)
        for due in take_due(rows, watermark):
            if due.kind == HOLD:
                holds.expire(due, at, rows, out)
            elif due.kind == JOURNAL:
                journals.expire(due, at, rows, out)
            else:
                accounts.begin_limit(due, rows, out)
        return watermark

    @staticmethod
    def keys(event: Any) -> Iterable[bytes]:
        """Return the keys of the rows that applying `event` reads."""
        tenant, kind = event.tenant_id, type(event)
        yield closed_key(tenant)
        if kind is ev.PaymentDecided:
            yield NEXT_KEY
        if kind is ev.PaymentDecided or kind is ev.LegPosted or kind is ev.LegRefused:
            yield payment_key(tenant, event.payment_id)
            yield account_key(tenant, event.debtor_account_id)
            yield account_key(tenant, event.creditor_account_id)
        elif kind is ev.LegRequested:
            yield leg_key(tenant, event.leg_id)
            yield account_key(tenant, event.creditor_account_id)
        elif hasattr(event, "payment_id"):
            yield payment_key(tenant, event.payment_id)
        elif kind is ev.JournalLegsRequested or kind is ev.JournalLegsEnded:
            yield part_key(tenant, event.home_account_id, event.journal_id)
        elif hasattr(event, "journal_id"):
            yield journal_key(tenant, event.journal_id)
        elif hasattr(event, "account_id"):
            yield account_key(tenant, event.account_id)

    # --- payments, on the debtor's branch

    def _decide_payment(self, event: ev.PaymentDecided, at: Arrival, rows: Rows, out: Outbox) -> None:
        tenant = event.tenant_id
        known = read_payment(rows, tenant, event.payment_id)
        if known is not None:
            code = repeat_code(known, event)
            return refuse(out, event, "payment_initiated", event.debtor_account_id, event.payment_id, code)
        watermark = self._advance(event, at, rows, out)
        if watermark - event.occurred_at > self._window:
            # Not remembered: its id would outlive the window that makes forgetting safe.
            return announce(out, event, event, "payment_rejected", "too_old")
        payment = Payment(
            "REJECTED",
            "",
            event.debtor_account_id,
            event.creditor_account_id,
            event.amount_minor,
            event.currency,
            event.reference,
            event.occurred_at,
        )
        books = Books(event, at, rows)
        expires_at, debtor = event.hold_expires_at, payment.debtor_account_id
        refusal = self._refusal(event, books)
        if refusal is None and expires_at is not None and expires_at <= watermark:
            refusal = "expired"
        if refusal is None:
            counterpart = books.counterpart(payment)
            refusal = books.reserve(debtor, counterpart, payment.currency, payment.amount_minor)
        if refusal is not None:
            payment.code = refusal
            write_payment(rows, tenant, event.payment_id, payment)
            return announce(out, event, payment, "payment_rejected", refusal)
        announce(out, event, payment, "payment_reserved", "ok")
        if expires_at is not None:
            return holds.authorise(event, payment, books, out)
        if event.outcome == "REVIEW":
            payment.state = "HELD"
            payment.code = "ok"
            books.say_hold(out, "PLACED", event.payment_id, debtor, payment.amount_minor, "hold_placed")
            books.save(out)
            return write_payment(rows, tenant, event.payment_id, payment)
        self._proceed(event, payment, books, out)

    @staticmethod
    def _refusal(event: ev.PaymentDecided, books: Books) -> str | None:
        """Return why a payment cannot be reserved, the first reason that holds, or None."""
        if event.outcome == "DECLINE":
            return "declined"
        if event.amount_minor <= 0:
            return "amount_must_be_positive"
        if event.debtor_account_id == event.creditor_account_id:
            return "accounts_must_differ"
        code = books.debtor_code(event.debtor_account_id, event.currency)
        if code is not None:
            return code
        if not can_be_opened(event.creditor_account_id):
            return "creditor_not_found"  # on no branch: it needs no leg to find out
        if books.is_local(event.creditor_account_id):
            return books.creditor_code(event.creditor_account_id, event.currency, event.amount_minor)
        return None

    def _proceed(self, event: Any, payment: Payment, books: Books, out: Outbox) -> None:
        """Settle a reserved payment on this branch, or ask the creditor's branch for its leg."""
        debtor = payment.debtor_account_id
        if books.is_local(payment.creditor_account_id):
            self._settle(event, payment, books, out)
        else:
            if payment.state != "HELD":
                books.say_hold(out, "PLACED", event.payment_id, debtor, payment.amount_minor, "hold_placed")
            payment.state, payment.code = "IN_FLIGHT", "ok"
            books.save(out)
            # Of the payment, not of the event: an upstream may give one event id to two payments.
            leg_id = derived_id(debtor, f"leg:{event.payment_id}")
            holds.request_leg(event, payment, books, out=out, leg_id=leg_id, amount=payment.amount_minor)
        write_payment(books.rows, event.tenant_id, event.payment_id, payment)

    @staticmethod
    def _settle(event: Any, payment: Payment, books: Books, out: Outbox) -> None:
        """Turn the hold of a payment into an entry: the creditor's, or that of the clearing account."""
        debtor, credit = payment.debtor_account_id, books.counterpart(payment)
        books.release(debtor, credit, payment.currency, payment.amount_minor)
        payment.state, payment.code = "SETTLED", "ok"
        about = About(event.payment_id, payment.reference)
        books.enter(out, "settle", debtor, credit, payment.amount_minor, about)
        books.save(out)
        announce(out, event, payment, "payment_settled", "ok")

    def _review_payment(self, event: ev.PaymentReviewed, at: Arrival, rows: Rows, out: Outbox) -> None:
        payment = self._held(event, "payment_reviewed", rows, out)
        if payment is None:
            return
        if payment.state == "AUTHORISED":
            return holds.review(event, payment, at, rows, out)
        books = Books(event, at, rows)
        if not event.approved:
            return self._release(event, payment, books, out, "payment_rejected", "declined", "REJECTED")
        code = None
        if books.is_local(payment.creditor_account_id):
            code = books.creditor_code(payment.creditor_account_id, payment.currency)
        if code is not None:
            return self._release(event, payment, books, out, "payment_failed", code, "FAILED")
        self._proceed(event, payment, books, out)

    def _cancel_payment(self, event: ev.PaymentCancelled, at: Arrival, rows: Rows, out: Outbox) -> None:
        payment = self._held(event, "payment_cancelled", rows, out)
        if payment is None:
            return
        if payment.state == "AUTHORISED":
            holds.cancel(event, payment, at, rows, out)
        else:
            books = Books(event, at, rows)
            self._release(event, payment, books, out, "payment_cancelled", "cancelled", "CANCELLED")

    @staticmethod
    def _held(event: Any, command: str, rows: Rows, out: Outbox) -> Payment | None:
        """Return the payment if it is held; otherwise answer why the command has no effect."""
        payment = read_payment(rows, event.tenant_id, event.payment_id)
        if payment is not None and payment.debtor_account_id != event.debtor_account_id:
            payment = None
        if payment is None:
            code = "payment_not_found"
        elif payment.state in ("HELD", "AUTHORISED"):
            return payment
        else:
            code = {"IN_FLIGHT": "payment_in_flight", "SETTLED": "already_settled"}.get(
                payment.state, "already_failed"
            )
        refuse(out, event, command, event.debtor_account_id, event.payment_id, code)
        return None

    @staticmethod
    def _release(
        event: Any, payment: Payment, books: Books, out: Outbox, outcome: str, code: str, state: str
    ) -> None:
        """Give back the hold of a payment and end it."""
        debtor, amount = payment.debtor_account_id, payment.amount_minor
        books.release(debtor, books.counterpart(payment), payment.currency, amount)
        books.say_hold(out, "RELEASED", event.payment_id, debtor, amount, "hold_released")
        books.save(out)
        payment.state, payment.code = state, code
        write_payment(books.rows, event.tenant_id, event.payment_id, payment)
        announce(out, event, payment, outcome, code)

    def _settle_remote(self, event: ev.LegPosted, at: Arrival, rows: Rows, out: Outbox) -> None:
        payment = _waiting(event, rows)
        if payment.state == "AUTHORISED":
            return holds.leg_answered(event, payment, at, rows, out)
        self._settle(event, payment, Books(event, at, rows), out)
        write_payment(rows, event.tenant_id, event.payment_id, payment)

    def _fail_remote(self, event: ev.LegRefused, at: Arrival, rows: Rows, out: Outbox) -> None:
        payment = _waiting(event, rows)
        if payment.state == "AUTHORISED":
            return holds.leg_answered(event, payment, at, rows, out)
        self._release(event, payment, Books(event, at, rows), out, "payment_failed", event.code, "FAILED")

    # --- legs, on the creditor's branch

    def _post_leg(self, event: ev.LegRequested, at: Arrival, rows: Rows, out: Outbox) -> None:
        key = leg_key(event.tenant_id, event.leg_id)
        if rows.get(key) is not None:
            raise Reject("leg_exists")
        books = Books(event, at, rows)
        creditor, amount = event.creditor_account_id, event.amount_minor
        code: str | None = "amount_must_be_positive"
        if amount > 0:
            code = books.creditor_code(creditor, event.currency, amount)
        if code is None:
            clearing = clearing_account_id(event.currency, at.partition)
            books.open_internal(clearing, event.currency)
            about = About(event.payment_id, event.reference)
            try:
                books.enter(out, "leg", clearing, creditor, amount, about)
            except Overflow:
                code = "overflow"
        rows.put(key, LEG_ROW.head)
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
            answer = ev.LegPosted(*fields)
        else:
            answer = ev.LegRefused(*fields, code)
        out.emit("ledger-commands", f"{event.tenant_id}/{event.debtor_account_id}", answer)


def repeat_code(known: Payment, event: ev.PaymentDecided | Payment) -> str:
    """Return how a payment id that is known compares to what it came with before."""
    if known.debtor_account_id != event.debtor_account_id:
        return "exists_with_different_debtor"
    if known.creditor_account_id != event.creditor_account_id:
        return "exists_with_different_creditor"
    if known.amount_minor != event.amount_minor:
        return "exists_with_different_amount"
    if known.currency != event.currency:
        return "exists_with_different_currency"
    return "exists"


def _waiting(event: Any, rows: Rows) -> Payment:
    """Return the payment that a leg's answer belongs to; refuse an answer that nobody waits for."""
    payment = read_payment(rows, event.tenant_id, event.payment_id)
    if payment is None or payment.state not in ("IN_FLIGHT", "AUTHORISED"):
        raise Reject("leg_not_expected")
    return payment
