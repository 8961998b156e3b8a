"""How frauds pay: a function for each typology, written from the words that banks have for them.

A scenario returns stages: lists of payments with the second of the story at which each is made. What a stage
decides by must have been booked before, so a stage comes when the streams have caught up with the one before.
The accounts are funded and used for one story; the first of them has an ordinary life before it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from pipeline.loadgen.payments import PaymentDraft, PaymentRecords
from pipeline.loadgen.world import Community

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
Stage = list[tuple[PaymentDraft, int]]
LIFE = (-21, -17, -12, -9, -5, -2)
"""Days before its story on which an account makes an ordinary payment."""
PAYERS_MIN, PAYERS_MAX = 8, 12
"""How many people pay one account that collects."""
HOPS_MIN, HOPS_MAX = 3, 6
MULES = 12
"""Accounts of a community that only receive: the most that one fan-out pays."""


class Cast(NamedTuple):
    """Who plays in a story."""

    community: Community
    accounts: tuple[str, ...]
    """Funded, of this story alone."""
    mules: tuple[str, ...]


Scenario = Callable[[Cast], list[Stage]]


class Typologies:
    """The scenarios. Amounts are minor units of the community's currency."""

    def __init__(self, rng: Random, payments: PaymentRecords) -> None:
        self._rng = rng
        self._payments = payments

    def structuring(self, cast: Cast) -> list[Stage]:
        """Two days with three to six amounts each, just under the reporting threshold."""
        a_day = self._rng.randrange(3, 7)
        return [self._life(cast) + self._near_the_threshold(cast, days=2, a_day=a_day)]

    def structuring_slow(self, cast: Cast) -> list[Stage]:
        """The same over four to six days, two a day."""
        days = self._rng.randrange(4, 7)
        return [self._life(cast) + self._near_the_threshold(cast, days=days, a_day=2)]

    def fan_in(self, cast: Cast) -> list[Stage]:
        """Eight to twelve people pay one account within a day; hours later nearly all of it leaves."""
        rng, (collector,) = self._rng, cast.accounts
        people = cast.community.customers
        payers = rng.sample(people, rng.randrange(PAYERS_MIN, min(PAYERS_MAX, len(people)) + 1))
        stage: Stage = []
        for number, payer in enumerate(payers):
            amount = rng.randrange(150_00, 400_00)
            payer.balance -= amount
            paid = self._pay(cast, payer.account_id, collector, amount, payer.device)
            stage.append((paid, number * 90 * MINUTE_S))
        collected = sum(payment.amount for payment, _ in stage)
        out = self._pay(cast, collector, cast.mules[0], collected * rng.randrange(80, 96) // 100)
        return [self._life(cast) + stage, [(out, stage[-1][1] + 4 * HOUR_S)]]

    def fan_out(self, cast: Cast) -> list[Stage]:
        """Four to twelve payees within the hour that were never paid before."""
        rng = self._rng
        payees = rng.sample(cast.mules, rng.randrange(4, MULES + 1))
        out = [self._pay(cast, cast.accounts[0], payee, rng.randrange(450_00, 900_00)) for payee in payees]
        return [self._life(cast) + [(payment, 240 * number) for number, payment in enumerate(out)]]

    def cycle(self, cast: Cast) -> list[Stage]:
        """The money comes back to where it came from; up to 4 % stays at each hop."""
        rng, accounts = self._rng, cast.accounts
        amount, at_s = rng.randrange(900_00, 1_800_00), 0
        stages = [self._life(cast)]
        for payer, payee in zip(accounts, (*accounts[1:], accounts[0]), strict=True):
            paid = self._pay(cast, payer, payee, amount)
            stages.append([(paid, at_s)])
            amount -= amount * rng.randrange(1, 5) // 100
            at_s += rng.randrange(8 * HOUR_S, 14 * HOUR_S)
        return [stages[0] + stages[1], *stages[2:]]

    def pass_through(self, cast: Cast) -> list[Stage]:
        """One to three payments come in, most of it leaves within six hours."""
        rng, (between, payer) = self._rng, cast.accounts
        number = rng.randrange(1, 4)
        paid = [self._pay(cast, payer, between, rng.randrange(1_200_00, 1_600_00)) for _ in range(number)]
        come = sum(payment.amount for payment in paid)
        out = self._pay(cast, between, cast.mules[0], come * rng.randrange(80, 99) // 100)
        stage = [(payment, 15 * MINUTE_S * place) for place, payment in enumerate(paid)]
        return [self._life(cast) + stage, [(out, stage[-1][1] + rng.randrange(1, 5) * HOUR_S)]]

    def dormant_then_active(self, cast: Cast) -> list[Stage]:
        """Silent for two months; then four to eight new payees within a day, by another device."""
        rng, (account,) = self._rng, cast.accounts
        merchants = cast.community.merchants
        before = [
            (self._pay(cast, account, merchants[day % len(merchants)].account_id, 12_00), -day * DAY_S)
            for day in (74, 70)
        ]
        out = [
            self._pay(cast, account, payee, rng.randrange(400_00, 900_00), f"other-{account}")
            for payee in rng.sample(cast.mules, rng.randrange(4, 9))
        ]
        return [before + [(payment, 2 * HOUR_S * number) for number, payment in enumerate(out)]]

    def probe_then_drain(self, cast: Cast) -> list[Stage]:
        """One or two payments of a few units, and within the hour large ones, by another device."""
        rng, account = self._rng, cast.accounts[0]
        amounts = [rng.randrange(1_00, 5_00) for _ in range(rng.randrange(1, 3))]
        amounts += [rng.randrange(400_00, 2_000_00) for _ in range(rng.randrange(2, 5))]
        device = f"other-{account}"
        out = [self._pay(cast, account, cast.mules[0], amount, device) for amount in amounts]
        return [self._life(cast) + [(payment, 8 * MINUTE_S * number) for number, payment in enumerate(out)]]

    def first_large_payment(self, cast: Cast) -> list[Stage]:
        """An account that has never paid begins with a large amount: people look at it."""
        payee = self._rng.choice(cast.community.merchants).account_id
        amount = self._rng.randrange(6_000_00, 20_000_00)
        return [[(self._pay(cast, cast.accounts[0], payee, amount), 0)]]

    # --- what they are made of

    def _pay(self, cast: Cast, payer: str, payee: str, amount: int, device: str = "") -> PaymentDraft:
        about = {"channel": "mobile", "device": device or f"device-{payer}", "kind": "transfer"}
        return self._payments.new(cast.community, payer, payee, amount, **about)

    def _life(self, cast: Cast) -> Stage:
        """Return small payments of the first account to merchants, the last of them two days before."""
        account, merchants = cast.accounts[0], cast.community.merchants
        return [
            (
                self._pay(
                    cast, account, self._rng.choice(merchants).account_id, self._rng.randrange(9_00, 60_00)
                ),
                day * DAY_S,
            )
            for day in LIFE
        ]

    def _near_the_threshold(self, cast: Cast, days: int, a_day: int) -> Stage:
        amounts = [self._rng.randrange(9_000_00, 9_990_00) for _ in range(days * a_day)]
        return [
            (
                self._pay(cast, cast.accounts[0], cast.mules[number % 2], amount),
                number // a_day * DAY_S + number % a_day * 2 * HOUR_S,
            )
            for number, amount in enumerate(amounts)
        ]
