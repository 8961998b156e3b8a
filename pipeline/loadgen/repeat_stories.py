"""Planted stories of ids that come again: with other content, or with another account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pipeline.loadgen.journals import leg
from pipeline.loadgen.plan import SECOND_US, Produce
from pipeline.loadgen.story_steps import AMOUNT, REFUSED, StorySteps
from pipeline.loadgen.world import Community


class RepeatStories(StorySteps):
    """Stories of commands under a known id; each has the effect of the first one alone."""

    def paid_again_otherwise(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment that is held comes again, without a hold."""
        payment = self._hold(community, victim, self._near(community, victim))
        number = self._outcome("hold", payment, REFUSED, "exists_with_different_hold", 2)
        yield self._payments.initiated(payment, at, planted=(number,))
        again = replace(payment, hold_until=None)
        yield self._payments.initiated(again, at + SECOND_US, planted=(number,))

    def captured_again_otherwise(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A capture comes again and would release the rest."""
        payment = self._hold(community, victim, self._near(community, victim))
        number = self._outcome("hold", payment, REFUSED, "exists_with_different_final", 3)
        yield self._payments.initiated(payment, at, planted=(number,))
        capture = self._emitter.name("k")
        for place, final in enumerate((False, True), 1):
            time = at + place * SECOND_US
            yield self._payments.captured(payment, time, 10_00, final, (number,), capture)

    def paid_back_again_otherwise(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A reversal comes again, of another amount."""
        payment = self._paid(community, victim, self._near(community, victim))
        number = self._outcome("reversal", payment, REFUSED, "exists_with_different_amount", 3)
        reversal = self._emitter.name("r")
        yield self._payments.initiated(payment, at, planted=(number,))
        for place, amount in enumerate((10_00, 5_00), 1):
            yield self._payments.reversed(payment, at + place * SECOND_US, reversal, amount, (number,))

    def submitted_again_otherwise(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A journal comes again, to count from another time on."""
        desk, currency = self._near(community, victim), community.currency
        legs = [leg(1, victim, -AMOUNT, currency), leg(2, desk, AMOUNT, currency)]
        journal = self._journals.new(community, victim, legs)
        code = "exists_with_different_effective_time"
        number = self._becomes(community.tenant, journal.journal_id, REFUSED, code, 2)
        yield self._journals.submitted(journal, at, (number,))
        again = replace(journal, effective_at=at)
        yield self._journals.submitted(again, at + SECOND_US, (number,))

    def id_of_two_accounts(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """Two accounts of one branch use one journal id: both are posted."""
        desk, currency = self._near(community, victim), community.currency
        legs = [leg(1, victim, -AMOUNT, currency), leg(2, desk, AMOUNT, currency)]
        journal = self._journals.new(community, victim, legs)
        number = self._becomes(community.tenant, journal.journal_id, "POSTED", parts=2)
        yield self._journals.submitted(journal, at, (number,))
        back = [leg(1, desk, -AMOUNT, currency), leg(2, victim, AMOUNT, currency)]
        other = replace(journal, account=desk, legs=back)
        yield self._journals.submitted(other, at + SECOND_US, (number,))
