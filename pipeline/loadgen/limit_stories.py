"""Planted stories of balance limits, and of accounts that are frozen or closed."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.loadgen.plan import Produce
from pipeline.loadgen.story_steps import SETTLED, StorySteps
from pipeline.loadgen.world import Community


class LimitStories(StorySteps):
    """Stories of payments from and to accounts with limits."""

    def _meets(
        self, purpose: str, victim: str, at: int, event: str | None, code: str, pays: bool = True
    ) -> Iterator[Produce]:
        """Yield a payment from a prepared account (`pays`), or one to it."""
        community, account, successor = self._prepared.take(purpose)
        yield from successor
        other = self._near(community, account)
        debtor, creditor = (account, other) if pays else (other, account)
        payment = self._paid(community, debtor, creditor)
        number = self._outcome("limit", payment, event, code)
        yield self._payments.initiated(payment, at, planted=(number,))

    def over_maximum(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment would raise an account above its maximum balance."""
        code = "maximum_balance_exceeded"
        yield from self._meets("capped", victim, at, "PaymentRejected", code, pays=False)

    def under_minimum(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment would lower an account below its minimum balance."""
        yield from self._meets("floored", victim, at, "PaymentRejected", "insufficient_funds")

    def under_later_minimum(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """The same, with a minimum that was set earlier than it takes effect."""
        yield from self._meets("floored_later", victim, at, "PaymentRejected", "insufficient_funds")

    def frozen(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """One frozen account pays, another one is paid."""
        yield from self._meets("frozen_debit", victim, at, "PaymentRejected", "debtor_frozen")
        yield from self._meets("frozen_credit", victim, at, "PaymentRejected", "creditor_frozen", pays=False)

    def free_again(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """Accounts pay that are freed or whose freeze is over; one that was closed and reopened is paid."""
        yield from self._meets("thawed", victim, at, SETTLED, "ok")
        yield from self._meets("frozen_until", victim, at, SETTLED, "ok")
        yield from self._meets("reopened", victim, at, SETTLED, "ok", pays=False)
