"""A town whose payments are judged by all that decides: labels, rules, lists, models, rates, segments.

    opening -> accounts with segments, rates
    each step of the load -> payments, labels, reviews, publications

It is a tenant of its own beside the ordinary load, whose planted causes have known effects, and follows that
load's steps and event time: never ahead of it. Nothing here says what must come of it: the judges do.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec

import schemas
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.routing import record_key
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.loadgen.emitter import Encode
from pipeline.loadgen.plan import LoadPlan, Produce
from tests.chaos.fraud_published import (
    ACTS,
    BLOCKED,
    HOUR_US,
    NOT_LONG,
    PAYROLL,
    SNOOZED,
    TENANT,
    TRUSTED,
    WATCHED,
    acted,
    is_publication,
)
from tests.chaos.request_town import RequestTown

RECORDS = {kind: name for name, kind in EVENTS.items()}
DAY_US = 24 * HOUR_US
SECOND_US = 1_000_000
BALANCE = 10_000_000_00
DEBTORS = ("ann", "bob", "cid", SNOOZED, PAYROLL, "treasury")
SHOPS = (WATCHED, BLOCKED, TRUSTED, NOT_LONG, "shop-a", "shop-b", "shop-c")
SEGMENTS = {PAYROLL: "payroll", "treasury": "treasury", "bob": "retail", "cid": "no such segment"}
RATES = (
    ("USD", "EUR", 92_000_000),
    ("VND", "EUR", 3_700),
    ("EUR", "JPY", 16_500_000_000),
    ("GBP", "CHF", 10**8),
)
TOPICS = {
    ev.PaymentLabelled: "fraud-labels",
    ev.AccountOpened: "accounts",
    ev.RateQuoted: "rates",
    ev.PaymentInitiated: "payments",
    ev.PaymentReviewed: "payments",
    ev.PaymentCancelled: "payments",
    ev.BreakCommented: "break-actions",
    ev.MatchingWeightsPublished: "matching-rules",
    ev.RequestClaimed: "requests",
    ev.RequestSent: "requests",
}
PAY_EVERY, BURST_EVERY, LATE_EVERY, LABEL_EVERY, REVIEW_EVERY, RATE_EVERY = 4, 32, 28, 10, 14, 60
COMMENT_EVERY, REQUEST_EVERY = 20, 7
"""Each so many ordinary payments of the load."""
ACTS_WITHIN = 4
"""All is published within the first of so many parts of the load."""


class Paid(NamedTuple):
    """A payment that was asked for."""

    payment_id: str
    debtor: str
    creditor: str
    at: int


class FraudTown:
    """Makes the records of the town; the same plan gives the same ones."""

    def __init__(self, plan: LoadPlan, encode: Encode) -> None:
        self._plan, self._encode = plan, encode
        self._random = Random(f"fraud {plan.seed}")
        self._act_every = max(1, (plan.count or 1_000) // (ACTS_WITHIN * len(ACTS)))
        self._numbers = 0
        self._paid: list[Paid] = []
        self._rates = 0
        self._requests = RequestTown(plan.seed, TENANT)
        self.steps = 0
        """Ordinary payments of the load that the town has followed."""

    def opening(self) -> Iterator[Produce]:
        """Yield accounts, some with a segment, and the first rates."""
        at = self._plan.start
        for name in (*DEBTORS, *SHOPS):
            metadata = {"segment": SEGMENTS[name]} if name in SEGMENTS else None
            kind = "checking" if name in DEBTORS else "merchant"
            opened = ev.AccountOpened(
                *self._envelope(at), name, name, kind, "EUR", BALANCE, metadata=metadata
            )
            yield self._record(opened)
        for base, quote, rate_e8 in RATES:
            yield self._record(ev.RateQuoted(*self._envelope(at), base, quote, rate_e8, at))
        yield self._record(self._weights(at))

    def follow(self, payments: int) -> Iterator[Produce]:
        """Yield what belongs to the steps of the load so far."""
        while self.steps < payments:
            self.steps += 1
            yield from map(
                self._record, self._step(self.steps, self._plan.start + self.steps * self._plan.step_us)
            )

    def _step(self, number: int, at: int) -> Iterator[Any]:
        if number % self._act_every == 0 and number // self._act_every <= len(ACTS):
            yield from acted(number // self._act_every - 1, self._plan.start, at)
        if number % PAY_EVERY == 0:
            yield self._pay(at)
        if number % BURST_EVERY == 3:
            debtor = self._random.choice(DEBTORS)
            yield from [self._pay(at - second * SECOND_US, debtor) for second in range(20, 0, -4)]
        if number % LATE_EVERY == 6 and self._paid:
            yield self._pay(at - 2 * HOUR_US, self._paid[-1].debtor)
        if number % LABEL_EVERY == 5 and self._paid:
            yield from self._labels(number // LABEL_EVERY, at)
        if number % REVIEW_EVERY == 7 and self._paid:
            yield self._look_at(self._random.choice(self._paid[-12:]), at)
        if number % RATE_EVERY == 9:
            base, quote, rate_e8 = RATES[self._random.randrange(3)]
            rate_e8 += self._random.randrange(rate_e8 // 10)
            yield ev.RateQuoted(
                *self._envelope(at), base, quote, rate_e8, at - self._random.choice((0, HOUR_US))
            )

        if number % COMMENT_EVERY == 11:
            yield self._comment(at)
        if number % REQUEST_EVERY == 3:
            yield from self._requests.step(at)

    # --- reconciliation

    def _weights(self, at: int) -> ev.MatchingWeightsPublished:
        """Return weights of matching of the town: those of the product."""
        weights = DEFAULT_WEIGHTS
        return ev.MatchingWeightsPublished(
            *(*self._envelope(at), "LIVE", TENANT, weights.canonical().decode(), weights.hash(), at)
        )

    def _comment(self, at: int) -> ev.BreakCommented:
        """Return a comment on a break that the town has not."""
        actor = ev.Actor("idp", "eve", "s1")
        return ev.BreakCommented(*self._envelope(at), "ann", self._name("break"), "who knows?", actor)

    # --- payments

    def _pay(self, at: int, debtor: str | None = None) -> Any:
        """Return a payment; a few of them are asked for again, with other content, too."""
        chance = self._random
        if debtor is None and self._paid and chance.random() < 0.08:
            again = chance.choice(self._paid[-12:])
            return self._asked(again.payment_id, again.debtor, chance.choice((again.creditor, "shop-a")), at)
        debtor = debtor or chance.choice(DEBTORS)
        creditor = chance.choice((*SHOPS, *SHOPS, *DEBTORS))
        paid = Paid(self._name("p"), debtor, creditor if creditor != debtor else "shop-b", at)
        self._paid = [*self._paid[-60:], paid]
        return self._asked(*paid)

    def _asked(self, payment_id: str, debtor: str, creditor: str, at: int) -> ev.PaymentInitiated:
        chance = self._random
        amount = chance.choice(
            (50, 9_90, 60_00, 300_00, 9_400_00, 9_800_00, 12_000_00, chance.randrange(1, 90_000))
        )
        return ev.PaymentInitiated(
            *(*self._envelope(at), payment_id, debtor, creditor, amount),
            *(chance.choices(("EUR", "USD", "VND", "JPY", "GBP"), (20, 2, 1, 1, 1))[0], "transfer", "r"),
            channel=chance.choice(("app", "web", None)),
            device_id=chance.choice((f"device-{debtor}", f"device-{debtor}", "shared", None)),
            counterparty_country=chance.choice(("DE", "de", "TH", None)),
        )

    def _look_at(self, paid: Paid, at: int) -> Any:
        """Return a review, or a cancellation, of a payment that may be held."""
        if self._random.random() < 0.2:
            return ev.PaymentCancelled(*self._envelope(at), paid.payment_id, paid.debtor, "by its debtor")
        approved = self._random.random() < 0.6
        return ev.PaymentReviewed(
            *self._envelope(at), paid.payment_id, paid.debtor, approved, "eve", "looked at"
        )

    # --- labels

    def _labels(self, number: int, at: int) -> list[Any]:
        """Return labels in time, late, repeated, contradictory, and such as nobody can use, in turn."""
        paid = self._random.choice(self._paid[-20:])
        fraud = self._label(paid, "FRAUD", at)
        genuine = self._label(paid, "GENUINE", at)
        stories: tuple[list[Any], ...] = (
            [fraud],
            [self._label(paid, "FRAUD", at + 2 * DAY_US)],
            [fraud, fraud, self._label(paid, "FRAUD", at)],
            [self._label(paid._replace(payment_id=self._name("unknown")), "FRAUD", at)],
            [self._label(paid._replace(debtor="ann" if paid.debtor != "ann" else "bob"), "FRAUD", at)],
            [fraud, self._label(paid, "GENUINE", at + HOUR_US)],
            [genuine, self._label(paid, "FRAUD", at - HOUR_US), self._label(paid, "FRAUD", at)],
            [self._label(paid, "FRAUD", at + 365 * DAY_US)],
        )
        return stories[number % len(stories)]

    def _label(self, paid: Paid, label: str, labelled_at: int) -> ev.PaymentLabelled:
        about = paid.payment_id, paid.debtor, paid.creditor
        source = self._random.choice(("CHARGEBACK", "CUSTOMER", "REVIEW"))
        return ev.PaymentLabelled(*self._envelope(labelled_at), *about, label, source, labelled_at)

    # --- records

    def _name(self, prefix: str) -> str:
        self._numbers += 1
        return f"{prefix}{self._plan.seed}-{self._numbers}"

    def _envelope(self, at: int) -> tuple[str, str, int, str, None]:
        name = self._name("town")
        return name, TENANT, at, name, None

    def _record(self, event: Any) -> Produce:
        topic = "fraud-rules" if is_publication(event) else TOPICS[type(event)]
        value = self._encode(schemas.newest(RECORDS[type(event)]), msgspec.to_builtins(event))
        return Produce(topic, record_key(event).encode(), value)
