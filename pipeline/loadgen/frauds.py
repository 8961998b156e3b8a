"""Planted frauds: each is a story of one typology, and labels that say later what its payments were.

Event times lie before the moment at which a story is planted, so a story of days is told at once. What waits
for a booking comes later: in a bounded run when the streams have caught up (`next_round`), in an endless one
RECEIVED_S later or when its receipts are in the log (`due`), whichever is later. A payment that is held has
no receipt, and its story goes on after GIVEN_UP_S: so no alert is expected there.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.payments import PaymentDraft, PaymentRecords
from pipeline.loadgen.plan import AHEAD_S, DAY_US, SECOND_US, LoadPlan, Produce
from pipeline.loadgen.receipts import Awaited, by_receiver
from pipeline.loadgen.typologies import HOPS_MAX, HOPS_MIN, MULES, Cast, Scenario, Stage, Typologies
from pipeline.loadgen.world import CURRENCIES, RATE_E8, World

FRAUDS = 9
"""How many scenarios there are."""
FUNDS_MINOR = 200_000_00
RECEIVED_S = 15
"""How long an endless run gives the streams at least to book a stage before it makes the next one."""
GIVEN_UP_S = 600
"""After so long the next stage comes whether the one before was booked or not."""
UNLABELLED_EVERY = 12
"""One story in so many is never found by anybody."""
SOURCES = ("CHARGEBACK", "CUSTOMER")
QUOTED_BEFORE_US = 90 * DAY_US
"""Stories begin before the run, and their amounts are compared by a rate of that time."""


@dataclass
class Told:
    """A story that is being told."""

    cast: Cast
    item: int
    starts: int
    """Event time of its second 0, microseconds UTC."""
    stages: deque[Stage]
    labelled: str | None
    """Where its labels come from; None: nobody finds out."""
    paid: list[PaymentDraft] = field(default_factory=list)
    """What was paid before the stage that is next, and has no label yet."""
    until: int = 0
    """The step from which on its next stage waits for no receipt."""


class Frauds:
    """Plants the scenarios in turn."""

    def __init__(
        self, plan: LoadPlan, world: World, emitter: Emitter, payments: PaymentRecords, ahead: int
    ) -> None:
        """`ahead`: how many stories have their accounts open before the run."""
        self._plan = plan
        self._world = world
        self._emitter = emitter
        self._payments = payments
        self._ahead = ahead
        self._rng = Random(f"frauds {plan.seed}")
        self._ready: deque[Cast] = deque()
        self._mules: dict[str, tuple[str, ...]] = {}
        self._opened = self._planted = self._steps = 0
        self._waiting: list[tuple[int, int, Told]] = []
        """By the step from which on their next stage may come."""
        self._order = itertools.count()
        self.receipts = Awaited(by_receiver)
        """What stages wait for; nothing, unless somebody reads it."""
        made = Typologies(self._rng, payments)
        self.scenarios: tuple[Scenario, ...] = (
            *(made.structuring, made.fan_in, made.cycle, made.fan_out, made.pass_through),
            *(made.structuring_slow, made.dormant_then_active, made.probe_then_drain),
            made.first_large_payment,
        )
        self._per_second = SECOND_US / max(plan.live_step_us, 1)
        """Steps of an endless run."""

    # --- accounts

    def rates(self) -> Iterator[Produce]:
        """Yield for every tenant the rate by which amounts before the run are compared."""
        base, quote = (currency for currency, _ in CURRENCIES)
        begins = self._plan.start - QUOTED_BEFORE_US
        for tenant in self._plan.tenants if self._ahead else ():
            fields = {"base_currency": base, "quote_currency": quote, "rate_e8": RATE_E8}
            fields |= {"actor": None, "effective_from": begins}
            yield self._emitter.event("rates", "ledgerflow.RateQuoted", 1, tenant, base, begins, fields)

    def open_reserve(self) -> Iterator[Produce]:
        """Yield the openings of the accounts that receive, and of those of the first stories."""
        for community in self._world.communities if self._ahead else ():
            mules = self._mules[community.nostro] = tuple(self._emitter.name("h") for _ in range(MULES))
            for account in mules:
                yield self._world.open(community, account, "checking", 0)
        for _ in range(self._ahead):
            yield from self._open()

    def _open(self) -> Iterator[Produce]:
        number = self._opened
        self._opened += 1
        communities = self._world.communities
        community = communities[number % len(communities)]
        accounts = tuple(self._emitter.name("v") for _ in range(self._size(number)))
        self._ready.append(Cast(community, accounts, self._mules[community.nostro]))
        for account in accounts:
            yield self._world.open(community, account, "checking", FUNDS_MINOR)

    def _size(self, number: int) -> int:
        name = self._scenario(number).__name__
        if name == "cycle":
            return HOPS_MIN + number // FRAUDS % (HOPS_MAX - HOPS_MIN + 1)
        return 2 if name == "pass_through" else 1

    def _scenario(self, number: int) -> Scenario:
        return self.scenarios[number % FRAUDS]

    # --- telling

    def step(self, at: int) -> Iterator[Produce]:
        """Yield the first stage of the next story, which ends at event time `at` (microseconds UTC)."""
        number, scenario = self._planted, self._scenario(self._planted)
        self._planted += 1
        if self._plan.count is None or not self._ready:
            yield from self._open()
        cast = self._ready.popleft()
        stages = scenario(cast)
        payments = [payment for stage in stages for payment, second in stage if second >= 0]
        expected = {"alert": [payment.payment_id for payment in payments]}
        if len(stages) > 1 and self._plan.count is None:
            expected = {}
        item = self._emitter.plant(
            "fraud",
            scenario.__name__,
            cast.community.tenant,
            expected,
            sum(map(len, stages)),
            account_id=payments[-1].debtor,
            payment_ids=[payment.payment_id for payment in payments],
        )
        reviewed = scenario.__name__ == "first_large_payment"
        found = number % UNLABELLED_EVERY < UNLABELLED_EVERY - 1 and not reviewed
        labelled = SOURCES[number % 2] if found else None
        starts = at - stages[-1][-1][1] * SECOND_US
        yield from self._tell(Told(cast, item, starts, deque(stages), labelled), at)
        if reviewed:
            yield self._decide(payments[0], at, number // FRAUDS)

    def due(self, at: int) -> Iterator[Produce]:
        """Yield what an endless run has kept until now; to be called at each step."""
        self._steps += 1
        while self._plan.count is None and self._waiting and self._waiting[0][0] <= self._steps:
            _, order, told = heapq.heappop(self._waiting)
            if told.stages and self._steps < told.until and self.receipts.lacks(told.paid):
                heapq.heappush(self._waiting, (self._steps + int(self._per_second) + 1, order, told))
            else:
                yield from self._tell(told, at)

    @property
    def waits(self) -> bool:
        """Whether a bounded run has stages that wait for the streams."""
        return self._plan.count is not None and bool(self._waiting)

    def next_round(self, at: int) -> Iterator[Produce]:
        """Yield the next stage of each story that waits: when the streams have caught up with the last."""
        waiting, self._waiting = sorted(self._waiting), []
        for _, _, told in waiting:
            yield from self._tell(told, at)

    def _tell(self, told: Told, at: int) -> Iterator[Produce]:
        """Yield the next stage of a story and labels on what was paid before; keep it if there is more."""
        self.receipts.give_up(told.paid)
        for payment in told.paid:
            if told.labelled is not None:
                yield self._payments.labelled(payment, at, "FRAUD", told.labelled)
        told.paid = []
        stage = told.stages.popleft() if told.stages else []
        for payment, second in stage:
            yield self._payments.initiated(payment, told.starts + second * SECOND_US, 2, (told.item,))
        # What waits for a review has its label from there; in a chain what is booked is labelled on the way.
        told.paid = [payment for payment, second in stage if second >= 0]
        label_later = told.labelled is not None and told.paid and len(told.cast.accounts) < HOPS_MIN
        if told.stages or label_later:
            pause_s = RECEIVED_S if told.stages else AHEAD_S
            told.until = self._steps + int(GIVEN_UP_S * self._per_second)
            if told.stages:
                self.receipts.expect(told.paid)
            due = self._steps + int(pause_s * self._per_second) + 1
            heapq.heappush(self._waiting, (due, next(self._order), told))

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
