"""The ledger again, as small as it can be: one number for what an account has, one for what it holds.

No double entry, no clearing, no rows, no codes for what an upstream got wrong: it only knows who has what,
and what became of each payment. It sees the same commands in the same order as the branches do, and shares
no code with them but the partitioner.
"""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

from pipeline.domain.kernel.partitions import partition_of

WINDOW = 90 * 86_400_000_000


class Model:
    """The whole system in one place; `accounts` by id, `payments` by (branch of the debtor, id)."""

    def __init__(self, branches: int) -> None:
        self.accounts: dict[str, SimpleNamespace] = {}
        self.payments: dict[tuple[int, str], SimpleNamespace] = {}
        self.queues: list[deque[Any]] = [deque() for _ in range(branches)]
        self.times = [-(10**30)] * branches

    def branch(self, account_id: str) -> int:
        return partition_of(f"acme/{account_id}", len(self.queues))

    def step(self, branch: int) -> None:
        """Do what stands first in a branch's queue: (what, ...), or None for nothing."""
        job = self.queues[branch].popleft()
        if job is not None:
            getattr(self, job[0])(branch, *job[1:])

    def account_opened(self, branch: int, event: Any, _: int) -> None:
        self.accounts.setdefault(
            event.account_id,
            SimpleNamespace(
                has=event.initial_balance_minor,
                holds=0,
                incoming=0,
                limit=event.overdraft_limit_minor,
                currency=event.currency,
                open=True,
            ),
        )

    def account_limit_set(self, branch: int, event: Any, _: int) -> None:
        account = self.accounts.get(event.account_id)
        if account and account.open:
            account.limit = event.overdraft_limit_minor

    def account_closed(self, branch: int, event: Any, _: int) -> None:
        account = self.accounts.get(event.account_id)
        if account and not (account.has or account.holds or account.incoming):
            account.open = False

    def payment_decided(self, branch: int, event: Any, recorded_at: int) -> None:
        if (branch, event.payment_id) in self.payments:
            return
        self.times[branch] = max(self.times[branch], min(event.occurred_at, recorded_at))
        if event.occurred_at < self.times[branch] - WINDOW:
            return
        payment = SimpleNamespace(
            debtor=event.debtor_account_id,
            creditor=event.creditor_account_id,
            amount=event.amount_minor,
            currency=event.currency,
            state="REJECTED",
        )
        self.payments[branch, event.payment_id] = payment
        debtor = self.accounts.get(payment.debtor)
        if event.outcome == "DECLINE" or payment.amount <= 0 or payment.debtor == payment.creditor:
            return
        if not debtor or not debtor.open or debtor.currency != payment.currency:
            return
        if debtor.limit is not None and debtor.has - debtor.holds - payment.amount < -debtor.limit:
            return
        local = self.branch(payment.creditor) == branch
        if local and not self.can_receive(payment):
            return
        debtor.holds += payment.amount
        payment.state = "HELD"
        if local:
            self.accounts[payment.creditor].incoming += payment.amount
        if event.outcome == "APPROVE":
            self.proceed(branch, event.payment_id, payment)

    def can_receive(self, payment: SimpleNamespace) -> bool:
        creditor = self.accounts.get(payment.creditor)
        return bool(creditor and creditor.open and creditor.currency == payment.currency)

    def proceed(self, branch: int, payment_id: str, payment: SimpleNamespace) -> None:
        target = self.branch(payment.creditor)
        if target == branch:
            self.end(branch, payment, "SETTLED")
            self.accounts[payment.creditor].has += payment.amount
        else:
            payment.state = "IN_FLIGHT"
            self.queues[target].append(("leg", branch, payment_id))

    def end(self, branch: int, payment: SimpleNamespace, state: str) -> None:
        payment.state = state
        debtor = self.accounts[payment.debtor]
        debtor.holds -= payment.amount
        debtor.has -= payment.amount if state == "SETTLED" else 0
        if self.branch(payment.creditor) == branch:
            self.accounts[payment.creditor].incoming -= payment.amount

    def leg(self, branch: int, origin: int, payment_id: str) -> None:
        payment = self.payments[origin, payment_id]
        posted = self.can_receive(payment)
        if posted:
            self.accounts[payment.creditor].has += payment.amount
        self.queues[origin].append(("answer", payment_id, "SETTLED" if posted else "FAILED"))

    def answer(self, branch: int, payment_id: str, state: str) -> None:
        self.end(branch, self.payments[branch, payment_id], state)

    def payment_reviewed(self, branch: int, event: Any, _: int) -> None:
        payment = self.payments.get((branch, event.payment_id))
        if payment and payment.state == "HELD" and payment.debtor == event.debtor_account_id:
            if event.approved:
                self.proceed(branch, event.payment_id, payment)
            else:
                self.end(branch, payment, "REJECTED")

    def payment_cancelled(self, branch: int, event: Any, _: int) -> None:
        payment = self.payments.get((branch, event.payment_id))
        if payment and payment.state == "HELD" and payment.debtor == event.debtor_account_id:
            self.end(branch, payment, "CANCELLED")
