"""The records of one payment, and of what is said about it later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.plan import Produce
from pipeline.loadgen.world import Community
from schemas import remittance

RECORD = "ledgerflow.PaymentInitiated"
NEWEST = 4
"""The newest version that ordinary payments have."""
RARE = 6
"""The version of payments that say something rare."""
CREDITOR_REFERENCE_EVERY = 3
"""One payment in so many names its invoice by a creditor reference, the others in plain text."""


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

    def labelled(self, payment: PaymentDraft, at: int, label: str, source: str) -> Produce:
        """Return payment_labelled: what the payment turned out to be, known from `at` on."""
        fields = {
            "payment_id": payment.payment_id,
            "debtor_account_id": payment.debtor,
            "creditor_account_id": payment.creditor,
            "label": label,
            "source": source,
            "labelled_at": at,
            "actor": None,
        }
        record = "ledgerflow.PaymentLabelled"
        return self._emitter.event("fraud-labels", record, 1, payment.tenant, payment.debtor, at, fields)

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
