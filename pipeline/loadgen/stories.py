"""Planted stories of the ledger: holds and captures, journals, reversals, limits, periods, repeats, links.

Each story uses an account of its own that is funded and does nothing else (see victims.py), and
desks as the other party (see journals.py). A story must have exactly one possible outcome, so:

- a record that depends on an answer of another branch is sent once the streams have caught up (`finish`);
- a record that needs a later event time is sent once event time is there (`due`);
- accounts are limited, frozen or closed right after they are opened, because account events travel by
  another topic than payments and could arrive too late otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.journal_stories import JournalStories
from pipeline.loadgen.limit_stories import LimitStories
from pipeline.loadgen.link_stories import LinkStories
from pipeline.loadgen.payment_stories import PaymentStories
from pipeline.loadgen.payments import PaymentRecords
from pipeline.loadgen.plan import LoadPlan, Produce
from pipeline.loadgen.repeat_stories import RepeatStories
from pipeline.loadgen.victims import Victims
from pipeline.loadgen.world import World

STORIES = 39
"""How many stories there are."""


class Stories(PaymentStories, JournalStories, LimitStories, RepeatStories, LinkStories):
    """Plants the stories in turn."""

    def __init__(
        self,
        plan: LoadPlan,
        world: World,
        emitter: Emitter,
        payments: PaymentRecords,
        victims: Victims,
        ahead: int,
    ) -> None:
        """`ahead`: for how many stories accounts are open before the first story starts."""
        super().__init__(plan, world, emitter, payments, victims, ahead // STORIES + 1)
        self.stories = (
            *(self.captured_whole, self.captured_in_parts, self.captured_elsewhere, self.captured_finally),
            *(self.captured_too_much, self.captured_unheld, self.extended, self.cancelled, self.expired),
            *(self.partly_expired, self.paid_back, self.paid_back_too_much, self.paid_back_elsewhere),
            *(self.with_fee, self.exchanged, self.confirmed, self.voided, self.lapsed),
            *(self.confirmed_elsewhere, self.unbalanced, self.sent_twice, self.no_such_creditor),
            *(self.taken_back, self.taken_back_in_parts, self.late, self.too_late),
            *(self.over_maximum, self.under_minimum, self.under_later_minimum, self.frozen, self.free_again),
            *(self.paid_again_otherwise, self.captured_again_otherwise, self.paid_back_again_otherwise),
            *(self.submitted_again_otherwise, self.id_of_two_accounts),
            *(self.linked, self.linked_in_vain, self.opened_and_paid),
        )

    def periods(self) -> Iterator[Produce]:
        """Yield for every tenant the event that closes the period before the run."""
        for tenant in self._plan.tenants:
            period = self._emitter.name("period-")
            fields = {"period_id": period, "closed_through": self._closed_through}
            at = self._plan.start
            yield self._emitter.event("accounts", "ledgerflow.PeriodClosed", 1, tenant, period, at, fields)
