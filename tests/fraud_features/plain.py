"""Histories for the plain model of the features and for the product, side by side: what each of them says."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pipeline.domain.fraud.features import forms
from pipeline.domain.fraud.features.amounts import CURRENCIES, NUMBER
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.features.catalogue import NAMES
from pipeline.domain.fraud.features.tables import Card, FeatureTables, Integers, Payments
from pipeline.verify.model import fraud_receiving as plain
from pipeline.verify.model import fraud_state_rows as rows
from pipeline.verify.model.currencies import DIGITS
from pipeline.verify.model.fraud_facts import AMOUNT_MAX, Rates
from pipeline.verify.model.fraud_known import Known
from pipeline.verify.model.fraud_payers import LATEST_S, Payment
from tests.fraud_features.histories import DAY_S, START_S, cut, fresh, receipts

RATES = {name: Rates() for name in ("VND", "JPY", "USD")}
RATES["VND"].quote(0, 3_700_000, START_S)
RATES["JPY"].quote(START_S + DAY_S, 600_000_000, START_S)
"""As `histories.RATES`, written down once more."""
ASKED = ("payments_1h", "amount_24h", "pair_payments", "approved_payments")
"""On these hangs which payments are approved."""


class Style(NamedTuple):
    """What a history is like."""

    accounts: int = 15
    span_s: int = 2 * DAY_S
    """Of a call."""
    calls: int = 5
    size: int = 90
    labels: float = 0.1
    lanes_min: int = 8


def random_payments(chance: np.random.Generator, style: Style, from_s: int) -> Payments:
    """Return payments of a few accounts, in no order: some are days late, a few at the ends of time."""
    size = style.size
    at_s = np.sort(chance.integers(from_s, from_s + style.span_s, size))
    at_s[chance.random(size) < 0.3] = at_s[0]
    late = chance.random(size) < 0.1
    at_s[late] -= chance.integers(0, 5 * DAY_S, late.sum())
    far = chance.random(size) < 0.005
    at_s[far] = chance.choice([-1, 0, 1, 2**40, 2**43], far.sum())
    debtor, payee = chance.integers(1, style.accounts, (2, size)) * 2_654_435_761_887
    many = chance.random(size) < 0.2
    payee[many] = chance.integers(1, 2**62, many.sum())
    amount = np.exp(chance.normal(9, 3, size)).astype(np.int64) + 1
    amount[chance.random(size) < 0.3] = 20_00
    for value in (0, 99, 2**62, 8_000_00, 10_000_00, 10**14 + 7):
        amount[chance.random(size) < 0.03] = value
    names = np.array(["EUR", "VND", "JPY", "USD"])[chance.choice(4, size, p=[0.8, 0.1, 0.05, 0.05])]
    return Payments(
        at_s,
        debtor,
        payee,
        chance.integers(0, 14, size),
        chance.integers(0, 12, size),
        np.array([NUMBER[name] for name in names], np.int64),
        amount,
        chance.choice([0, 0, 0, -5, from_s - 40 * DAY_S], size),
    )


def at(of: Payments, place: int) -> Payment:
    """Return one of the payments as the plain model takes it."""
    at_s, debtor, payee, device, country, number, minor, opened_s = (int(one[place]) for one in of)
    at_s = min(max(at_s, 1), LATEST_S)
    currency = CURRENCIES[number]
    amount = min(minor, AMOUNT_MAX) if currency == "EUR" else RATES[currency].euros(minor, at_s)
    opened = opened_s if opened_s > 0 else None
    return Payment(at_s, debtor, payee, device, country, currency, minor, DIGITS[currency], amount, opened)


def approves(features: dict[str, Any]) -> bool:
    """Whether a payment is approved: most are."""
    return sum(features[name] for name in ASKED) % 5 != 0


def decide(places: Integers, features: Integers) -> Integers:
    """Decide as `approves`, for many."""
    return sum(features[NAMES.index(name)] for name in ASKED) % 5 != 0


def words_of(card: plain.Card) -> list[int]:
    """Return a card as the product has it."""
    return rows.words_of_card(card).values


class Beside:
    """The product and the plain model, through one history."""

    def __init__(self, seed: int, style: Style) -> None:
        self.chance, self.style = np.random.default_rng(seed), style
        self.tables: FeatureTables = fresh(style.lanes_min)
        self.known = Known()
        self.before: list[tuple[Payments, Payment, bool]] = []

    def run(self) -> None:
        """Go through the history. Raises AssertionError where the two differ."""
        for call in range(self.style.calls):
            of = random_payments(self.chance, self.style, START_S + call * self.style.span_s)
            judged = self.tables.pay(of, decide)
            told: list[plain.Card | None] = []
            for place, values in enumerate(judged.features.T.tolist()):
                payment = at(of, place)
                said = {
                    name: None if value == MISSING else value
                    for name, value in zip(NAMES, values, strict=True)
                }
                features = self.known.pay(payment)
                assert said == features, (call, place)
                approved = approves(features)
                if approved:
                    self.known.learn(payment)
                origins = [tuple(one) for one in judged.origins[:, :, place].tolist() if one[0]]
                assert origins == self.known.origins(payment), (call, place)
                self.before.append((cut(of, place, place + 1), payment, approved))
            for payment, origins in zip(
                [at(of, place) for place in range(len(of.at_s))],
                judged.origins.transpose(2, 0, 1).tolist(),
                strict=True,
            ):
                carried = [(account, hops) for account, hops in origins if account]
                receiver = self.known.receiver(payment.payee, payment.at_s)
                told.append(receiver.receive(payment.at_s, payment.debtor, payment.amount, carried))
            self.tell(self.tables.receive(receipts(of, judged)), told)
            self.label()
        self.compare_rows()

    def compare_rows(self) -> None:
        """Compare all states, as words and as bytes."""
        known, tables = self.known, self.tables
        sums = {NUMBER[name]: one for name, one in known.population.sums.items()}
        for form, theirs, ours, words in (
            (forms.PAYER, tables.payers, known.payers, rows.words_of_payer),
            (forms.RECEIVER, tables.receivers, known.receivers, rows.words_of_receiver),
            (forms.CARD, tables.cards, known.cards, rows.words_of_card),
            (forms.PAIR, tables.pairs, known.pairs, rows.words_of_pair),
            (forms.DEVICE, tables.devices, known.devices, rows.words_of_device),
            (forms.POPULATION, tables.population, sums, rows.words_of_population),
        ):
            for key, one in ours.items():
                state, said = theirs.state(key), words(one)
                assert said.values == state.tolist(), (words.__name__, key)
                assert rows.packed(rows.relative(said), said.width + 1) == form.pack(state[None, :])[0]

    def label(self) -> None:
        """Label some payments as fraud, each once and a few of them twice; some long after, some before."""
        for _ in range(self.chance.binomial(self.style.size, self.style.labels)):
            place = int(self.chance.integers(len(self.before)))
            of, payment, approved = self.before[place]
            labelled_s = payment.at_s + int(self.chance.integers(-2 * DAY_S, 40 * DAY_S))
            again = (of, payment, approved)
            self.tables.unlearn(of, np.array([approved]))
            self.known.unlearn(payment, approved)
            cards = self.tables.confirm(of, np.array([labelled_s]))
            label_s = min(max(labelled_s, 1), LATEST_S)
            receiver = self.known.labelled(payment.payee)
            self.tell(cards, [receiver.confirm(payment.at_s, label_s)])
            if self.chance.random() < 0.3:
                self.withdraw(again, labelled_s)
            if self.chance.random() < 0.9:
                self.before.pop(place)

    def withdraw(self, label: tuple[Payments, Payment, bool], labelled_s: int) -> None:
        """Take a label back, some time later."""
        of, payment, approved = label
        at_s = labelled_s + int(self.chance.integers(0, 20 * DAY_S))
        self.tables.relearn(of, np.array([approved]))
        self.known.relearn(payment, approved)
        cards = self.tables.withdraw(of, np.array([labelled_s]), np.array([at_s]))
        label_s, back_s = (min(max(one, 1), LATEST_S) for one in (labelled_s, at_s))
        receiver = self.known.labelled(payment.payee)
        self.tell(cards, [receiver.withdraw(payment.at_s, label_s, back_s)])

    def tell(self, cards: list[Card], told: list[plain.Card | None]) -> None:
        """Compare the cards that are due, and let most of them be known."""
        due = [one for one in told if one is not None]
        assert [one.values for one in cards] == [words_of(one) for one in due]
        for card, one in zip(cards, due, strict=True):
            if self.chance.random() < 0.8:
                self.tables.know([card.payee], [card.values])
                self.known.cards[card.payee] = one
