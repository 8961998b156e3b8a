"""What customers and employers pay by their habits: shopping, bills, rent, transfers, salaries."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from pipeline.loadgen.payments import NEWEST, PaymentDraft, PaymentRecords
from pipeline.loadgen.plan import DAY_US, HOUR_US, MINUTE_US, Produce
from pipeline.loadgen.world import CHANNELS, Community, Customer, World

OLD_SHARES = ((0.2, 1), (0.4, 2), (0.7, 3))
"""Cumulative shares of the ordinary payments by schema version: 20% version 1, 40% version 1 or 2, ..."""
LOW_BALANCE_MINOR = 3_000_00
"""Below this a salary is paid. It is well above zero, because later payments may be applied before it."""
NOSTRO_AMOUNT_MAX = 495_00
"""Below the large amounts of the fraud rules: payments over a nostro should settle."""
UNSTATED_MINOR, UNSTATED_AMOUNTS, UNSTATED_STEP = 5_01, 24_001, 9_973
"""The smallest amount of which the bank states no reference, how many there are, and a step through all of
them: it is prime to their number."""
COLLECT_GAP_US = 2 * HOUR_US
"""Shortest time between two payments of a nostro to customers, so that no burst rule holds them."""
PAYROLL_EVERY = 400
"""One payment in so many begins a payroll: an employer pays many people one after the other."""
PAYROLL = (12, 50)
"""How many people it pays."""
KNOWN_FOR_US = 60 * DAY_US
"""How long before the run merchants took their first money: a payee that many pay at once and that is new is
suspicious."""

KNOWN_PAIRS = 220
"""A bank's lags are known from 200 pairs on; some payments may be refused."""
KNOWN_EVERY_US = 5 * MINUTE_US
"""From one of them to the next."""

OnCrossing = Callable[[Community, int, int, PaymentDraft, bool], None]
"""Called for each payment over a nostro: community, time, signed amount (a credit of the nostro is positive),
payment, and whether the bank will state its reference."""


class OrdinaryPayments:
    """One payment for each moment; a salary when the balance is low."""

    def __init__(self, world: World, rng: Random, payments: PaymentRecords, on_crossing: OnCrossing) -> None:
        self._world = world
        self._rng = rng
        self._payments = payments
        self._on_crossing = on_crossing
        self._members = [(community, one) for community in world.communities for one in community.customers]
        self._collected: dict[str, int] = {}
        self._payroll: deque[tuple[Community, str, Customer]] = deque()
        self._steps = self._unstated = 0

    def before(self, at: int) -> Iterator[Produce]:
        """Yield the first money of each merchant, long before the run begins `at` (microseconds UTC)."""
        for community in self._world.communities:
            for merchant in community.merchants:
                amount = self._salary_amount()
                first = self._payments.new(community, community.backer, merchant.account_id, amount)
                yield self._payments.initiated(first, at - KNOWN_FOR_US)

    def known_before(self, at: int) -> Iterator[Produce]:
        """Yield KNOWN_PAIRS bills of each community in the hours before `at` (microseconds UTC).

        With their lines, reconciliation knows the lags of every bank when the run begins.
        """
        for community in self._world.communities:
            for number in range(KNOWN_PAIRS):
                customer = community.customers[number % len(community.customers)]
                paid_at = at - (KNOWN_PAIRS - number) * KNOWN_EVERY_US
                if customer.balance < LOW_BALANCE_MINOR:
                    yield self._next_salary(community, customer, paid_at)
                yield self._bill(community, customer, paid_at)

    def join(self, community: Community, customer: Customer) -> None:
        """Let a new customer pay, too."""
        self._members.append((community, customer))

    def step(self, at: int) -> Iterator[Produce]:
        """Yield the one payment of this moment."""
        self._steps += 1
        if self._steps % PAYROLL_EVERY == PAYROLL_EVERY // 4:
            self._begin_payroll()
        if self._payroll:
            community, employer, customer = self._payroll.popleft()
            yield self._salary(community, employer, customer, at)
            return
        community, customer = self._rng.choice(self._members)
        if customer.balance < LOW_BALANCE_MINOR:
            yield self._next_salary(community, customer, at)
            return
        dice = self._rng.random()
        if dice < 0.56:
            yield self._shopping(community, customer, at)
        elif dice < 0.62:
            yield self._subscription(community, customer, at)
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

    def _subscription(self, community: Community, customer: Customer, at: int) -> Produce:
        """Pay the same amount to the same merchant as always."""
        payee, amount = customer.usual[0].account_id, customer.subscription_minor
        return self._spend(community, customer, at, payee, amount, channel="card")

    def _begin_payroll(self) -> None:
        community = self._rng.choice(self._world.communities)
        staff = min(self._rng.randrange(*PAYROLL), len(community.customers))
        employer = self._rng.choice(community.employers)
        people = self._rng.sample(community.customers, staff)
        self._payroll.extend((community, employer, person) for person in people)

    def _next_salary(self, community: Community, customer: Customer, at: int) -> Produce:
        """Pay somebody whose balance is low."""
        place = int(customer.account_id.rpartition("-")[2]) % len(community.employers)
        return self._salary(community, community.employers[place], customer, at)

    def _salary(self, community: Community, employer: str, customer: Customer, at: int) -> Produce:
        amount = self._salary_amount()
        customer.balance += amount
        payment = self._payments.new(community, employer, customer.account_id, amount, kind="transfer")
        return self._payments.initiated(payment, at, self._version())

    def _salary_amount(self) -> int:
        return 1_800_00 + int(self._rng.random() * 1_500_00)

    def _crossing_amount(self) -> tuple[int, bool]:
        """Return an amount and whether the bank states the reference: then the amount is even, else odd.

        A line without a reference is matched by its amount, so it must not match the posting of another line,
        and no amount comes again before all others have come.
        """
        amount = 2 * int(5_00 + self._rng.random() * (NOSTRO_AMOUNT_MAX - 10_00) / 2)
        if self._rng.random() < 0.95:
            return amount, True
        self._unstated += 1
        return UNSTATED_MINOR + 2 * (self._unstated * UNSTATED_STEP % UNSTATED_AMOUNTS), False

    def _bill(self, community: Community, customer: Customer, at: int) -> Produce:
        amount, stated = self._crossing_amount()
        customer.balance -= amount
        payment = self._payments.new(
            community, customer.account_id, community.nostro, amount, channel="web", device=customer.device
        )
        self._on_crossing(community, at, amount, payment, stated)
        return self._payments.initiated(payment, at, self._version())

    def _incoming(self, community: Community, customer: Customer, at: int) -> Produce:
        amount, stated = self._crossing_amount()
        customer.balance += amount
        payment = self._payments.new(community, community.nostro, customer.account_id, amount, kind="deposit")
        self._on_crossing(community, at, -amount, payment, stated)
        return self._payments.initiated(payment, at, self._version())
