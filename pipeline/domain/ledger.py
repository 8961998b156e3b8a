"""The ledger of one branch (partition): double entry, reserve, settle, release.

    payment_decided -> reserve on the debtor -> creditor on this branch: settle at once
                                             -> creditor elsewhere: leg_requested to its branch
    leg_requested   -> credit the creditor against this branch's clearing account -> leg_posted / leg_refused
    leg_posted      -> settle: debit the debtor against the clearing account
    leg_refused     -> release the hold: the payment has failed

What never changes: every entry has one debit and one credit of the same amount on the same branch, so the
postings of a branch sum to zero after every event, and so do its pending counters. A hold stands between the
debtor and either the creditor (same branch) or the clearing account. A posting, once emitted, is never
altered. All rules run on copies of the rows; rows and outputs are written only after nothing can fail.
Result codes are TigerBeetle's terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from pipeline.domain import events as ev
from pipeline.domain.ledger_books import Books, clearing_account_id, opening_account_id, save_account
from pipeline.domain.ledger_rows import (
    ACCOUNT_TYPES,
    CLOSED,
    OPEN,
    Account,
    Payment,
    account_key,
    advance_watermark,
    leg_key,
    payment_key,
    read_account,
    read_payment,
    write_payment,
)
from pipeline.domain.money import Overflow, fits
from pipeline.domain.outbox import Arrival, Outbox, Reject, derived_id
from pipeline.domain.routing import cause_name
from pipeline.domain.rows import Rows

MICROSECONDS_PER_DAY = 86_400_000_000


class LedgerRules(msgspec.Struct, frozen=True):
    """The settings of the ledger."""

    dedupe_window_days: int = 90
    """How long a payment id is remembered, in days of event time; an older payment is `too_old`."""


def dedupe_window(rules: LedgerRules | None) -> int:
    """Return how long payment ids are remembered, in microseconds of event time."""
    return (rules or LedgerRules()).dedupe_window_days * MICROSECONDS_PER_DAY


class Ledger:
    """The rules of the ledger over the rows of one branch; holds no state of its own."""

    def __init__(self, rules: LedgerRules | None = None) -> None:
        self._window = dedupe_window(rules)
        self._rules: dict[type, Callable[[Any, Arrival, Rows, Outbox], None]] = {
            ev.AccountOpened: self._open_account,
            ev.AccountLimitSet: self._set_limit,
            ev.AccountClosed: self._close_account,
            ev.PaymentDecided: self._decide_payment,
            ev.PaymentReviewed: self._review_payment,
            ev.PaymentCancelled: self._cancel_payment,
            ev.LegRequested: self._post_leg,
            ev.LegPosted: self._settle_remote,
            ev.LegRefused: self._fail_remote,
        }

    def apply(self, event: Any, at: Arrival, rows: Rows, out: Outbox) -> None:
        """Apply one command; raise `Reject` for one that belongs in dead letters."""
        rule = self._rules.get(type(event))
        if rule is None:
            raise Reject("unexpected_event", type(event).__name__)
        tenant = event.tenant_id
        if not tenant or "/" in tenant or "\0" in tenant:
            raise Reject("invalid_tenant_id")  # its keys could be another tenant's, or an internal account's
        rule(event, at, rows, out)

    @staticmethod
    def keys(event: Any) -> Iterable[bytes]:
        """Return the keys of the rows that applying `event` reads."""
        tenant = event.tenant_id
        kind = type(event)
        if kind is ev.PaymentDecided or kind is ev.LegPosted or kind is ev.LegRefused:
            yield payment_key(tenant, event.payment_id)
            yield account_key(tenant, event.debtor_account_id)
            yield account_key(tenant, event.creditor_account_id)
        elif kind is ev.LegRequested:
            yield leg_key(tenant, event.leg_id)
            yield account_key(tenant, event.creditor_account_id)
        elif kind is ev.PaymentReviewed or kind is ev.PaymentCancelled:
            yield payment_key(tenant, event.payment_id)
        else:
            yield account_key(tenant, event.account_id)

    # --- accounts

    def _open_account(self, event: ev.AccountOpened, at: Arrival, rows: Rows, out: Outbox) -> None:
        if not can_be_opened(event.account_id):
            raise Reject("invalid_account_id")
        currency = event.currency
        if len(currency) != 3 or not (currency.isascii() and currency.isalpha() and currency.isupper()):
            raise Reject("invalid_currency")
        limit = event.overdraft_limit_minor
        if limit is not None and limit < 0:
            raise Reject("invalid_limit")
        kind = ACCOUNT_TYPES.index(event.account_type)
        known = read_account(rows, event.tenant_id, event.account_id)
        if known is not None:
            code = "exists"
            if known.currency != event.currency:
                code = "exists_with_different_currency"
            elif known.account_type != kind:
                code = "exists_with_different_content"
            return _refuse(out, event, "account_opened", event.account_id, None, code)
        account = Account(kind, event.currency, OPEN, limit)
        amount = event.initial_balance_minor
        if not fits(-amount):
            raise Reject("overflow")
        if amount == 0:
            save_account(rows, out, event, event.account_id, account)
            return
        books = Books(event, at, rows)
        books.adopt(event.account_id, account)
        opening = opening_account_id(event.currency, at.partition)
        books.open_internal(opening, event.currency)
        debit, credit = (opening, event.account_id) if amount > 0 else (event.account_id, opening)
        try:
            books.post(debit, credit, abs(amount))
        except Overflow:
            raise Reject("overflow") from None
        books.close(out, "opening", abs(amount), None, None)

    def _set_limit(self, event: ev.AccountLimitSet, at: Arrival, rows: Rows, out: Outbox) -> None:
        if not can_be_opened(event.account_id):
            raise Reject("invalid_account_id")  # the ledger's own accounts have no limit and are not closed
        limit = event.overdraft_limit_minor
        if limit is not None and limit < 0:
            raise Reject("invalid_limit")
        account = read_account(rows, event.tenant_id, event.account_id)
        code = _account_code(account)
        if code is not None:
            return _refuse(out, event, "account_limit_set", event.account_id, None, code)
        assert account is not None
        account.overdraft_limit_minor = limit
        save_account(rows, out, event, event.account_id, account)

    def _close_account(self, event: ev.AccountClosed, at: Arrival, rows: Rows, out: Outbox) -> None:
        if not can_be_opened(event.account_id):
            raise Reject("invalid_account_id")
        account = read_account(rows, event.tenant_id, event.account_id)
        code = _account_code(account)
        if code is not None or account is None:
            return _refuse(out, event, "account_closed", event.account_id, None, code or "account_not_found")
        if account.balance_minor or account.debits_pending or account.credits_pending:
            return _refuse(out, event, "account_closed", event.account_id, None, "account_not_empty")
        account.status = CLOSED
        save_account(rows, out, event, event.account_id, account)

    # --- payments, on the debtor's branch

    def _decide_payment(self, event: ev.PaymentDecided, at: Arrival, rows: Rows, out: Outbox) -> None:
        tenant = event.tenant_id
        known = read_payment(rows, tenant, event.payment_id)
        if known is not None:
            code = repeat_code(known, event)
            return _refuse(out, event, "payment_initiated", event.debtor_account_id, event.payment_id, code)
        watermark = advance_watermark(rows, event.occurred_at, at.recorded_at)
        if watermark - event.occurred_at > self._window:
            # Not remembered: its id would outlive the window that makes forgetting safe.
            return _announce(out, event, event, "payment_rejected", "too_old")
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
        refusal = self._refusal(event, at, books) or books.try_reserve(payment)
        if refusal is not None:
            payment.code = refusal
            write_payment(rows, tenant, event.payment_id, payment)
            return _announce(out, event, payment, "payment_rejected", refusal)
        _announce(out, event, payment, "payment_reserved", "ok")
        if event.outcome == "REVIEW":
            payment.state = "HELD"
            payment.code = "ok"
            books.record_hold(out, "PLACED", event.payment_id, payment)
            books.save(out)
            return write_payment(rows, tenant, event.payment_id, payment)
        self._proceed(event, payment, books, out)

    @staticmethod
    def _refusal(event: ev.PaymentDecided, at: Arrival, books: Books) -> str | None:
        """Return why a payment cannot be reserved, the first reason that holds, or None."""
        if event.outcome == "DECLINE":
            return "declined"
        if event.amount_minor <= 0:
            return "amount_must_be_positive"
        if event.debtor_account_id == event.creditor_account_id:
            return "accounts_must_differ"
        debtor = books.account(event.debtor_account_id)
        if debtor is None or not can_be_opened(event.debtor_account_id):
            return "debtor_not_found"
        if debtor.status == CLOSED:
            return "debtor_closed"
        if debtor.currency != event.currency:
            return "currency_mismatch"
        if not can_be_opened(event.creditor_account_id):
            return "creditor_not_found"  # on no branch: it needs no leg to find out
        if books.is_local(event.creditor_account_id):
            return books.creditor_code(event.creditor_account_id, event.currency)
        return None

    def _proceed(self, event: Any, payment: Payment, books: Books, out: Outbox) -> None:
        """Settle a reserved payment on this branch, or ask the creditor's branch for its leg."""
        tenant = event.tenant_id
        if books.is_local(payment.creditor_account_id):
            books.settle(payment, payment.creditor_account_id)
            payment.state, payment.code = "SETTLED", "ok"
            books.close(out, "settle", payment.amount_minor, event.payment_id, payment.reference)
            _announce(out, event, payment, "payment_settled", "ok")
        else:
            if payment.state != "HELD":
                books.record_hold(out, "PLACED", event.payment_id, payment)
            payment.state, payment.code = "IN_FLIGHT", "ok"
            books.save(out)
            out.emit(
                "ledger-commands",
                f"{tenant}/{payment.creditor_account_id}",
                ev.LegRequested(
                    derived_id(cause_name(event), "leg_requested"),
                    tenant,
                    event.occurred_at,
                    event.correlation_id,
                    event.event_id,
                    # Of the payment, not of the event: an upstream may give one event id to two payments.
                    derived_id(payment.debtor_account_id, f"leg:{event.payment_id}"),
                    event.payment_id,
                    payment.creditor_account_id,
                    payment.debtor_account_id,
                    payment.creditor_account_id,
                    payment.amount_minor,
                    payment.currency,
                    books.branch,
                    payment.reference,
                ),
            )
        write_payment(books.rows, tenant, event.payment_id, payment)

    def _review_payment(self, event: ev.PaymentReviewed, at: Arrival, rows: Rows, out: Outbox) -> None:
        payment = self._held(event, "payment_reviewed", rows, out)
        if payment is None:
            return
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
        if payment is not None:
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
        elif payment.state == "HELD":
            return payment
        else:
            code = {"IN_FLIGHT": "payment_in_flight", "SETTLED": "already_settled"}.get(
                payment.state, "already_failed"
            )
        _refuse(out, event, command, event.debtor_account_id, event.payment_id, code)
        return None

    @staticmethod
    def _release(
        event: Any, payment: Payment, books: Books, out: Outbox, outcome: str, code: str, state: str
    ) -> None:
        """Give back the hold of a payment and end it."""
        books.release(payment)
        books.record_hold(out, "RELEASED", event.payment_id, payment)
        books.save(out)
        payment.state, payment.code = state, code
        write_payment(books.rows, event.tenant_id, event.payment_id, payment)
        _announce(out, event, payment, outcome, code)

    def _settle_remote(self, event: ev.LegPosted, at: Arrival, rows: Rows, out: Outbox) -> None:
        payment = _in_flight(event, rows)
        books = Books(event, at, rows)
        books.settle(payment, clearing_account_id(payment.currency, at.partition))
        payment.state = "SETTLED"
        books.close(out, "settle", payment.amount_minor, event.payment_id, payment.reference)
        write_payment(rows, event.tenant_id, event.payment_id, payment)
        _announce(out, event, payment, "payment_settled", "ok")

    def _fail_remote(self, event: ev.LegRefused, at: Arrival, rows: Rows, out: Outbox) -> None:
        payment = _in_flight(event, rows)
        self._release(event, payment, Books(event, at, rows), out, "payment_failed", event.code, "FAILED")

    # --- legs, on the creditor's branch

    def _post_leg(self, event: ev.LegRequested, at: Arrival, rows: Rows, out: Outbox) -> None:
        key = leg_key(event.tenant_id, event.leg_id)
        if rows.get(key) is not None:
            raise Reject("leg_exists")
        books = Books(event, at, rows)
        code = books.creditor_code(event.creditor_account_id, event.currency)
        if code is None:
            clearing = clearing_account_id(event.currency, at.partition)
            books.open_internal(clearing, event.currency)
            try:
                books.post(clearing, event.creditor_account_id, event.amount_minor)
            except Overflow:
                code = "overflow"
        rows.put(key, b"\1")
        fields = (
            derived_id(cause_name(event), "leg_answer"),
            event.tenant_id,
            event.occurred_at,
            event.correlation_id,
            event.event_id,
            event.leg_id,
            event.payment_id,
            event.debtor_account_id,
            event.creditor_account_id,
            event.amount_minor,
            event.currency,
        )
        answer: ev.LegPosted | ev.LegRefused
        if code is None:
            books.close(out, "leg", event.amount_minor, event.payment_id, event.reference)
            answer = ev.LegPosted(*fields)
        else:
            answer = ev.LegRefused(*fields, code)
        out.emit("ledger-commands", f"{event.tenant_id}/{event.debtor_account_id}", answer)


def can_be_opened(account_id: str) -> bool:
    """Whether an id can be a customer's: a key can carry it, and it is not the ledger's own."""
    return bool(account_id) and account_id[0] != "$" and "/" not in account_id and "\0" not in account_id


def _account_code(account: Account | None) -> str | None:
    if account is None:
        return "account_not_found"
    return "account_closed" if account.status == CLOSED else None


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


def _in_flight(event: Any, rows: Rows) -> Payment:
    """Return the payment that a leg's answer belongs to; refuse an answer that nobody waits for."""
    payment = read_payment(rows, event.tenant_id, event.payment_id)
    if payment is None or payment.state != "IN_FLIGHT":
        raise Reject("leg_not_expected")
    return payment


_OUTCOMES: dict[str, Any] = {
    "payment_reserved": ev.PaymentReserved,
    "payment_settled": ev.PaymentSettled,
    "payment_rejected": ev.PaymentRejected,
    "payment_failed": ev.PaymentFailed,
    "payment_cancelled": ev.PaymentCancelledOutcome,
}


def _announce(out: Outbox, cause: Any, payment: Any, outcome: str, code: str) -> None:
    """Emit what became of a payment, keyed by its debtor."""
    out.emit(
        "payment-events",
        f"{cause.tenant_id}/{payment.debtor_account_id}",
        _OUTCOMES[outcome](
            derived_id(cause_name(cause), outcome),
            cause.tenant_id,
            cause.occurred_at,
            cause.correlation_id,
            cause.event_id,
            cause.payment_id,
            payment.debtor_account_id,
            payment.creditor_account_id,
            payment.amount_minor,
            payment.currency,
            code,
        ),
    )


def _refuse(
    out: Outbox, cause: Any, command: str, account_id: str, payment_id: str | None, code: str
) -> None:
    """Answer a command that has no effect."""
    out.emit(
        "payment-events",
        f"{cause.tenant_id}/{account_id}",
        ev.CommandRefused(
            derived_id(cause_name(cause), f"refused:{command}"),
            cause.tenant_id,
            cause.occurred_at,
            cause.correlation_id,
            cause.event_id,
            command,
            account_id,
            payment_id,
            code,
        ),
    )
