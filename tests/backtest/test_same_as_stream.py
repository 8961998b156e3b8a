"""A backtest from topics says what the stream has said: score, outcome, reasons and what decided.

The whole product in memory, of one partition: what is sent goes through all streams, and `read_topics` reads
the same topics afterwards. Payments come in the order of their time, in slices of those in which a backtest
takes them; nobody pays and is paid in one slice. Who reviews lets a payment go on before the next one comes,
and the first one that is declined is the last. So every payment counts as a backtest has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import pytest

from pipeline.backtest.running import Outcome, Setup, run
from pipeline.backtest.topics import Read, read_topics
from pipeline.domain.fraud.deciding.decision import OUTCOMES
from pipeline.domain.fraud.deciding.models import Fitted
from pipeline.domain.fraud.expressions.rule_sets import RuleSet
from pipeline.domain.fraud.features.replay import SLICE_S
from pipeline.domain.fraud.model.artefact import NEVER_BP
from pipeline.domain.fraud.model.encoding import name_of
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.routing import record_key
from pipeline.loadgen import Produce
from tests.fraud.log_traffic import labelled, opened, quoted
from tests.fraud_deciding.payments import model_bytes
from tests.fraud_publishing.publishing import in_role, model_parts, published
from tests.fraud_rules.sets import rule, rule_set
from tests.simulated_cluster import SimulatedCluster, decoder, encode

START = 1_767_225_600_000_000
"""2026-01-01, midnight UTC, microseconds: where a slice begins."""
SLICE_US, DAY = SLICE_S * 1_000_000, 86_400_000_000
PEOPLE = [f"person-{number}" for number in range(30)]
TOPICS = {
    ev.AccountOpened: "accounts",
    ev.RateQuoted: "rates",
    ev.PaymentLabelled: "fraud-labels",
    ev.PaymentInitiated: "payments",
    ev.PaymentReviewed: "payments",
}


class Said(NamedTuple):
    """What was decided about a payment."""

    score: int
    outcome: str
    reasons: tuple[tuple[str, str], ...]
    model: str | None


class Bank:
    """The product, and what it has said."""

    def __init__(self) -> None:
        self.cluster = SimulatedCluster(1, START + 100 * DAY)
        self.said: dict[str, Said] = {}
        self._decoder, self._read = decoder(), 0

    def send(self, *events: Any) -> list[Any]:
        """Send events, let all streams read on, and return the decisions that this has made."""
        for event in events:
            topic = TOPICS.get(type(event), "fraud-rules")
            self.cluster.produce(Produce(topic, record_key(event).encode(), encode(event), None, ()))
        self.cluster.process()
        log = self.cluster.records["ledger-commands", 0]
        new, self._read = log[self._read :], len(log)
        found = [self._decoder.decode(record.value) for record in new]
        decided = [event.fields for event in found if event is not None and event.name == "PaymentDecided"]
        for fields in decided:
            reasons = tuple((one["rule"], one["detail"]) for one in fields["reasons"])
            _, names_model, model = fields["rules_version"].partition("; model ")
            self.said[fields["payment_id"]] = Said(
                fields["score"], fields["outcome"], reasons, model if names_model else None
            )
        return decided


def rules() -> RuleSet:
    """Return a set beside the default one: of its scores and the model's come outcomes and reasons."""
    return rule_set(
        rule("often", "payments_24h > 3", outcome="REVIEW", reason="{payments_24h} in a day, {silence}"),
        rule("paid", "payee_payers_24h > 3", outcome="REVIEW", reason="{payee_payers_24h} paid {payee}"),
        rule(
            "passes",
            "share_passed_on > 50 % and amount > 100 EUR",
            outcome="REVIEW",
            reason="{share_passed_on}",
        ),
        set_id="mine",
    )


def slices(chance: Random, count: int) -> Iterator[tuple[int, list[ev.PaymentInitiated]]]:
    """Yield the payments of slices, and when each slice begins: nobody pays and is paid in one."""
    number, at = 0, START
    for _ in range(count):
        at += SLICE_US * chance.choice([1, 1, 1, 2, 9, 40])
        people = chance.sample(PEOPLE, len(PEOPLE))
        payees = [*people[20:], *(f"shop-{chance.randrange(9)}" for _ in range(2))]
        seconds = sorted(chance.sample(range(1, SLICE_S), chance.choice([1, 2, 6])))
        made = []
        for second, payee in zip(seconds, chance.sample(sorted(set(payees)), len(seconds)), strict=True):
            number += 1
            debtor = chance.choice(people[:10])
            amount = chance.choice([20_00, 21_00, 150_00, 600_00, 1_500_00, int(chance.lognormvariate(8, 1))])
            made.append(
                ev.PaymentInitiated(
                    *(f"event-{number}", "acme", at + second * 1_000_000, "c", None, f"P{number}"),
                    *(debtor, payee, amount, "EUR", "transfer", "thanks", "app"),
                    *(
                        chance.choice([f"phone of {debtor}", "phone-1", None]),
                        chance.choice(["FR", "BR", None]),
                    ),
                    None,
                )
            )
        yield at, made


def streamed(chance: Random, model: bytes, count: int) -> Bank:
    """Send payments, reviews and labels through all streams, until a payment is declined."""
    bank, paid = Bank(), list[ev.PaymentInitiated]()
    people = [
        opened(one, START - chance.randrange(60) * DAY, "payroll" if one == PEOPLE[0] else None)
        for one in PEOPLE
    ]
    shops = [opened(f"shop-{number}", START - DAY) for number in range(9)]
    funded = [ev.AccountOpened(*opening_of(one)) for one in (*people, *shops)]
    bank.send(*funded, quoted("USD", 90_000_000, START - DAY), published(rules()))
    bank.send(*model_parts(model, len(model)), in_role(model, 1, from_us=0))
    for at, payments in slices(chance, count):
        if paid and chance.random() < 0.3:
            said = chance.choice(["FRAUD", "FRAUD", "GENUINE"])
            bank.send(labelled(chance.choice(paid[-40:]), said, at))
        for payment in payments:
            (decided,) = bank.send(payment)
            if decided["outcome"] == "REVIEW":
                review = f"review of {payment.payment_id}", "acme", payment.occurred_at, "c", None
                bank.send(
                    ev.PaymentReviewed(*review, payment.payment_id, payment.debtor_account_id, True, "me", "")
                )
            elif decided["outcome"] == "DECLINE":
                return bank
        paid += payments
    return bank


def opening_of(event: ev.AccountOpened) -> tuple[Any, ...]:
    """Return the fields of an opening, with money for all that comes."""
    names = ev.AccountOpened.__struct_fields__
    return tuple(10**12 if name == "initial_balance_minor" else getattr(event, name) for name in names)


def backtested(found: Read, setup: Setup) -> dict[str, Said]:
    """Return what a backtest says of the payments in topics."""
    decided: Outcome = run(found.history, found.labels, setup)
    names = [*decided.names, None]
    said = {}
    for place, payment_id in enumerate(found.history.payment_id.to_pylist()):
        rank = int(decided.ranks[place])
        why = decided.explained[place].reasons if rank else ()
        reasons = tuple((one.label, one.text) for one in why)
        score = int(decided.scores_bp[place]) // 100
        said[payment_id] = Said(score, OUTCOMES[rank], reasons, names[decided.models[place]])
    return said


@pytest.mark.parametrize("seed", [0, 4])
def test_a_backtest_from_topics_says_what_the_stream_said(seed: int) -> None:
    model = model_bytes({0: 2, 4: 5}[seed], 500, NEVER_BP)
    bank = streamed(Random(seed), model, 100)
    found = read_topics(bank.cluster, decoder(), None)
    said = backtested(found, Setup(found.rates, rules(), Fitted(model)))
    outcomes = Counter(one.outcome for one in bank.said.values())
    assert found.left_out == 0 and len(found.labels.place) > 5
    assert outcomes["REVIEW"] > 20 and outcomes["APPROVE"] > 40 and outcomes["DECLINE"] <= 1
    assert {one.model for one in bank.said.values()} == {name_of(model)}
    assert {name: (one, bank.said[name]) for name, one in said.items() if one != bank.said[name]} == {}
    assert said.keys() == bank.said.keys()
    reasons = {label for one in said.values() for label, _ in one.reasons}
    assert {"often@1", "paid@1", "passes@1"} <= reasons and any(one.score for one in said.values())
