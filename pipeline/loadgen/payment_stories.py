"""Planted stories of holds and captures, and of payments that are reversed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pipeline.loadgen.payments import PaymentDraft
from pipeline.loadgen.plan import SECOND_US, Produce
from pipeline.loadgen.story_steps import LONG_HOLD_US, REFUSED, SETTLED, SHORT_HOLD_US, StorySteps
from pipeline.loadgen.world import Community


class PaymentStories(StorySteps):
    """Stories of payments: held, captured, extended, cancelled, expired, reversed."""

    # --- holds

    def _captures(
        self, payment: PaymentDraft, at: int, *captures: tuple[int | None, bool], event: str = SETTLED
    ) -> Iterator[Produce]:
        number = self._outcome("hold", payment, event, "ok", 1 + len(captures))
        yield self._payments.initiated(payment, at, planted=(number,))
        for place, (amount, final) in enumerate(captures, 1):
            yield self._payments.captured(payment, at + place * SECOND_US, amount, final, (number,))

    def captured_whole(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """All of a hold is captured at once."""
        payment = self._hold(community, victim, self._near(community, victim))
        yield from self._captures(payment, at, (None, False))

    def captured_in_parts(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A hold is captured in parts, until nothing is left."""
        payment = self._hold(community, victim, self._near(community, victim))
        yield from self._captures(payment, at, (10_00, False), (10_00, False), (None, False))

    def captured_elsewhere(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """Captures whose creditor is on another branch; the last one releases the rest."""
        payment = self._hold(community, victim, self._desks.far(community, victim))
        yield from self._captures(payment, at, (10_00, False), (5_00, True))

    def captured_finally(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A part is captured and the rest released."""
        payment = self._hold(community, victim, self._near(community, victim))
        yield from self._captures(payment, at, (15_00, True))

    def captured_too_much(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """More is captured than is held; the rest stays held."""
        payment = self._hold(community, victim, self._near(community, victim))
        number = self._outcome("hold", payment, REFUSED, "exceeds_held_amount", 3)
        yield self._payments.initiated(payment, at, planted=(number,))
        yield self._payments.captured(payment, at + SECOND_US, 10_00, planted=(number,))
        yield self._payments.captured(payment, at + 2 * SECOND_US, 16_00, planted=(number,))

    def captured_unheld(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment is captured that was never held: it settled at once."""
        payment = replace(self._hold(community, victim, self._near(community, victim)), hold_until=None)
        number = self._outcome("hold", payment, REFUSED, "payment_not_authorised", 2)
        yield self._payments.initiated(payment, at, planted=(number,))
        yield self._payments.captured(payment, at + SECOND_US, planted=(number,))

    def extended(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A hold is extended to a later end, and then captured."""
        payment = self._hold(community, victim, self._near(community, victim))
        number = self._outcome("hold", payment, "outcomes.PaymentExtended", "ok", 3)
        yield self._payments.initiated(payment, at, planted=(number,))
        until = self._long() + LONG_HOLD_US
        yield self._payments.extended(payment, at + SECOND_US, until, (number,))
        yield self._payments.captured(payment, at + 2 * SECOND_US, planted=(number,))

    def cancelled(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A hold is cancelled."""
        payment = self._hold(community, victim, self._near(community, victim))
        number = self._outcome("hold", payment, "outcomes.PaymentCancelled", "cancelled", 2)
        yield self._payments.initiated(payment, at, planted=(number,))
        yield self._payments.cancelled(payment, at + SECOND_US, (number,))

    def expired(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A hold expires; where event time was past its end already, the payment is rejected."""
        payment = self._hold(community, victim, self._near(community, victim), at + SHORT_HOLD_US)
        number = self._outcome("hold", payment, None, "expired", 2)
        yield self._payments.initiated(payment, at, planted=(number,))
        self._after(
            at + 2 * SHORT_HOLD_US, lambda time: self._payments.captured(payment, time, planted=(number,))
        )

    def partly_expired(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A hold expires after a part of it was captured."""
        payment = self._hold(community, victim, self._near(community, victim), at + SHORT_HOLD_US)
        yield self._payments.initiated(payment, at)
        yield self._payments.captured(payment, at + SECOND_US, 10_00)
        self._after(at + 2 * SHORT_HOLD_US, lambda time: self._payments.captured(payment, time))

    # --- reversals of payments

    def paid_back(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment is reversed in part, and then the rest of it."""
        payment = self._paid(community, victim, self._near(community, victim))
        first, second = self._emitter.name("r"), self._emitter.name("r")
        number = self._becomes(community.tenant, second, "POSTED", parts=3, kind="reversal")
        yield self._payments.initiated(payment, at, planted=(number,))
        yield self._payments.reversed(payment, at + SECOND_US, first, 10_00, (number,))
        yield self._payments.reversed(payment, at + 2 * SECOND_US, second, None, (number,))

    def paid_back_too_much(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A second reversal asks for more than is left of the payment."""
        payment = self._paid(community, victim, self._near(community, victim))
        number = self._outcome("reversal", payment, REFUSED, "exceeds_settled_amount", 3)
        yield self._payments.initiated(payment, at, planted=(number,))
        for place, amount in enumerate((20_00, 6_00), 1):
            reversal = self._emitter.name("r")
            yield self._payments.reversed(payment, at + place * SECOND_US, reversal, amount, (number,))

    def paid_back_elsewhere(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment to an account on another branch is reversed."""
        payment = self._paid(community, victim, self._answered(community, victim))
        reversal = self._emitter.name("r")
        number = self._becomes(community.tenant, reversal, "POSTED", parts=2, kind="reversal")
        yield self._payments.initiated(payment, at, planted=(number,))
        yield from self._when_answered(
            at, lambda time: self._payments.reversed(payment, time, reversal, None, (number,))
        )
