"""Payments: the records of one payment, and the ordinary payments of customers by their habits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.plan import HOUR_US, Produce
from pipeline.loadgen.world import CHANNELS, Community, Customer, World
from schemas import remittance

RECORD = "ledgerflow.PaymentInitiated"
NEWEST = 4
"""The newest version that ordinary payments have."""
RARE = 6
"""The version of payments that say something rare."""
OLD_SHARES = ((0.2, 1), (0.4, 2), (0.7, 3))
"""Cumulative shares of the ordinary payments by schema version: 20% version 1, 40% version 1 or 2, ..."""
CREDITOR_REFERENCE_EVERY = 3
"""One payment in so many names its invoice by a creditor reference, the others in plain text."""
LOW_BALANCE_MINOR = 3_000_00
"""Below this a salary is paid. It is well above zero, because later payments may be applied before it."""
NOSTRO_AMOUNT_MAX = 495_00
"""Below the large amounts of the fraud rules: payments over a nostro should settle."""
COLLECT_GAP_US = 2 * HOUR_US
"""Shortest time between two payments of a nostro to customers, so that no burst rule holds them."""

OnCrossing = Callable[[Community, int, int, str, str, bool], None]
"""Called for each payment over a nostro: community, time, signed amount (a credit of the nostro is positive),
payment id, reference, and whether the bank will state the reference."""


@dataclass
class PaymentDraft:
    """The fields of a payment_initiated, to be changed and sent again."""

    tenant: str
    payment_id: str
    debtor: str
    creditor: str
    amount: int
    currency: str
    kind: str = "payment"
    reference: str = ""
    channel: str | None = None
    device: str | None = None
    country: str | None = None
    category: str | None = None
    hold_until: int | None = None
    """Microseconds UTC; None: the payment settles at once. Else it is held until then, for captures."""


class PaymentRecords:
    """Makes the records of payments."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter

    def new(self, community: Community, debtor: str, creditor: str, amount: int, **more: Any) -> PaymentDraft:
        """Return a payment with a new id and, unless given, a reference."""
        payment_id = self._emitter.name("p")
        more.setdefault("reference", _reference_of(payment_id))
        return PaymentDraft(
            community.tenant, payment_id, debtor, creditor, amount, community.currency, **more
        )

    def initiated(
        self,
        payment: PaymentDraft,
        at: int,
        version: int = NEWEST,
        planted: tuple[int, ...] = (),
        **more: Any,
    ) -> Produce:
        """Return payment_initiated; `more` replaces fields.

        Version 1 has no channel, device, country and category, version 2 no parts of the reference, version 3
        no end of a hold, version 4 none of the fields that `RARE` has.
        """
        fields: dict[str, Any] = {
            "payment_id": payment.payment_id,
            "debtor_account_id": payment.debtor,
            "creditor_account_id": payment.creditor,
            "amount_minor": payment.amount,
            "currency": payment.currency,
            "payment_type": payment.kind,
            "reference": payment.reference,
        }
        if version >= 2:
            fields["channel"] = payment.channel
            fields["device_id"] = payment.device
            fields["counterparty_country"] = payment.country
            fields["merchant_category"] = payment.category
        if version >= 3:
            fields |= remittance.split(payment.reference)._asdict()
        if version >= 4:
            fields["hold_expires_at"] = payment.hold_until
        if version >= RARE:
            added = msgspec.structs.fields(ev.PaymentInitiated)
            fields = {field.name: None for field in added if not field.required} | fields
        fields |= more
        return self._emitter.event(
            "payments", RECORD, version, payment.tenant, payment.debtor, at, fields, planted
        )

    def reviewed(
        self, payment: PaymentDraft, at: int, approved: bool, planted: tuple[int, ...] = ()
    ) -> Produce:
        """Return payment_reviewed."""
        fields = {
            "payment_id": payment.payment_id,
            "debtor_account_id": payment.debtor,
            "approved": approved,
            "reviewer": "reviewer-1",
            "reason": "customer called back" if approved else "customer denies it",
        }
        record = "ledgerflow.PaymentReviewed"
        return self._emitter.event("payments", record, 1, payment.tenant, payment.debtor, at, fields, planted)

    def cancelled(self, payment: PaymentDraft, at: int, planted: tuple[int, ...] = ()) -> Produce:
        """Return payment_cancelled."""
        fields = {
            "payment_id": payment.payment_id,
            "debtor_account_id": payment.debtor,
            "reason": "customer changed their mind",
        }
        record = "ledgerflow.PaymentCancelled"
        return self._emitter.event("payments", record, 1, payment.tenant, payment.debtor, at, fields, planted)

    def captured(
        self,
        payment: PaymentDraft,
        at: int,
        amount: int | None = None,
        final: bool = False,
        planted: tuple[int, ...] = (),
        capture_id: str | None = None,
    ) -> Produce:
        """Return payment_captured: of all that is left without an amount, with a new id without one."""
        capture_id = capture_id or self._emitter.name("k")
        fields = {"capture_id": capture_id, "amount_minor": amount, "final": final}
        return self._command("ledgerflow.PaymentCaptured", payment, at, fields, planted)

    def extended(self, payment: PaymentDraft, at: int, until: int, planted: tuple[int, ...] = ()) -> Produce:
        """Return payment_extended."""
        fields = {"hold_expires_at": until}
        return self._command("ledgerflow.PaymentExtended", payment, at, fields, planted)

    def reversed(
        self,
        payment: PaymentDraft,
        at: int,
        reversal_id: str,
        amount: int | None = None,
        planted: tuple[int, ...] = (),
    ) -> Produce:
        """Return payment_reversed; without an amount it reverses all that is left."""
        fields = {"reversal_id": reversal_id, "amount_minor": amount, "reason": "goods returned"}
        return self._command("ledgerflow.PaymentReversed", payment, at, fields, planted)

    def _command(
        self, record: str, payment: PaymentDraft, at: int, fields: dict[str, Any], planted: tuple[int, ...]
    ) -> Produce:
        fields |= {"payment_id": payment.payment_id, "debtor_account_id": payment.debtor}
        return self._emitter.event("payments", record, 1, payment.tenant, payment.debtor, at, fields, planted)


def _reference_of(payment_id: str) -> str:
    """Return the reference of a payment `p<seed>-<number>`: an invoice's number or a creditor reference."""
    invoice = payment_id[1:]
    body = invoice.replace("-", "N")
    if int(invoice.rpartition("-")[2]) % CREDITOR_REFERENCE_EVERY or len(body) > 21:
        return f"INV-{invoice}"
    return remittance.creditor_reference(body)


class OrdinaryPayments:
    """Shopping, rent, transfers to friends, bills over the nostro; a salary when the balance is low."""

    def __init__(self, world: World, rng: Random, payments: PaymentRecords, on_crossing: OnCrossing) -> None:
        self._rng = rng
        self._payments = payments
        self._on_crossing = on_crossing
        self._members = [(community, one) for community in world.communities for one in community.customers]
        self._collected: dict[str, int] = {}

    def step(self, at: int) -> Iterator[Produce]:
        """Yield the one payment of this moment."""
        community, customer = self._rng.choice(self._members)
        if customer.balance < LOW_BALANCE_MINOR:
            yield self._salary(community, customer, at)
            return
        dice = self._rng.random()
        if dice < 0.62:
            yield self._shopping(community, customer, at)
        elif dice < 0.72:
            yield self._transfer(community, customer, at)
        elif dice < 0.75 and customer.balance > 2 * customer.rent_minor:
            yield self._spend(
                community,
                customer,
                at,
                customer.landlord,
                customer.rent_minor,
                kind="transfer",
                channel="web",
            )
        elif dice < 0.79 and self._may_collect(community, at):
            yield self._incoming(community, customer, at)
        else:
            yield self._bill(community, customer, at)

    def _version(self) -> int:
        """Return a schema version at random: not all upstream systems write the newest one."""
        dice = self._rng.random()
        return next((version for share, version in OLD_SHARES if dice < share), NEWEST)

    def _may_collect(self, community: Community, at: int) -> bool:
        if at - self._collected.get(community.nostro, at - COLLECT_GAP_US) < COLLECT_GAP_US:
            return False
        self._collected[community.nostro] = at
        return True

    def _spend(
        self, community: Community, customer: Customer, at: int, payee: str, amount: int, **more: Any
    ) -> Produce:
        customer.balance -= amount
        more.setdefault("device", customer.device)
        payment = self._payments.new(community, customer.account_id, payee, amount, **more)
        return self._payments.initiated(payment, at, self._version())

    def _shopping(self, community: Community, customer: Customer, at: int) -> Produce:
        rng = self._rng
        merchant = customer.usual[int(rng.random() * rng.random() * len(customer.usual))]
        if rng.random() < 0.05:
            merchant = rng.choice(community.merchants)
        amount = 1_00 + int(merchant.basket_minor * (0.5 + rng.random()))
        channel = CHANNELS[int(rng.random() * 3)]
        return self._spend(
            community,
            customer,
            at,
            merchant.account_id,
            amount,
            channel=channel,
            country=customer.country,
            category=merchant.category,
        )

    def _transfer(self, community: Community, customer: Customer, at: int) -> Produce:
        friend = self._rng.choice(customer.friends)
        if friend == customer.account_id:
            return self._shopping(community, customer, at)
        amount = 5_00 + int(self._rng.random() * 95_00)
        return self._spend(community, customer, at, friend, amount, kind="transfer", channel="mobile")

    def _salary(self, community: Community, customer: Customer, at: int) -> Produce:
        """Pay a customer from one of the employers."""
        place = int(customer.account_id.rpartition("-")[2]) % len(community.employers)
        amount = 1_800_00 + int(self._rng.random() * 1_500_00)
        customer.balance += amount
        payment = self._payments.new(
            community, community.employers[place], customer.account_id, amount, kind="transfer"
        )
        return self._payments.initiated(payment, at, self._version())

    def _crossing_amount(self) -> tuple[int, bool]:
        """Return an amount and whether the bank states the reference: then the amount is even, else odd.

        A line without a reference is matched by its amount, so it must not match the posting of another line.
        """
        amount = 2 * int(5_00 + self._rng.random() * (NOSTRO_AMOUNT_MAX - 10_00) / 2)
        stated = self._rng.random() < 0.95
        return (amount, True) if stated else (amount + 1, False)

    def _bill(self, community: Community, customer: Customer, at: int) -> Produce:
        amount, stated = self._crossing_amount()
        customer.balance -= amount
        payment = self._payments.new(
            community, customer.account_id, community.nostro, amount, channel="web", device=customer.device
        )
        self._on_crossing(community, at, amount, payment.payment_id, payment.reference, stated)
        return self._payments.initiated(payment, at, self._version())

    def _incoming(self, community: Community, customer: Customer, at: int) -> Produce:
        amount, stated = self._crossing_amount()
        customer.balance += amount
        payment = self._payments.new(community, community.nostro, customer.account_id, amount, kind="deposit")
        self._on_crossing(community, at, -amount, payment.payment_id, payment.reference, stated)
        return self._payments.initiated(payment, at, self._version())
