"""The books of one command: working copies of the accounts it touches, and the entries posted to them.

Reserve, release, settle and post act on copies; `save` and `close` write them. A rule that stops half-way
therefore leaves nothing behind.
"""

from __future__ import annotations

from typing import Any

from pipeline.domain import events as ev
from pipeline.domain.ledger_rows import (
    ACCOUNT_TYPES,
    CLOSED,
    OPEN,
    STATUS_NAMES,
    Account,
    Payment,
    read_account,
    write_account,
)
from pipeline.domain.money import Overflow, add
from pipeline.domain.outbox import Arrival, Outbox, derived_id
from pipeline.domain.partitions import partition_of
from pipeline.domain.routing import cause_name
from pipeline.domain.rows import Rows

INTERNAL = ACCOUNT_TYPES.index("internal")
NOSTRO = ACCOUNT_TYPES.index("nostro")


def clearing_account_id(currency: str, branch: int) -> str:
    """Return the id of a branch's clearing account, which stands for the other branches."""
    return f"$clearing:{currency}:{branch}"


def opening_account_id(currency: str, branch: int) -> str:
    """Return the id of the account that initial balances are posted against."""
    return f"$opening:{currency}:{branch}"


class Books:
    """The accounts that one command touches, as copies: nothing is written before `save` or `close`."""

    __slots__ = ("accounts", "at", "branch", "entry", "event", "rows")

    def __init__(self, event: Any, at: Arrival, rows: Rows) -> None:
        self.event = event
        self.at = at
        self.rows = rows
        self.branch = at.partition
        self.accounts: dict[str, Account] = {}
        self.entry: tuple[str, str] = ("", "")

    def is_local(self, account_id: str) -> bool:
        """Whether an account lives on this branch."""
        key = f"{self.event.tenant_id}/{account_id}"
        return partition_of(key, self.at.partitions) == self.branch

    def account(self, account_id: str) -> Account | None:
        """Return the working copy of an account, or None where it is not known here."""
        account = self.accounts.get(account_id)
        if account is None:
            account = read_account(self.rows, self.event.tenant_id, account_id)
            if account is not None:
                self.accounts[account_id] = account
        return account

    def adopt(self, account_id: str, account: Account) -> None:
        """Take in a new account."""
        self.accounts[account_id] = account

    def open_internal(self, account_id: str, currency: str) -> Account:
        """Return an internal account of this branch; it exists from its first use and has no limit."""
        account = self.account(account_id)
        if account is None:
            account = self.accounts[account_id] = Account(INTERNAL, currency, OPEN, None)
        return account

    def creditor_code(self, account_id: str, currency: str) -> str | None:
        """Return why an account of this branch cannot be credited, or None."""
        creditor = self.account(account_id)
        if creditor is None or account_id.startswith("$"):
            return "creditor_not_found"
        if creditor.status == CLOSED:
            return "creditor_closed"
        if creditor.currency != currency:
            return "currency_mismatch"
        return None

    def _counterpart(self, payment: Payment) -> str:
        if self.is_local(payment.creditor_account_id):
            return payment.creditor_account_id
        return clearing_account_id(payment.currency, self.branch)

    def _pair(self, debit: str, credit: str, currency: str) -> tuple[Account, Account]:
        debtor = self.account(debit)
        assert debtor is not None, "the debtor of a known payment exists"
        creditor = self.open_internal(credit, currency) if credit.startswith("$") else self.account(credit)
        assert creditor is not None, "the creditor was checked before"
        return debtor, creditor

    def try_reserve(self, payment: Payment) -> str | None:
        """Hold the amount on the debtor; return why not (and change nothing), or None."""
        amount = payment.amount_minor
        debtor, counterpart = self._pair(
            payment.debtor_account_id, self._counterpart(payment), payment.currency
        )
        limit = debtor.overdraft_limit_minor
        if limit is not None and debtor.available_minor - amount < -limit:
            return "insufficient_funds"
        try:
            held = add(debtor.debits_pending, amount)
            incoming = add(counterpart.credits_pending, amount)
            add(debtor.debits_posted, held)
            add(counterpart.credits_posted, incoming)
        except Overflow:
            return "overflow"
        debtor.debits_pending = held
        counterpart.credits_pending = incoming
        return None

    def release(self, payment: Payment) -> None:
        """Give back a hold."""
        debtor, counterpart = self._pair(
            payment.debtor_account_id, self._counterpart(payment), payment.currency
        )
        debtor.debits_pending -= payment.amount_minor
        counterpart.credits_pending -= payment.amount_minor

    def settle(self, payment: Payment, credit: str) -> None:
        """Turn a hold into an entry: debit the debtor, credit the creditor or the clearing account."""
        self.release(payment)
        self._pair(payment.debtor_account_id, credit, payment.currency)
        self.post(payment.debtor_account_id, credit, payment.amount_minor)

    def post(self, debit: str, credit: str, amount: int) -> None:
        """Post one entry to the copies; raise `Overflow` (and change nothing) if a counter would.

        Posted plus pending of one side always fits into 64 bits, so what is held can be posted later, and a
        balance, the difference of two counters that are never negative, fits too.
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
        self.entry = (debit, credit)

    def close(
        self, out: Outbox, name: str, amount: int, payment_id: str | None, reference: str | None
    ) -> None:
        """Emit the two postings of the entry, then write the accounts."""
        debit, credit = self.entry
        entry_id = derived_id(cause_name(self.event), name)
        self._emit_posting(out, entry_id, "DEBIT", debit, amount, payment_id, reference)
        self._emit_posting(out, entry_id, "CREDIT", credit, amount, payment_id, reference)
        self.save(out)

    def _emit_posting(
        self,
        out: Outbox,
        entry_id: str,
        side: str,
        account_id: str,
        amount: int,
        payment_id: str | None,
        reference: str | None,
    ) -> None:
        cause = self.event
        account = self.accounts[account_id]
        posting_id = f"{entry_id}:{side[0]}"
        posting = ev.PostingRecorded(
            posting_id,
            cause.tenant_id,
            cause.occurred_at,
            cause.correlation_id,
            cause.event_id,
            posting_id,
            entry_id,
            payment_id,
            account_id,
            ACCOUNT_TYPES[account.account_type],
            side,
            amount,
            account.currency,
            account.sequence,
            account.balance_minor,
            self.branch,
            reference,
            self.at.recorded_at,
            account.debits_pending,
        )
        key = f"{cause.tenant_id}/{account_id}"
        out.emit("postings", key, posting)
        if account.account_type == NOSTRO:
            out.emit("reconciliation-items", key, posting)

    def record_hold(self, out: Outbox, change: str, payment_id: str, payment: Payment) -> None:
        """Emit that a hold outlives its command (PLACED), or that one ends without a posting (RELEASED)."""
        cause, account_id = self.event, payment.debtor_account_id
        account = self.accounts[account_id]
        out.emit(
            "postings",
            f"{cause.tenant_id}/{account_id}",
            ev.HoldRecorded(
                derived_id(cause_name(cause), f"hold_{change.lower()}"),
                cause.tenant_id,
                cause.occurred_at,
                cause.correlation_id,
                cause.event_id,
                payment_id,
                account_id,
                ACCOUNT_TYPES[account.account_type],
                change,
                payment.amount_minor,
                account.currency,
                account.debits_pending,
                account.balance_minor,
                self.at.recorded_at,
                self.branch,
            ),
        )

    def save(self, out: Outbox) -> None:
        """Write every account touched and emit its balance."""
        for account_id, account in self.accounts.items():
            save_account(self.rows, out, self.event, account_id, account)


def save_account(rows: Rows, out: Outbox, cause: Any, account_id: str, account: Account) -> None:
    """Write an account and emit its balance."""
    write_account(rows, cause.tenant_id, account_id, account)
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
        ),
    )
