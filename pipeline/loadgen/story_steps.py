"""What the planted stories share: their accounts, the expectations that they note, and records for later."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.journals import Desks, JournalDraft, JournalRecords, leg
from pipeline.loadgen.payments import PaymentDraft, PaymentRecords
from pipeline.loadgen.plan import DAY_US, SECOND_US, LoadPlan, Produce
from pipeline.loadgen.prepared_accounts import PreparedAccounts
from pipeline.loadgen.victims import Victims
from pipeline.loadgen.world import Community, World

REFUSED, SETTLED = "CommandRefused", "PaymentSettled"
LONG_HOLD_US = 7 * DAY_US
"""How long a hold lasts that must not expire: longer than any event of the run."""
SHORT_HOLD_US = 60 * SECOND_US
"""How long a hold lasts that must expire."""
AMOUNT = 25_00
"""What a story moves, minor units."""

Story = Callable[[Community, str, int], Iterator[Produce]]
"""Yields the records of one story. Takes community, account, and event time in microseconds UTC."""


class StorySteps:
    """The steps that stories are made of, and how they are told. Its subclasses have the stories."""

    stories: tuple[Story, ...]
    """All stories, in the order in which they are planted."""

    def __init__(
        self,
        plan: LoadPlan,
        world: World,
        emitter: Emitter,
        payments: PaymentRecords,
        victims: Victims,
        each: int,
    ) -> None:
        """`each`: how many accounts of each purpose are prepared before the first story starts."""
        self._plan = plan
        self._world = world
        self._emitter = emitter
        self._payments = payments
        self._journals = JournalRecords(emitter)
        self._victims = victims
        self._desks = Desks(world, emitter, plan.partitions)
        self._prepared = PreparedAccounts(world, emitter, each, plan.count is None)
        self._later: list[tuple[int, int, Callable[[int], Produce]]] = []
        self._in_the_end: list[Callable[[int], Produce]] = []
        self._numbers = itertools.count()
        self._planted = self._at = 0
        self._closed_through = plan.start // DAY_US * DAY_US - 1

    def _after(self, at: int, make: Callable[[int], Produce]) -> None:
        """Keep a record for event time `at`, microseconds UTC."""
        heapq.heappush(self._later, (at, next(self._numbers), make))

    def _plant(self, kind: str, tenant: str, expected: dict[str, Any], parts: int = 1, **ids: Any) -> int:
        """Note a planted item of the present story; return its number."""
        name = self.stories[(self._planted - 1) % len(self.stories)].__name__
        return self._emitter.plant(kind, name, tenant, expected, parts, **ids)

    def _outcome(self, kind: str, payment: PaymentDraft, event: str | None, code: str, parts: int = 1) -> int:
        """Note that a payment must end with an event and a code; return the item's number."""
        expected = {"payment_id": payment.payment_id, "event": event, "code": code}
        ids = {"account_id": payment.debtor, "payment_id": payment.payment_id}
        return self._plant(kind, payment.tenant, {"outcome": expected}, parts, **ids)

    def _becomes(
        self,
        tenant: str,
        journal_id: str,
        state: str | None,
        code: str = "ok",
        parts: int = 1,
        kind: str = "journal",
    ) -> int:
        """Note that a journal or reversal must reach a state with a code; return the item's number."""
        expected = {"journal_id": journal_id, "state": state, "code": code}
        return self._plant(kind, tenant, {"journal": expected}, parts, journal_id=journal_id)

    def _hold(
        self, community: Community, victim: str, creditor: str, until: int | None = None
    ) -> PaymentDraft:
        """Return a payment that is held until a time; by default until after the run."""
        until = self._long() if until is None else until
        return self._payments.new(community, victim, creditor, AMOUNT, channel="card", hold_until=until)

    def _long(self) -> int:
        """Return the end of a hold that must not expire: after any event time of this or earlier runs."""
        return max(self._at, self._plan.horizon) + LONG_HOLD_US

    def _near(self, community: Community, victim: str) -> str:
        """Return a desk on the account's own branch."""
        return self._desks.near(community, victim)

    def _answered(self, community: Community, victim: str) -> str:
        """Return a desk on another branch if the run waits for answers (a bounded one), else a near desk."""
        bounded = self._plan.count is not None
        return (self._desks.far if bounded else self._desks.near)(community, victim)

    def _paid(self, community: Community, victim: str, creditor: str) -> PaymentDraft:
        """Return a payment that settles at once."""
        return replace(self._hold(community, victim, creditor), hold_until=None)

    def _pays(self, community: Community, victim: str, desk: str, **more: Any) -> JournalDraft:
        currency = community.currency
        legs = [leg(1, victim, -AMOUNT, currency), leg(2, desk, AMOUNT, currency)]
        return self._journals.new(community, victim, legs, **more)

    def _other(self, community: Community) -> Community:
        """Return the same tenant's community in another currency."""
        return next(
            one
            for one in self._world.communities
            if one.tenant == community.tenant and one.currency != community.currency
        )

    def _held(self, community: Community, victim: str, desk: str, until: int | None = None) -> JournalDraft:
        until = self._long() if until is None else until
        return self._pays(community, victim, desk, hold_until=until)

    def _when_answered(self, at: int, make: Callable[[int], Produce]) -> Iterator[Produce]:
        """Yield a record one second later; in a bounded run keep it until the streams have caught up."""
        if self._plan.count is None:
            yield make(at + SECOND_US)
        else:
            self._in_the_end.append(make)

    # --- telling

    def open_reserve(self) -> Iterator[Produce]:
        """Yield the openings of the desks and of the first prepared accounts."""
        yield from self._desks.open_all()
        yield from self._prepared.open_reserve()

    def step(self, at: int) -> Iterator[Produce]:
        """Yield the records of the next story."""
        story = self.stories[self._planted % len(self.stories)]
        self._planted += 1
        self._at = at
        community, victim, successor = self._victims.take()
        yield from successor
        yield from story(community, victim, at)

    def due(self, at: int) -> Iterator[Produce]:
        """Yield the records that stories have kept for event time `at` (microseconds UTC) or earlier."""
        while self._later and self._later[0][0] <= at:
            time, _, make = heapq.heappop(self._later)
            yield make(time)

    def finish(self, at: int) -> Iterator[Produce]:
        """Yield the records that stories have kept until the streams have caught up."""
        for make in self._in_the_end:
            yield make(at)
        self._in_the_end = []
