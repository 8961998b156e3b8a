"""Planted stories of linked payments: all of a link is settled, or none of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pipeline.loadgen.payments import PaymentDraft
from pipeline.loadgen.plan import Produce
from pipeline.loadgen.story_steps import SETTLED, StorySteps
from pipeline.loadgen.world import Community

RECORD = "ledgerflow.PaymentsLinked"
REJECTED = "PaymentRejected"


class LinkStories(StorySteps):
    """Stories of several payments of one account that are sent as one."""

    def linked(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """Two payments, to the account's branch and to another one, are settled together."""
        creditors = self._near(community, victim), self._desks.far(community, victim)
        payments = [self._paid(community, victim, creditor) for creditor in creditors]
        numbers = [self._outcome("link", payment, SETTLED, "ok") for payment in payments]
        yield self._link(payments, at, numbers)

    def linked_in_vain(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """The second payment is to the account itself: neither is settled."""
        first = self._paid(community, victim, self._near(community, victim))
        second = self._paid(community, victim, victim)
        numbers = [
            self._outcome("link", first, REJECTED, "linked_payment_failed"),
            self._outcome("link", second, REJECTED, "accounts_must_differ"),
        ]
        yield self._link([first, second], at, numbers)

    def opened_and_paid(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """An account is opened together with its first payment."""
        new = self._emitter.name("n")
        payment = replace(self._paid(community, victim, self._near(community, victim)), debtor=new)
        opening = {
            "customer_id": new,
            "account_type": "checking",
            "currency": payment.currency,
            "initial_balance_minor": 2 * payment.amount,
            "overdraft_limit_minor": 0,
        }
        number = self._outcome("link", payment, SETTLED, "ok")
        yield self._link([payment], at, [number], opening)

    def _link(
        self,
        payments: Sequence[PaymentDraft],
        at: int,
        planted: Sequence[int],
        opening: dict[str, Any] | None = None,
    ) -> Produce:
        """Return payments_linked of payments of one debtor; `opening`: of the debtor's account."""
        first = payments[0]
        fields: dict[str, Any] = {
            "link_id": self._emitter.name("l"),
            "debtor_account_id": first.debtor,
            "payments": [_linked(payment) for payment in payments],
            "open_account": opening,
        }
        record = RECORD, 1, first.tenant, first.debtor
        return self._emitter.event("payments", *record, at, fields, tuple(planted))


def _linked(payment: PaymentDraft) -> dict[str, Any]:
    return {
        "payment_id": payment.payment_id,
        "creditor_account_id": payment.creditor,
        "amount_minor": payment.amount,
        "currency": payment.currency,
        "payment_type": payment.kind,
        "reference": payment.reference,
        "channel": payment.channel,
        "device_id": payment.device,
        "counterparty_country": payment.country,
        "merchant_category": payment.category,
    }
