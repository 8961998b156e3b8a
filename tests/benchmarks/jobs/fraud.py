"""The fraud job: fraud-commands -> a decision for each payment, an alert for each that is held.

    fraud        the default rules and a live model decide, and what the ledger settles comes back: the
                 posting of each ordinary payment, some thousand payments later; so its payee receives it,
                 and every partition gets the payee's card
    fraud_rules  the rules alone decide, and nothing comes back: the job as it was before models

Most payments are those of ordinary customers: one device, one country, four payees, small amounts. A few are
planted, on accounts of their own, with outcomes that follow from the rules by hand:

    burst        14 payments in half a minute, each from a new device: 5 approved (from the 4th on 30 for the
                 devices of a day), 9 held (20 more once there is a history of 5)
    first        a small payment, and ten minutes later 6,000: the second is held, then reviewed
    probe        two very small payments, then a large one within a minute: the third is held (70)
    structuring  three amounts just under 10,000 in a day: one held as a first large one, one held (60), one
                 refused (120: also three in a week)

Round amounts and payments at night score 5 more each, which changes none of these.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pipeline.domain.kernel import events as ev
from tests.benchmarks import live_model
from tests.benchmarks.bench import Bench, rated
from tests.benchmarks.exactness import Offsets, agreeing, expect
from tests.benchmarks.inputs import TENANT, envelope, now_us
from tests.benchmarks.jobs.shape import Run
from tests.fraud.log_traffic import debit

SOURCE = "fraud-commands"
OUTPUTS = ("ledger-commands", "fraud-alerts")
ACCOUNTS = 20_000
SPAN_US = 10 * 86_400 * 1_000_000
"""The event time that a round covers; it ends before now."""
MINUTE_US = 60 * 1_000_000
COUNTRIES = ("DE", "FR", "NL", "AT")
PAYEES = 4
BURST = ("APPROVE",) * 5 + ("REVIEW",) * 9
CASES = {
    "first": ((0, 20_00, "APPROVE"), (10 * MINUTE_US, 6_000_00, "REVIEW")),
    "probe": ((0, 50, "APPROVE"), (10_000_000, 60, "APPROVE"), (MINUTE_US, 800_00, "REVIEW")),
    "structuring": (
        *((0, 9_500_00, "REVIEW"), (180 * MINUTE_US, 9_500_00, "REVIEW")),
        (360 * MINUTE_US, 9_500_00, "DECLINE"),
    ),
}
"""By kind: microseconds after the first, minor units, outcome."""
BURST_STEP_US = 2 * 1_000_000
PAYMENTS_PER_BURST, PAYMENTS_PER_CASE = 2_000, 400
"""One burst in so many payments, one of each of the other cases in so many."""
REVIEWED, USUAL = "reviewed", "usual"
"""The reference of a payment that a person looks at, and the kind of what ordinary customers pay."""
BOOKED_AFTER = 2_000
"""So many payments later, in the log, comes the posting of a payment."""


@dataclass
class FraudInput:
    """The payments of a round, in order of event time, and the outcome of each."""

    seed: str
    payments: int
    whole: bool = False
    """Whether there is a live model, and postings come back."""
    outcomes: dict[str, str] = field(default_factory=dict)
    """Outcome by payment id; filled while `events` is read."""
    reviews: int = 0
    booked: int = 0
    payees: set[str] = field(default_factory=set)
    """Who is paid by what is booked. Each has few payers: its first receipt alone makes a card."""

    def events(self) -> Iterator[tuple[str, Any]]:
        """Yield (key, event): payments and reviews; of all of it the model before and postings between."""
        if not self.whole:
            yield from self._asked()
            return
        yield from live_model.published(self._start)
        waiting: deque[ev.PaymentInitiated] = deque()
        for key, event in self._asked():
            yield key, event
            if isinstance(event, ev.PaymentInitiated) and event.debtor_account_id.startswith(USUAL):
                waiting.append(event)
            if len(waiting) > BOOKED_AFTER:
                yield self._booking(waiting.popleft())
        yield from map(self._booking, waiting)

    def caused(self, partitions: int) -> int:
        """Return how many records the stream adds to its log: receipts, and cards for all partitions."""
        return self.booked + len(self.payees) * partitions

    def _booking(self, payment: ev.PaymentInitiated) -> tuple[str, ev.PostingRecorded]:
        self.booked += 1
        self.payees.add(payment.creditor_account_id)
        return f"{TENANT}/{payment.debtor_account_id}", debit(payment, payment.occurred_at)

    def _asked(self) -> Iterator[tuple[str, Any]]:
        planted = [*self._bursts(), *self._cases()]
        usual = self._usual(self.payments - len(planted))
        for event in sorted([*usual, *planted], key=lambda event: event.occurred_at):
            yield f"{TENANT}/{event.debtor_account_id}", event
            if event.reference == REVIEWED:
                self.reviews += 1
                yield f"{TENANT}/{event.debtor_account_id}", self._review(event)

    def _usual(self, count: int) -> Iterator[Any]:
        rng = random.Random(self.seed)
        accounts = min(ACCOUNTS, max(8, self.payments // 5))
        for number in range(count):
            place = rng.randrange(accounts)
            payee = (place * PAYEES + rng.randrange(PAYEES)) % accounts
            yield self._payment(
                *(USUAL, place, SPAN_US * number // count, rng.randrange(5_00, 95_00), "APPROVE"),
                *(f"device-{place}", COUNTRIES[place % len(COUNTRIES)], f"payee-{payee}"),
            )

    def _bursts(self) -> Iterator[Any]:
        count = max(1, self.payments // PAYMENTS_PER_BURST)
        for place in range(count):
            start = SPAN_US * place // count
            for number, outcome in enumerate(BURST):
                at, device = start + number * BURST_STEP_US, f"emulator-{number}"
                yield self._payment("burst", place, at, 20_00 + number, outcome, device, None, "shop")

    def _cases(self) -> Iterator[Any]:
        count = max(1, self.payments // PAYMENTS_PER_CASE)
        for place in range(count):
            at = SPAN_US * place // count
            for kind, steps in CASES.items():
                for after, amount, outcome in steps:
                    reference = REVIEWED if (kind, outcome) == ("first", "REVIEW") else kind
                    yield self._payment(
                        kind, place, at + after, amount, outcome, "phone", "DE", "shop", reference
                    )

    def _payment(
        self,
        kind: str,
        place: int,
        at: int,
        amount: int,
        outcome: str,
        device: str,
        country: str | None,
        payee: str,
        reference: str = "invoice",
    ) -> ev.PaymentInitiated:
        payment = f"pay-{self.seed}-{len(self.outcomes)}"
        self.outcomes[payment] = outcome
        return ev.PaymentInitiated(
            *envelope(payment, self._start + at),
            *(payment, f"{kind}-{self.seed}-{place:06d}", payee, amount, "EUR"),
            *("payment", reference),
            *("mobile", device, country, "grocery", None, None),
        )

    def __post_init__(self) -> None:
        self._start = now_us() - SPAN_US - 400 * MINUTE_US

    def _review(self, payment: ev.PaymentInitiated) -> ev.PaymentReviewed:
        return ev.PaymentReviewed(
            *envelope(f"review-{payment.payment_id}", payment.occurred_at + MINUTE_US),
            *(payment.payment_id, payment.debtor_account_id, True, "reviewer-1", "customer called back"),
        )


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who decides; every round has payments of its own."""

    def ours(whole: bool, number: int) -> dict[str, Any]:
        name = f"f{number}" if whole else f"r{number}"
        app_id = f"fraud-{name}"
        start = bench.ends(SOURCE, *OUTPUTS)
        bench.start_at(app_id, {SOURCE: start[SOURCE]})
        job = FraudInput(name, bench.sizes.payments, whole)
        records = bench.produce(SOURCE, job.events())
        found = bench.run_ours("fraud", app_id, records + job.caused(bench.settings.partitions))
        check(bench, start, job)
        return rated(found, job.payments, records=found["records"])

    return {"fraud": partial(ours, True), "fraud_rules": partial(ours, False)}


def check(bench: Bench, start: Offsets, job: FraudInput) -> None:
    """Raise Inexact unless every payment has its outcome, once, and every one that is held an alert, once."""
    kinds: Counter[str] = Counter()
    decided: dict[str, str] = {}
    by_model = 0
    for event in bench.read("ledger-commands", start):
        kinds[type(event).__name__] += 1
        if isinstance(event, ev.PaymentDecided):
            decided[event.payment_id] = event.outcome
            by_model += live_model.model_name() in event.rules_version
    expect("commands", kinds, Counter(PaymentDecided=len(job.outcomes), PaymentReviewed=job.reviews))
    expect("payments with the right outcome", agreeing(decided, job.outcomes), len(job.outcomes))
    expect("payments that the live model scored", by_model, len(job.outcomes) if job.whole else 0)
    said = bench.read("fraud-alerts", start)
    alerts = [(one.payment_id, one.outcome) for one in said if isinstance(one, ev.FraudAlertRaised)]
    held = [(payment, outcome) for payment, outcome in job.outcomes.items() if outcome != "APPROVE"]
    expect("alerts", sorted(alerts) == sorted(held), True)
