"""Planted retries, and payments that the ledger must refuse, each with the expected event and code.

Each uses an account of its own (see victims.py) that is funded and pays nothing else, so only one
answer is possible.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.payments import PaymentDraft, PaymentRecords
from pipeline.loadgen.plan import DAY_US, SECOND_US, Produce
from pipeline.loadgen.victims import Victims
from pipeline.loadgen.world import Community, World

REFUSED = "CommandRefused"
REFUSALS = 15
"""How many scenarios there are."""
TOO_OLD_US = 120 * DAY_US
"""Older than the window in which the ledger remembers payment ids (90 days by default)."""


class SpecialAccounts:
    """Accounts for one use each: empty ones, and ones that are closed right after they are opened."""

    def __init__(self, world: World, emitter: Emitter, ahead: int, endless: bool) -> None:
        """`ahead`: for how many refusals to open accounts before the run."""
        # Two refusals of fifteen use a closed account; all of them might fall to one community.
        self._each = 2 * ahead // REFUSALS + 3
        self._endless = endless
        self._world = world
        self._emitter = emitter
        self._queues: dict[str, dict[str, deque[str]]] = {"empty": {}, "closed": {}}
        self._closures = 0

    def open_reserve(self) -> Iterator[Produce]:
        """Yield the openings (and closings) of the first accounts of each community and purpose."""
        for community in self._world.communities:
            for purpose in self._queues:
                for _ in range(self._each):
                    yield from self._open(community, purpose)

    def take(self, community: Community, purpose: str) -> tuple[str, list[Produce]]:
        """Return an account, and the records that open the one that replaces it, if any."""
        ready = self._queues[purpose][community.nostro]
        account = ready.popleft()
        return account, [] if ready and not self._endless else list(self._open(community, purpose))

    def _open(self, community: Community, purpose: str) -> Iterator[Produce]:
        account = self._emitter.name("x")
        self._queues[purpose].setdefault(community.nostro, deque()).append(account)
        opened = self._world.open(community, account, "checking", 0)
        yield opened
        if purpose == "closed":
            self._closures += 1
            version = 1 + self._closures % 2
            fields: dict[str, object] = {"account_id": account, "reason": "customer_request"}
            if version == 2:
                fields["regulatory_notification_sent"] = True
            yield self._emitter.event(
                "accounts",
                "ledgerflow.AccountClosed",
                version,
                community.tenant,
                account,
                self._world.opened_at,
                fields,
            )


class Refusals:
    """Plants retries and refusals in turn."""

    def __init__(
        self, emitter: Emitter, payments: PaymentRecords, victims: Victims, special: SpecialAccounts
    ) -> None:
        self._emitter = emitter
        self._payments = payments
        self._victims = victims
        self._special = special
        self._planted = 0
        self.scenarios: tuple[Callable[[PaymentDraft, Community, int], Iterator[Produce]], ...] = (
            self.exact_retry,
            self.retry_new_event,
            self.retry_other_amount,
            self.retry_other_creditor,
            self.retry_other_currency,
            self.insufficient_funds,
            self.unknown_debtor,
            self.unknown_creditor,
            self.closed_creditor,
            self.closed_debtor,
            self.other_currency,
            self.zero_amount,
            self.to_self,
            self.too_old,
            self.cancel_unknown,
        )

    def step(self, at: int) -> Iterator[Produce]:
        """Yield the records of the next scenario."""
        scenario = self.scenarios[self._planted % len(self.scenarios)]
        self._planted += 1
        community, victim, successor = self._victims.take()
        yield from successor
        creditor = community.merchants[self._planted % len(community.merchants)].account_id
        yield from scenario(self._payments.new(community, victim, creditor, 25_00), community, at)

    def _plant(
        self, payment: PaymentDraft, kind: str, name: str, event: str | None, code: str, parts: int = 1
    ) -> int:
        expected = {"payment_id": payment.payment_id, "event": event, "code": code}
        return self._emitter.plant(
            kind,
            name,
            payment.tenant,
            {"outcome": expected},
            parts,
            account_id=payment.debtor,
            payment_id=payment.payment_id,
        )

    def _retry(
        self, name: str, code: str, first: PaymentDraft, second: PaymentDraft, at: int
    ) -> Iterator[Produce]:
        number = self._plant(first, "retry", name, REFUSED, code, 2)
        yield self._payments.initiated(first, at, 2, (number,))
        yield self._payments.initiated(second, at + SECOND_US, 1, (number,))

    def _refused(
        self, name: str, code: str, payment: PaymentDraft, at: int, event: str | None
    ) -> Iterator[Produce]:
        number = self._plant(payment, "refusal", name, event, code)
        yield self._payments.initiated(payment, at, 2, (number,))

    # --- the scenarios

    def exact_retry(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """The same record again, byte for byte."""
        number = self._plant(payment, "retry", "exact_retry", REFUSED, "exists", 2)
        record = self._payments.initiated(payment, at, 2, (number,))
        yield record
        yield record

    def retry_new_event(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """The same payment in another event, of another schema version."""
        yield from self._retry("retry_new_event", "exists", payment, payment, at)

    def retry_other_amount(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """The same id with another amount."""
        code = "exists_with_different_amount"
        yield from self._retry("retry_other_amount", code, payment, replace(payment, amount=26_00), at)

    def retry_other_creditor(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """The same id with another creditor."""
        creditor = next(one.account_id for one in community.merchants if one.account_id != payment.creditor)
        code = "exists_with_different_creditor"
        yield from self._retry("retry_other_creditor", code, payment, replace(payment, creditor=creditor), at)

    def retry_other_currency(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """The same id with another currency."""
        code = "exists_with_different_currency"
        yield from self._retry("retry_other_currency", code, payment, replace(payment, currency="CHF"), at)

    def insufficient_funds(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """An empty account pays one minor unit."""
        account, successor = self._special.take(community, "empty")
        yield from successor
        poor = replace(payment, debtor=account, amount=1)
        yield from self._refused("insufficient_funds", "insufficient_funds", poor, at, "PaymentRejected")

    def unknown_debtor(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """The debtor was never opened."""
        unknown = replace(payment, debtor=self._emitter.name("u"))
        yield from self._refused("unknown_debtor", "debtor_not_found", unknown, at, "PaymentRejected")

    def unknown_creditor(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """The creditor was never opened; if it is on another branch, its branch refuses it later."""
        unknown = replace(payment, creditor=self._emitter.name("u"))
        yield from self._refused("unknown_creditor", "creditor_not_found", unknown, at, None)

    def closed_creditor(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """The creditor is closed."""
        account, successor = self._special.take(community, "closed")
        yield from successor
        closed = replace(payment, creditor=account)
        yield from self._refused("closed_creditor", "creditor_closed", closed, at, None)

    def closed_debtor(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """The debtor is closed."""
        account, successor = self._special.take(community, "closed")
        yield from successor
        closed = replace(payment, debtor=account)
        yield from self._refused("closed_debtor", "debtor_closed", closed, at, "PaymentRejected")

    def other_currency(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """A payment in a currency that the account does not have."""
        other = replace(payment, currency="CHF")
        yield from self._refused("other_currency", "currency_mismatch", other, at, "PaymentRejected")

    def zero_amount(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """A payment of amount 0."""
        nothing = replace(payment, amount=0)
        yield from self._refused("zero_amount", "amount_must_be_positive", nothing, at, "PaymentRejected")

    def to_self(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """Debtor and creditor are the same account."""
        circular = replace(payment, creditor=payment.debtor)
        yield from self._refused("to_self", "accounts_must_differ", circular, at, "PaymentRejected")

    def too_old(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """A payment older than the window of ids; one before it moves the branch's event time to now."""
        recent = self._payments.new(community, payment.debtor, payment.creditor, 1_50)
        yield self._payments.initiated(recent, at)
        # The fraud rules may hold so old a payment, but the ledger refuses it by its age first.
        yield from self._refused("too_old", "too_old", payment, at - TOO_OLD_US, "PaymentRejected")

    def cancel_unknown(self, payment: PaymentDraft, community: Community, at: int) -> Iterator[Produce]:
        """A payment is cancelled that was never initiated."""
        number = self._plant(payment, "refusal", "cancel_unknown", REFUSED, "payment_not_found")
        yield self._payments.cancelled(payment, at, (number,))
