"""Planted frauds: each is a short story of one victim that at least one rule of the fraud stream covers.

A victim is an account that is opened long before it is used, and used for one story, so that its fraud
profile contains nothing else.
Scenario functions return (payment, seconds from now) pairs; negative seconds lie in the past (a history).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from random import Random

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.payments import PaymentDraft, PaymentRecords
from pipeline.loadgen.plan import SECOND_US, Produce
from pipeline.loadgen.world import Community, World

HOUR_S = 3600
DAY_S = 24 * HOUR_S
VICTIM_BALANCE_MINOR = 200_000_00

FRAUDS = 9
"""How many scenarios there are."""

Story = list[tuple[PaymentDraft, int]]


class Victims:
    """Funded accounts for one use each, in order of opening. An endless run replaces used ones."""

    def __init__(self, world: World, emitter: Emitter, ahead: int, endless: bool) -> None:
        """`ahead`: how many accounts to open before the run."""
        self._world = world
        self._emitter = emitter
        self._ahead = ahead
        self._endless = endless
        self._ready: deque[tuple[Community, str]] = deque()
        self._opened = 0

    def open_reserve(self) -> Iterator[Produce]:
        """Yield the openings of the first victims."""
        for _ in range(self._ahead):
            yield self._open()

    def take(self) -> tuple[Community, str, list[Produce]]:
        """Return a victim's community and account, and the opening of its replacement, if any."""
        community, account = self._ready.popleft()
        return community, account, [] if self._ready and not self._endless else [self._open()]

    def _open(self) -> Produce:
        community = self._world.communities[self._opened % len(self._world.communities)]
        self._opened += 1
        account = self._emitter.name("v")
        self._ready.append((community, account))
        return self._world.open(community, account, "checking", VICTIM_BALANCE_MINOR)


class Frauds:
    """Plants the scenarios in turn."""

    def __init__(self, rng: Random, emitter: Emitter, payments: PaymentRecords, victims: Victims) -> None:
        self._rng = rng
        self._emitter = emitter
        self._payments = payments
        self._victims = victims
        self._planted = 0
        self.scenarios: tuple[Callable[[Community, str], Story], ...] = (
            self.velocity_burst,
            self.probe_then_drain,
            self.structuring,
            self.geo_velocity,
            self.dormant_drain,
            self.fan_out,
            self.account_takeover,
            self.amount_outlier,
            self.many_devices,
        )

    def step(self, at: int) -> Iterator[Produce]:
        """Yield the records of the next scenario; after geo_velocity also the decision on its payment."""
        scenario = self.scenarios[self._planted % len(self.scenarios)]
        round_number = self._planted // len(self.scenarios)
        self._planted += 1
        community, victim, successor = self._victims.take()
        yield from successor
        story = scenario(community, victim)
        ids = [payment.payment_id for payment, _ in story]
        number = self._emitter.plant(
            "fraud",
            scenario.__name__,
            community.tenant,
            {"alert": ids},
            len(story),
            account_id=victim,
            payment_ids=ids,
        )
        last = max(offset for _, offset in story)
        for payment, offset in story:
            yield self._payments.initiated(payment, at + (offset - last) * SECOND_US, 2, (number,))
        if scenario == self.geo_velocity:
            yield self._decide(story[-1][0], at, round_number)

    def _decide(self, payment: PaymentDraft, at: int, round_number: int) -> Produce:
        """End a held payment: approved, refused or cancelled, in turn."""
        name = ("review_approved", "review_refused", "held_cancelled")[round_number % 3]
        event, code = {
            "review_approved": ("PaymentSettled", "ok"),
            "review_refused": ("PaymentRejected", "declined"),
            "held_cancelled": ("outcomes.PaymentCancelled", "cancelled"),
        }[name]
        expected = {"payment_id": payment.payment_id, "event": event, "code": code}
        number = self._emitter.plant(
            "review", name, payment.tenant, {"outcome": expected}, payment_id=payment.payment_id
        )
        if name == "held_cancelled":
            return self._payments.cancelled(payment, at + SECOND_US, (number,))
        return self._payments.reviewed(payment, at + SECOND_US, name == "review_approved", (number,))

    # --- the scenarios

    def _pay(
        self,
        community: Community,
        victim: str,
        amount: int,
        payee: int = 0,
        device: str = "",
        country: str = "",
    ) -> PaymentDraft:
        merchants = community.merchants
        merchant = merchants[payee % len(merchants)]
        return self._payments.new(
            community,
            victim,
            merchant.account_id,
            amount,
            device=device or f"device-{victim}",
            channel="mobile",
            category=merchant.category,
            country=country or None,
        )

    def _history(
        self, community: Community, victim: str, payments: int, gap_s: int, country: str = ""
    ) -> Story:
        """Return small payments to a usual payee, the last of them 12 hours before second 0."""
        first = -12 * HOUR_S - (payments - 1) * gap_s
        return [
            (
                self._pay(community, victim, self._rng.randrange(20_00, 40_00), country=country),
                first + number * gap_s,
            )
            for number in range(payments)
        ]

    def velocity_burst(self, community: Community, victim: str) -> Story:
        """Twelve payments within 44 seconds."""
        return [
            (self._pay(community, victim, self._rng.randrange(5_00, 40_00), payee=number % 3), 4 * number)
            for number in range(12)
        ]

    def probe_then_drain(self, community: Community, victim: str) -> Story:
        """A payment of cents, and half a minute later a large one."""
        drain = self._rng.randrange(900_00, 4_000_00)
        return [(self._pay(community, victim, 50), 0), (self._pay(community, victim, drain, payee=1), 30)]

    def structuring(self, community: Community, victim: str) -> Story:
        """Four amounts just under the reporting threshold within nine hours."""
        return [
            (self._pay(community, victim, self._rng.randrange(9_200_00, 9_990_00)), 3 * HOUR_S * number)
            for number in range(4)
        ]

    def geo_velocity(self, community: Community, victim: str) -> Story:
        """At home, and ten minutes later on another continent."""
        at_home = self._pay(community, victim, 21_50, country=community.countries[0])
        abroad = self._pay(community, victim, self._rng.randrange(80_00, 400_00), payee=1, country="TH")
        return [(at_home, 0), (abroad, 600)]

    def dormant_drain(self, community: Community, victim: str) -> Story:
        """No payment for 70 days, then a large amount."""
        drain = self._rng.randrange(900_00, 4_000_00)
        return [
            (self._pay(community, victim, 12_00), -70 * DAY_S),
            (self._pay(community, victim, drain, 1), 0),
        ]

    def fan_out(self, community: Community, victim: str) -> Story:
        """Nine payees within half an hour that were never paid before."""
        return [
            (self._pay(community, victim, self._rng.randrange(50_00, 300_00), payee=number), 200 * number)
            for number in range(9)
        ]

    def account_takeover(self, community: Community, victim: str) -> Story:
        """A history; then a new device, payee and country, and a round amount."""
        story = self._history(community, victim, 6, 5 * HOUR_S, country=community.countries[0])
        taken = self._pay(community, victim, 2_000_00, payee=7, device=f"other-{victim}", country="KY")
        return [*story, (taken, 0)]

    def amount_outlier(self, community: Community, victim: str) -> Story:
        """A history of small amounts; then a large round one to a new payee."""
        large = self._pay(community, victim, 5_000_00, payee=5)
        return [*self._history(community, victim, 11, 4 * HOUR_S), (large, 0)]

    def many_devices(self, community: Community, victim: str) -> Story:
        """A history on one device; then five others within an hour."""
        story = self._history(community, victim, 6, 5 * HOUR_S)
        others = [
            (self._pay(community, victim, 30_00, device=f"other{number}-{victim}"), 600 * number)
            for number in range(5)
        ]
        return [*story, *others]
