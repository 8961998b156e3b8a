"""Planted stories of rare commands: beside the ordinary ones, with accounts, ids and a chance of their own.

So an ordinary story is the same with them and without.
"""

from __future__ import annotations

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.money_stories import MoneyStories
from pipeline.loadgen.payments import PaymentRecords
from pipeline.loadgen.plan import LoadPlan
from pipeline.loadgen.victims import Victims
from pipeline.loadgen.waiting_stories import WaitingStories
from pipeline.loadgen.world import World

RARE_STORIES = 15
"""How many stories there are."""
MARK = "R"
"""Follows the seed in their ids."""


class RareStories(MoneyStories, WaitingStories):
    """Plants the stories in turn. The one of the past is last: event time has to go on before it."""

    def __init__(
        self, plan: LoadPlan, world: World, emitter: Emitter, payments: PaymentRecords, victims: Victims
    ) -> None:
        super().__init__(plan, world, emitter, payments, victims, each=0)
        self.stories = (
            *(self.scheduled, self.approved, self.paid_in_another_currency, self.called_off),
            *(self.paid_by_a_named_rate, self.paid_by_a_wrong_rate, self.captured_with_a_tip),
            *(self.captured_beyond_tolerance, self.journal_scheduled, self.journal_called_off),
            *(self.approved_unread, self.confirmed_in_parts, self.confirmed_in_part, self.shared),
            self.overdrawn_before,
        )
