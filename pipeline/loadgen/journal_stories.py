"""Planted stories of journals of many legs, their reversals, and accounting periods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.loadgen.journals import leg
from pipeline.loadgen.plan import DAY_US, SECOND_US, Produce
from pipeline.loadgen.story_steps import AMOUNT, REFUSED, SHORT_HOLD_US, StorySteps
from pipeline.loadgen.world import RATE_E8, Community


class JournalStories(StorySteps):
    """Stories of journals: posted, held, refused, reversed, entered late."""

    # --- journals

    def with_fee(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment to another branch and a fee, all or nothing."""
        currency = community.currency
        near, far = self._near(community, victim), self._desks.far(community, victim)
        legs = [
            leg(1, victim, -AMOUNT, currency),
            leg(2, far, AMOUNT - 50, currency),
            leg(3, near, 50, currency, purpose="fee"),
        ]
        journal = self._journals.new(community, victim, legs)
        number = self._becomes(community.tenant, journal.journal_id, "POSTED")
        yield self._journals.submitted(journal, at, (number,))

    def exchanged(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """Two currencies are exchanged; a desk in each currency is the other party; on several branches."""
        one, other = community.currency, self._other(community)
        bought = AMOUNT * RATE_E8 // 10**8
        about: dict[str, Any] = {"purpose": "fx", "rate_e8": RATE_E8}
        legs = [
            leg(1, victim, -AMOUNT, one, 1, **about),
            leg(2, self._desks.far(community, victim), AMOUNT, one, 1, **about),
            leg(3, self._desks.near(other, victim), -bought, other.currency, 2, **about),
            leg(4, other.merchants[0].account_id, bought, other.currency, 2, **about),
        ]
        journal = self._journals.new(community, victim, legs)
        number = self._becomes(community.tenant, journal.journal_id, "POSTED")
        yield self._journals.submitted(journal, at, (number,))

    def confirmed(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A journal is held, then confirmed."""
        journal = self._held(community, victim, self._near(community, victim))
        number = self._becomes(community.tenant, journal.journal_id, "POSTED", parts=2)
        yield self._journals.submitted(journal, at, (number,))
        yield self._journals.confirmed(journal, at + SECOND_US, (number,))

    def voided(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A journal is held, then voided."""
        journal = self._held(community, victim, self._near(community, victim))
        number = self._becomes(community.tenant, journal.journal_id, "VOIDED", "cancelled", 2)
        yield self._journals.submitted(journal, at, (number,))
        yield self._journals.voided(journal, at + SECOND_US, (number,))

    def lapsed(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A held journal expires; where event time was past its end already, it is refused."""
        journal = self._held(community, victim, self._near(community, victim), at + SHORT_HOLD_US)
        number = self._becomes(community.tenant, journal.journal_id, None, "expired", 2)
        yield self._journals.submitted(journal, at, (number,))
        self._after(at + 2 * SHORT_HOLD_US, lambda time: self._journals.confirmed(journal, time, (number,)))

    def confirmed_elsewhere(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A journal is held on two branches, then confirmed."""
        journal = self._held(community, victim, self._answered(community, victim))
        number = self._becomes(community.tenant, journal.journal_id, "POSTED", parts=2)
        yield self._journals.submitted(journal, at, (number,))
        yield from self._when_answered(at, lambda time: self._journals.confirmed(journal, time, (number,)))

    def unbalanced(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """The legs of a journal do not add up."""
        journal = self._pays(community, victim, self._desks.far(community, victim))
        journal.legs[1]["amount_minor"] += 1
        number = self._becomes(community.tenant, journal.journal_id, "REFUSED", "legs_not_balanced")
        yield self._journals.submitted(journal, at, (number,))

    def sent_twice(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A journal is sent a second time, in another event."""
        journal = self._pays(community, victim, self._desks.far(community, victim))
        number = self._becomes(community.tenant, journal.journal_id, REFUSED, "exists", 2)
        for time in (at, at + SECOND_US):
            yield self._journals.submitted(journal, time, (number,))

    def no_such_creditor(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """One leg names an account on another branch that was never opened: nothing is posted anywhere."""
        nobody = self._desks.name("u", community, self._desks.home(community, victim) + 1)
        currency = community.currency
        legs = [
            leg(1, victim, -AMOUNT, currency),
            leg(2, self._near(community, victim), 5_00, currency),
            leg(3, nobody, AMOUNT - 5_00, currency),
        ]
        journal = self._journals.new(community, victim, legs)
        number = self._becomes(community.tenant, journal.journal_id, "REFUSED", "creditor_not_found")
        yield self._journals.submitted(journal, at, (number,))

    def taken_back(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A journal over two branches is reversed."""
        journal = self._pays(community, victim, self._answered(community, victim))
        reversal = self._emitter.name("r")
        number = self._becomes(community.tenant, reversal, "POSTED", parts=2, kind="reversal")
        yield self._journals.submitted(journal, at, (number,))
        yield from self._when_answered(
            at, lambda time: self._journals.reversed(journal, time, reversal, None, (number,))
        )

    def taken_back_in_parts(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A journal is reversed in part; a second reversal asks for more than is left."""
        desk, currency = self._near(community, victim), community.currency
        journal = self._pays(community, victim, desk)
        number = self._becomes(
            community.tenant, journal.journal_id, REFUSED, "exceeds_settled_amount", 3, "reversal"
        )
        yield self._journals.submitted(journal, at, (number,))
        for place, amount in enumerate((20_00, 6_00), 1):
            legs = [leg(1, desk, -amount, currency), leg(2, victim, amount, currency)]
            reversal, time = self._emitter.name("r"), at + place * SECOND_US
            yield self._journals.reversed(journal, time, reversal, legs, (number,))

    # --- periods

    def late(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """An entry dated in a closed period is booked in the next one."""
        journal = self._pays(community, victim, self._desks.far(community, victim))
        journal.effective_at = self._closed_through - DAY_US
        expected = {"journal_id": journal.journal_id, "after": self._closed_through}
        number = self._plant("period", community.tenant, {"late": expected}, journal_id=journal.journal_id)
        yield self._journals.submitted(journal, at, (number,))

    def too_late(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """An entry dated in a closed period is refused, because it asks for that (`late` is REFUSE)."""
        journal = self._pays(community, victim, self._desks.far(community, victim), refuse_late=True)
        journal.effective_at = self._closed_through
        number = self._becomes(
            community.tenant, journal.journal_id, "REFUSED", "period_closed", kind="period"
        )
        yield self._journals.submitted(journal, at, (number,))
