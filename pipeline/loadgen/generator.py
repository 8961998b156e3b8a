"""The whole run: close the last period, open accounts, traffic with the planted items, last statements.

Pure: no clock, no I/O; one random generator, seeded. The same plan and encoder give the same records.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from random import Random

from pipeline.loadgen import people
from pipeline.loadgen.banks import Bank
from pipeline.loadgen.drafts import Item
from pipeline.loadgen.emitter import Emitter, Encode
from pipeline.loadgen.frauds import FRAUDS, Frauds
from pipeline.loadgen.malformed import MalformedRecords
from pipeline.loadgen.markets import Markets
from pipeline.loadgen.ordinary import OrdinaryPayments
from pipeline.loadgen.payments import PaymentDraft, PaymentRecords
from pipeline.loadgen.people import People
from pipeline.loadgen.plan import (
    AHEAD_S,
    KNOWN_STEPS_US,
    SECOND_US,
    STEPS_US,
    LoadPlan,
    PlantedItem,
    Produce,
)
from pipeline.loadgen.planting import BREAKS
from pipeline.loadgen.rare_stories import MARK, RARE_STORIES, RareStories
from pipeline.loadgen.receipts import Awaited, Pace
from pipeline.loadgen.refusals import REFUSALS, Refusals, SpecialAccounts
from pipeline.loadgen.stories import STORIES, Stories
from pipeline.loadgen.victims import Victims
from pipeline.loadgen.world import Community, Customer, World


class TrafficGenerator:
    """A run in parts, each an iterator of records, to be taken in this order:

    `periods`, `opening`, `steps`, `closing`, each of `rounds`, each of `falling_due`
    """

    def __init__(self, plan: LoadPlan, encode: Encode, planted: dict[int, PlantedItem]) -> None:
        """`planted` is filled as the records are made, each item before its first record."""
        rng = Random(plan.seed)
        self._plan = plan
        self._rng = rng
        self._emitter = Emitter(plan, encode, planted)
        self._world = World(plan, rng, self._emitter)
        self._payments = PaymentRecords(self._emitter)
        frauds = plan.ahead(plan.fraud_per_mille, FRAUDS)
        refusals = plan.ahead(plan.refusal_per_mille, REFUSALS)
        stories = plan.ahead(plan.story_per_mille, STORIES)
        endless = plan.count is None
        self._victims = Victims(self._world, self._emitter, refusals + stories, endless)
        self._special = SpecialAccounts(self._world, self._emitter, refusals, endless)
        self._frauds = Frauds(plan, self._world, self._emitter, self._payments, frauds)
        self._refusals = Refusals(self._emitter, self._payments, self._victims, self._special)
        self._stories = Stories(plan, self._world, self._emitter, self._payments, self._victims, stories)
        self._rare = self._rare_stories()
        self._banks = {
            community.nostro: Bank(community, plan.start, rng, self._emitter, endless)
            for community in self._world.communities
        }
        self.pace = Pace()
        self.people = People(self._world.communities, self._emitter.apart(people.MARK))
        """Those who look after breaks in an endless run, once they hear of them."""
        self._joining: deque[tuple[int, Community, Customer]] = deque()
        self._joined = 0
        self._breaks: list[str] = []
        self._breaks_planted = 0
        self.at = plan.start
        """Event time reached, microseconds UTC."""
        self.payments = 0
        """Ordinary payments made."""

    def _rare_stories(self) -> RareStories:
        plan, emitter = self._plan, self._emitter.apart(MARK)
        world = self._world.apart(Random(f"rare {plan.seed}"), emitter)
        ahead = plan.ahead(plan.rare_per_mille, RARE_STORIES)
        victims = Victims(world, emitter, ahead, plan.count is None)
        self._rare_victims = victims
        return RareStories(plan, world, emitter, PaymentRecords(emitter), victims)

    @property
    def receipts(self) -> Awaited:
        """What stages of an endless run wait for, once it is read."""
        return self._frauds.receipts

    @property
    def is_ahead(self) -> bool:
        """Whether event time is too far ahead of what `pace.answers` has heard of."""
        return self.pace.is_ahead(self.at)

    @property
    def is_live(self) -> bool:
        """Whether event time has caught up with real time."""
        return self._plan.live_after is not None and self.at >= self._plan.live_after

    def give_up(self) -> None:
        """Wait no longer for what was lost."""
        self.pace.give_up(self.at)

    @property
    def tells_stories(self) -> bool:
        """Whether the plan contains stories (holds, journals, reversals, limits, periods)."""
        return self._plan.story_per_mille > 0

    def periods(self) -> Iterator[Produce]:
        """Yield the events that close the period before the run, and the rates between currencies."""
        yield from self._frauds.rates()
        if self.tells_stories:
            yield from self._stories.periods()
            yield from self._rare.rates()

    def opening(self) -> Iterator[Produce]:
        """Yield the opening of every account that the traffic begins with."""
        yield from self._world.open_all()
        yield from self._victims.open_reserve()
        yield from self._special.open_reserve()
        yield from self._frauds.open_reserve()
        if self.tells_stories:
            yield from self._stories.open_reserve()
            yield from self._rare_victims.open_reserve()
            yield from self._rare.open_reserve()

    def steps(self) -> Iterator[Produce]:
        """Yield the traffic; without an end if the plan has no count."""
        plan = self._plan
        habits = OrdinaryPayments(self._world, self._rng, self._payments, self._cross)
        markets = Markets(self._world, self._rng, self._emitter)
        malformed = MalformedRecords(plan, self._world, self._rng, self._emitter, self._payments)
        fraud_every = plan.every(plan.fraud_per_mille, FRAUDS)
        refusal_every = plan.every(plan.refusal_per_mille, REFUSALS)
        story_every = plan.every(plan.story_per_mille, STORIES)
        rare_every = plan.every(plan.rare_per_mille, RARE_STORIES)
        break_every = plan.every(plan.break_per_mille, len(BREAKS))
        yield from habits.before(plan.start)
        if plan.count is None and break_every:
            yield from habits.known_before(plan.start)
            for bank in self._banks.values():
                yield from bank.state_all(plan.start)
        while plan.count is None or self.payments < plan.count:
            number = self.payments
            self.payments += 1
            yield from self._grow(habits, number)
            yield from habits.step(self.at)
            yield from markets.step(self.at)
            if fraud_every and number % fraud_every == fraud_every // 2:
                yield from self._frauds.step(self.at)
            if refusal_every and number % refusal_every == refusal_every // 3:
                yield from self._refusals.step(self.at)
            if story_every and number % story_every == story_every // 4:
                yield from self._stories.step(self.at)
            yield from self._frauds.due(self.at)
            yield from self._stories.due(self.at)
            if rare_every and number % rare_every == rare_every // 5:
                yield from self._rare.step(self.at)
            yield from self._rare.due(self.at)
            if break_every and number % break_every == break_every // 2:
                self._want_a_break()
            if self._rng.random() * 100 < plan.malformed_pct:
                yield from malformed.step(self.at)
            for bank in self._banks.values():
                yield from bank.statements(self.at, self._breaks)
            yield from self.people.step(self.at)
            self.at += plan.live_step_us if self.is_live else plan.step_us

    def _want_a_break(self) -> None:
        """Let a bank plant the next kind of break, unless all kinds wait for a bank already."""
        if len(self._breaks) < len(BREAKS):
            self._breaks.append(BREAKS[self._breaks_planted % len(BREAKS)])
            self._breaks_planted += 1

    def _grow(self, habits: OrdinaryPayments, number: int) -> Iterator[Produce]:
        """Yield the openings of customers who join at payment `number`; they pay when these are applied."""
        ahead = AHEAD_S * SECOND_US // max(self._plan.live_step_us, 1)
        while self._joining and self._joining[0][0] + ahead <= number:
            _, community, customer = self._joining.popleft()
            habits.join(community, customer)
        most = (self._plan.people or 0) - self._plan.accounts
        while self._joined < min(self._plan.joining * number, most):
            opened, community, customer = self._world.join(self._joined)
            self._joined += 1
            self._joining.append((number, community, customer))
            yield opened

    def closing(self) -> Iterator[Produce]:
        """Yield what stories have kept for later, and the last statements. Also after an early stop.

        Records of stories whose event time would lie in the future are left out.
        """
        until = self._plan.horizon if self._plan.live_after is None else max(self.at, self._plan.live_after)
        yield from self._stories.due(until)
        yield from self._rare.due(until)
        for bank in self._banks.values():
            yield from bank.finish(self.at, self._breaks)

    def rounds(self) -> Iterator[Iterator[Produce]]:
        """Yield what a bounded run says in steps, each for when the streams have caught up with the last."""
        while self._frauds.waits:
            yield self._frauds.next_round(self.at)

    def falling_due(self) -> Iterator[Iterator[Produce]]:
        """Yield the ends of stories, then statements that move event time on until every item is due.

        With that, every planted break opens. Produce each part when the streams have caught up with the one
        before: earlier, items that only arrive late would become breaks, too, and what is due only after
        others have met would be due too late. A run that has caught up with real time cannot move event time
        forward: breaks that are not open by then are not in its manifest.
        """
        yield self._story_ends()
        steps = STEPS_US if self._plan.live_after is None else KNOWN_STEPS_US
        for step in steps:
            at = self.at + step
            if self._plan.live_after is not None and at > self._plan.live_after:
                return
            yield self._fall_due(at, step == steps[-1])

    def _story_ends(self) -> Iterator[Produce]:
        yield from self._stories.finish(self.at)
        yield from self._rare.finish(self.at)

    def _fall_due(self, at: int, is_last: bool) -> Iterator[Produce]:
        for bank in self._banks.values():
            yield from bank.fall_due(at, is_last)

    def _cross(self, community: Community, at: int, amount: int, payment: PaymentDraft, stated: bool) -> None:
        self.pace.sent(payment, at)
        reference = payment.reference if stated else None
        self._banks[community.nostro].book(Item(at, amount, payment.payment_id, reference))


def generate(
    plan: LoadPlan, encode: Encode, planted: dict[int, PlantedItem] | None = None
) -> Iterator[Produce]:
    """Yield every record of a run, in the order in which it is to be produced."""
    traffic = TrafficGenerator(plan, encode, {} if planted is None else planted)
    yield from traffic.periods()
    yield from traffic.opening()
    yield from traffic.steps()
    yield from traffic.closing()
    for part in chain(traffic.rounds(), traffic.falling_due()):
        yield from part
