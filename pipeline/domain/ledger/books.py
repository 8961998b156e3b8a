"""The books of one command: working copies of the accounts that it touches, and their postings.

    reserve, release, enter         -> the copies change; postings and holds are emitted
    save                            -> rows of the accounts, and their balances

Invariants: no row is written before `save`. A rule that stops before `save` must not have emitted anything,
so all checks and `reserve` come before the first output.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.money import Overflow, add
from pipeline.domain.kernel.outbox import Arrival, Outbox, derived_id, envelope
from pipeline.domain.kernel.routing import INTERNAL_PREFIX, cause_name
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.account_ids import can_be_opened, clearing_account_id, is_local
from pipeline.domain.ledger.back_dating import lowest_balance
from pipeline.domain.ledger.due import CREDIT, DEBIT
from pipeline.domain.ledger.links import LinkedPayment
from pipeline.domain.ledger.open_holds import is_behind
from pipeline.domain.ledger.outputs import emit_balance
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.rows import (
    CLOSED,
    FROZEN_CREDIT,
    FROZEN_DEBIT,
    OPEN,
    Account,
    closed_key,
    read_account,
    read_number,
    write_account,
)
from pipeline.domain.ledger.value_times import ValueTime, value_time

INTERNAL = ACCOUNT_TYPES.index("internal")
NOSTRO = ACCOUNT_TYPES.index("nostro")


class EntryDetails(NamedTuple):
    """What the postings of an entry state besides accounts and amount.

    `debit` and `credit`: purpose and rate (units of 1e-8) of the journal's leg on that side.
    """

    payment_id: str | None = None
    reference: str | None = None
    journal_id: str | None = None
    reverses: str | None = None
    reason: str | None = None
    when: ValueTime = ValueTime()
    debit: tuple[str | None, int | None] = (None, None)
    credit: tuple[str | None, int | None] = (None, None)
    metadata: dict[str, str] | None = None
    exchange: ev.Exchange | None = None


class Books:
    """The accounts that one command touches, as copies: no row is written before `save`."""

    __slots__ = ("accounts", "at", "branch", "closed_through", "event", "rows")

    def __init__(self, event: Any, at: Arrival, rows: Rows) -> None:
        self.event = event
        self.at = at
        self.rows = rows
        self.branch = at.partition
        self.accounts: dict[str, Account] = {}
        self.closed_through = read_number(rows, closed_key(event.tenant_id))
        """The end of the tenant's closed periods on this branch, microseconds UTC; None: none is closed."""

    def is_local(self, account_id: str) -> bool:
        """Whether an account lives on this branch."""
        return is_local(self.event.tenant_id, account_id, self.at)

    def account(self, account_id: str) -> Account | None:
        """Return the working copy of an account, or None where it is not known here."""
        account = self.accounts.get(account_id)
        if account is None:
            account = read_account(self.rows, self.event.tenant_id, account_id)
            if account is not None:
                self.accounts[account_id] = account
        return account

    def add_account(self, account_id: str, account: Account) -> None:
        """Add a new account."""
        self.accounts[account_id] = account

    def open_internal(self, account_id: str, currency: str) -> Account:
        """Return an internal account of this branch; it exists from its first use and has no limit."""
        account = self.account(account_id)
        if account is None:
            account = self.accounts[account_id] = Account(INTERNAL, currency, OPEN, None)
        return account

    def debtor_code(self, account_id: str, currency: str) -> str | None:
        """Return why an account of this branch cannot be debited, whatever its funds are, or None."""
        debtor = self.account(account_id)
        if debtor is None or not can_be_opened(account_id):
            return "debtor_not_found"
        if debtor.status == CLOSED:
            return "debtor_closed"
        if debtor.frozen & FROZEN_DEBIT:
            return "debtor_frozen"
        return None if debtor.currency == currency else "currency_mismatch"

    def creditor_code(self, account_id: str, currency: str, amount: int = 0) -> str | None:
        """Return why an account of this branch cannot be credited, or None.

        `amount`: the new credit, minor units; 0: whether its balance may grow so far is not asked.
        """
        creditor = self.account(account_id)
        if creditor is None or account_id.startswith(INTERNAL_PREFIX):
            return "creditor_not_found"
        if creditor.status == CLOSED:
            return "creditor_closed"
        if creditor.frozen & FROZEN_CREDIT:
            return "creditor_frozen"
        if creditor.currency != currency:
            return "currency_mismatch"
        maximum = creditor.maximum_balance_minor
        if amount and maximum is not None:
            if is_behind(self.rows, self.event.tenant_id, (account_id, CREDIT)):
                return "too_many_holds"
            incoming = creditor.balance_minor + creditor.credits_pending + amount
            return "maximum_balance_exceeded" if incoming > maximum else None
        return None

    # --- holds

    def counterpart(self, payment: Payment | LinkedPayment) -> str:
        """Return the credit account of a payment's hold: the creditor, or clearing if that is elsewhere."""
        if self.is_local(payment.creditor_account_id):
            return payment.creditor_account_id
        return clearing_account_id(payment.credit_currency, self.branch)

    def _pair(self, debit: str, credit: str, currency: str) -> tuple[Account, Account]:
        debtor, creditor = (
            self.open_internal(one, currency) if one.startswith(INTERNAL_PREFIX) else self.account(one)
            for one in (debit, credit)
        )
        assert debtor is not None and creditor is not None, "both were checked before"
        return debtor, creditor

    def reserve(self, debit: str, credit: str, currency: str, amount: int) -> str | None:
        """Hold an amount between two accounts.

        Returns the result code if that is not possible, with nothing changed, or None.
        """
        debtor, _ = self._pair(debit, credit, currency)
        limit = debtor.limit_minor
        if limit is not None and is_behind(self.rows, self.event.tenant_id, (debit, DEBIT)):
            return "too_many_holds"
        if limit is not None and debtor.available_minor - amount < -limit:
            return "insufficient_funds"
        try:
            self.hold(debit, credit, currency, amount)
        except Overflow:
            return "overflow"
        return None

    def hold(self, debit: str, credit: str, currency: str, amount: int) -> None:
        """Hold an amount, whatever the limits are. Raises: Overflow beyond 64 bits, with nothing changed."""
        debtor, counterpart = self._pair(debit, credit, currency)
        held = add(debtor.debits_pending, amount)
        incoming = add(counterpart.credits_pending, amount)
        add(debtor.debits_posted, held)
        add(counterpart.credits_posted, incoming)
        debtor.debits_pending = held
        counterpart.credits_pending = incoming

    def release(self, debit: str, credit: str, currency: str, amount: int) -> None:
        """Release a hold, or a part of it."""
        debtor, counterpart = self._pair(debit, credit, currency)
        debtor.debits_pending -= amount
        counterpart.credits_pending -= amount

    def emit_hold(
        self, out: Outbox, change: str, hold_id: str, account_id: str, amount: int, name: str
    ) -> None:
        """Emit a hold that outlasts its command (PLACED), or that ends without a posting (RELEASED)."""
        cause = self.event
        account = self.accounts[account_id]
        out.emit(
            "postings",
            f"{cause.tenant_id}/{account_id}",
            ev.HoldRecorded(
                *envelope(cause, name),
                hold_id,
                account_id,
                ACCOUNT_TYPES[account.account_type],
                change,
                amount,
                account.currency,
                account.debits_pending,
                account.balance_minor,
                self.at.recorded_at,
                self.branch,
                cause.actor,
            ),
        )

    # --- entries

    def post(self, debit: str, credit: str, amount: int) -> None:
        """Post one entry to the copies.

        Posted plus pending of one side always fits, so held amounts can be posted later; so does a balance.
        Raises: Overflow if a counter would exceed 64 bits; then nothing has changed.
        """
        debtor, creditor = self.accounts[debit], self.accounts[credit]
        debits = add(debtor.debits_posted, amount)
        credits = add(creditor.credits_posted, amount)
        add(debits, debtor.debits_pending)
        add(credits, creditor.credits_pending)
        debtor.debits_posted = debits
        debtor.sequence += 1
        creditor.credits_posted = credits
        creditor.sequence += 1

    def enter(
        self, out: Outbox, name: str, debit: str, credit: str, amount: int, about: EntryDetails
    ) -> None:
        """Post one entry and emit its two postings.

        Raises: Overflow as `post`, before anything is emitted.
        """
        self.post(debit, credit, amount)
        entry_id = derived_id(cause_name(self.event), name)
        for side, account_id, leg in (("DEBIT", debit, about.debit), ("CREDIT", credit, about.credit)):
            self._emit_posting(out, entry_id, side, account_id, amount, about, leg)

    def is_closed(self, asked_at: int | None) -> bool:
        """Whether an entry asks for a time in a closed period; `asked_at`: as in `value_times.value_time`."""
        counts_at = ValueTime(asked_at).counts_at(self.event.occurred_at)
        return self.closed_through is not None and counts_at <= self.closed_through

    def value_time(self, asked_at: int | None = None, not_before: int | None = None) -> ValueTime:
        """Return when an entry of this home counts, as `value_times.value_time`."""
        return value_time(asked_at, self.event.occurred_at, self.closed_through, not_before)

    def _emit_posting(
        self,
        out: Outbox,
        entry_id: str,
        side: str,
        account_id: str,
        amount: int,
        about: EntryDetails,
        leg: tuple[str | None, int | None],
    ) -> None:
        cause = self.event
        account = self.accounts[account_id]
        posting_id = f"{entry_id}:{side[0]}"
        posting = ev.PostingRecorded(
            *(posting_id, cause.tenant_id, cause.occurred_at, cause.correlation_id, cause.event_id),
            *(posting_id, entry_id, about.payment_id),
            account_id,
            ACCOUNT_TYPES[account.account_type],
            side,
            amount,
            account.currency,
            account.sequence,
            account.balance_minor,
            self.branch,
            about.reference,
            self.at.recorded_at,
            account.debits_pending,
            about.when.effective_at,
            *(about.journal_id, about.reverses, about.reason),
            *leg,
            about.when.asked_at,
            cause.actor,
            about.metadata,
            lowest_balance_minor=lowest_balance(self.rows, cause, side, account, about.when),
            exchange=about.exchange,
        )
        key = f"{cause.tenant_id}/{account_id}"
        out.emit("postings", key, posting)
        if account.account_type == NOSTRO:
            out.emit("reconciliation-items", key, posting)

    def save(self, out: Outbox) -> None:
        """Write every account of these books and emit its balance."""
        for account_id, account in self.accounts.items():
            save_account(self.rows, out, self.event, account_id, account)


def save_account(rows: Rows, out: Outbox, cause: Any, account_id: str, account: Account) -> None:
    """Write an account and emit its balance."""
    write_account(rows, cause.tenant_id, account_id, account)
    emit_balance(out, cause, account_id, account)
