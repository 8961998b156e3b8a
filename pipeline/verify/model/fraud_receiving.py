"""What an account receives, where that money was before, and what is told of a payee: its card."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.verify.model.fraud_windows import DAY_S, HOUR_S, Buckets, Remembered, added

INFLOW_FROM = 500_00
HOPS_MOST, ORIGINS_TOLD, ORIGINS_KEPT = 6, 4, 10
WEEK_S = 7 * DAY_S
FAN_IN_S = (HOUR_S, DAY_S, WEEK_S)
LEVELS = (5, 8, 12, 20, 30, 50, 80, 120, 200, 300)
PRIOR_PAYMENTS, PRIOR_BP = 5, 50
FRAUD_RECENT_DAYS = 60
TOLD_AGAIN_S = 180 * DAY_S
LABELLED_WITHIN_S = 38 * DAY_S
"""A label that comes later is of a day that no window has any more."""


def risk(received: int, frauds: int) -> int:
    """Return the share of confirmed frauds in hundredths of a percent, drawn to that of all payees."""
    return (frauds * 10_000 + PRIOR_PAYMENTS * PRIOR_BP) // (received + PRIOR_PAYMENTS)


def level(payers: int) -> int:
    """Return how many levels a fan-in has reached."""
    return sum(payers >= one for one in LEVELS)


def days_of_payee() -> Buckets:
    return Buckets(DAY_S, 48)


@dataclass(slots=True)
class Card:
    """What a payee's partition last told."""

    first_s: int | None = None
    received: int = 0
    frauds: int = 0
    as_of_s: int | None = None
    payers: tuple[int, int, int] = (0, 0, 0)
    """In an hour, a day, a week."""
    days: Buckets = field(default_factory=days_of_payee)
    """Receipts, frauds of that day, labels that came on it."""


@dataclass(slots=True)
class Origin:
    """Where money was before."""

    account: int
    at_s: int
    hops: int
    amount: int


@dataclass(slots=True)
class Receiver:
    """An account that is paid."""

    account: int = 0
    first_s: int | None = None
    received: int = 0
    frauds: int = 0
    largest: tuple[int, int] | None = None
    """Amount and time."""
    inflow_s: int | None = None
    hours: Buckets = field(default_factory=lambda: Buckets(HOUR_S, 32))
    payers: Remembered = field(default_factory=lambda: Remembered(32))
    origins: list[Origin] = field(default_factory=list)
    days: Buckets = field(default_factory=days_of_payee)
    told: list[int] = field(default_factory=lambda: [0, 0, 0])
    """Fan-in of the last cards, by window."""
    told_s: int | None = None
    newest_s: int = 0
    """Of receipts and labels."""
    fraud_day: int | None = None
    """Day of the last card that a fraud made."""

    def receive(
        self, at_s: int, payer: int, amount: int | None, origins: list[tuple[int, int]]
    ) -> Card | None:
        """Count a receipt; return the card that is due."""
        self.first_s = at_s if self.first_s is None else min(self.first_s, at_s)
        self.received += 1
        self.newest_s = max(self.newest_s, at_s)
        bucket = self.hours.of(at_s, 2)
        bucket[0] += 1
        bucket[1] = added(bucket[1], amount or 0)
        self.days.of(at_s, 3)[0] += 1
        if payer:
            self.payers.note(payer, at_s, sketched=True)
        amount = amount or 0
        if amount >= INFLOW_FROM:
            self.inflow_s = max(at_s, self.inflow_s or 0)
        if self.largest is None or amount >= self.largest[0] or at_s - self.largest[1] > WEEK_S:
            self.largest = amount, at_s
        for account, hops in origins:
            if account != self.account:
                self.remember(Origin(account, at_s, hops, amount))
        return self.card(at_s) if self.is_due(at_s) else None

    def remember(self, new: Origin) -> None:
        """Take the place of the same origin, a free one, or that of the oldest."""
        accounts = [one.account for one in self.origins]
        if new.account in accounts:
            place = accounts.index(new.account)
            if new.at_s >= self.origins[place].at_s:
                self.origins[place] = new
        elif len(self.origins) < ORIGINS_KEPT:
            self.origins.append(new)
        else:
            oldest = min(self.origins, key=lambda one: one.at_s)
            if new.at_s >= oldest.at_s:
                self.origins[self.origins.index(oldest)] = new

    def payers_in(self, at_s: int, seconds: int) -> int:
        """Return how many different accounts paid in a window that ends with a time."""
        return self.payers.different(at_s - seconds + 1, at_s + 1)

    def largest_at(self, at_s: int) -> tuple[int | None, int | None]:
        if self.largest is None or not 0 <= at_s - self.largest[1] <= WEEK_S:
            return None, None
        return self.largest

    def matching(self, at_s: int, amount: int | None) -> list[Origin]:
        """Return the origins of which a payment may be the money, the newest first."""
        amount = amount or 0
        found = [
            one
            for one in self.origins
            if 0 <= at_s - one.at_s <= WEEK_S and amount // 2 <= one.amount <= 2 * amount
        ]
        return sorted(found, key=lambda one: -one.at_s)

    def carried(self, at_s: int, amount: int | None) -> list[tuple[int, int]]:
        """Return what goes on with a payment: origins, and their hops."""
        near = [one for one in self.matching(at_s, amount) if one.hops < HOPS_MOST]
        return [(one.account, one.hops + 1) for one in near[:ORIGINS_TOLD]]

    def back_to(self, payee: int, at_s: int, amount: int | None) -> int | None:
        """Return after how many hops money is where it was."""
        found = [one.hops + 1 for one in self.matching(at_s, amount) if one.account == payee]
        return min(found, default=None)

    def fan_in(self, at_s: int) -> list[int]:
        return [self.payers_in(at_s, seconds) for seconds in FAN_IN_S]

    def is_due(self, at_s: int) -> bool:
        """Whether the others are to be told of a receipt."""
        if self.received == 1 or self.told_s is None:
            return True
        levels = [level(payers) for payers in self.fan_in(at_s)]
        if any(now > told for now, told in zip(levels, self.told, strict=True)):
            return True
        waited_s = at_s - self.told_s
        if any(now and waited_s >= seconds for now, seconds in zip(levels, FAN_IN_S, strict=True)):
            return True
        if waited_s >= TOLD_AGAIN_S:
            return True
        day = at_s // DAY_S
        recent = self.frauds and self.fraud_day is not None and day - self.fraud_day <= FRAUD_RECENT_DAYS
        return bool(recent) and day > self.told_s // DAY_S

    def card(self, at_s: int) -> Card:
        days = days_of_payee()
        days.counted = {number: list(one) for number, one in self.days.counted.items()}
        days.begun = self.days.begun
        fan_in = self.fan_in(at_s)
        self.told = [level(one) for one in fan_in]
        self.told_s = at_s if self.told_s is None else max(at_s, self.told_s)
        return Card(
            self.first_s, self.received, self.frauds, self.told_s, (fan_in[0], fan_in[1], fan_in[2]), days
        )

    def confirm(self, paid_s: int, labelled_s: int) -> Card:
        """Count a fraud: on the day of the payment, and as a label on its own day."""
        self.frauds += 1
        self.newest_s = max(self.newest_s, labelled_s)
        self.fraud_day = max(labelled_s // DAY_S, self.fraud_day or 0)
        if labelled_s - paid_s < LABELLED_WITHIN_S:
            self.days.of(paid_s, 3)[1] += 1
        self.days.of(labelled_s, 3)[2] += 1
        return self.card(labelled_s)

    def withdraw(self, paid_s: int, labelled_s: int, at_s: int) -> Card:
        """Take a fraud back that was confirmed at a time."""
        self.frauds = max(self.frauds - 1, 0)
        for day, column in ((paid_s // DAY_S, 1), (labelled_s // DAY_S, 2)):
            counted = self.days.counted.get(day)
            if counted is not None:
                counted[column] = max(counted[column] - 1, 0)
        return self.card(at_s)
