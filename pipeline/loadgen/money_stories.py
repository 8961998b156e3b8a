"""Planted stories of rare amounts: in other currencies, above a hold, in parts, by shares, in the past."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.loadgen.journals import JournalDraft, leg
from pipeline.loadgen.payments import RARE
from pipeline.loadgen.plan import DAY_US, HOUR_US, SECOND_US, Produce
from pipeline.loadgen.story_steps import AMOUNT, REFUSED, SETTLED, StorySteps
from pipeline.loadgen.world import CURRENCIES, RATE_E8, Community

QUOTE_US = 12 * HOUR_US
"""From one quote of a rate to the next: by default a rate counts for a day."""
QUOTED_AHEAD_US = 8 * DAY_US
"""How far ahead rates are quoted before the run: further than the event time that it has to catch up with."""
TOLERANCE_BP = 1000
RECEIVED, TAKEN = 100_000_00, 250_000_00
"""A victim has 200,000.00: with what it receives now it can pay what counts before it."""


class MoneyStories(StorySteps):
    """Stories of amounts that are not simply what a command says."""

    # --- between currencies

    def rates(self) -> Iterator[Produce]:
        """Yield the rates of each tenant for the time that a run catches up with; later ones follow in time.

        They come to the ledger by a topic of their own, so they have to be there long before a payment.
        """
        last = min(self._plan.horizon, self._plan.start + QUOTED_AHEAD_US)
        for tenant in self._plan.tenants:
            for begins in range(self._plan.start, last, QUOTE_US):
                yield self._quoted(tenant, self._plan.start, begins)
            if self._plan.count is None:
                self._quote_later(tenant, begins)

    def _quote_later(self, tenant: str, at: int) -> None:
        def made(time: int) -> Produce:
            self._quote_later(tenant, time + QUOTE_US)
            return self._quoted(tenant, time, time + QUOTE_US)

        self._after(at, made)

    def _quoted(self, tenant: str, at: int, begins: int) -> Produce:
        base, quote = (currency for currency, _ in CURRENCIES)
        pair = {"base_currency": base, "quote_currency": quote, "rate_e8": RATE_E8, "actor": None}
        fields = {**pair, "effective_from": begins}
        return self._emitter.event("rates", "ledgerflow.RateQuoted", 1, tenant, base, at, fields)

    def _exchanges(
        self, community: Community, victim: str, at: int, far: bool, event: str, code: str, **more: Any
    ) -> Iterator[Produce]:
        other = self._other(community)
        creditor = (self._desks.far if far else self._desks.near)(other, victim)
        payment = self._paid(community, victim, creditor)
        number = self._outcome("exchange", payment, event, code)
        more["creditor_currency"] = other.currency
        yield self._payments.initiated(payment, at, RARE, (number,), **more)

    def paid_in_another_currency(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment to an account in another currency, by the quoted rate."""
        yield from self._exchanges(community, victim, at, False, SETTLED, "ok")

    def paid_by_a_named_rate(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """The same, to another branch, by a rate that the payment names."""
        first = community.currency == CURRENCIES[0][0]
        named = RATE_E8 if first else 10**16 // RATE_E8
        yield from self._exchanges(community, victim, at, True, SETTLED, "ok", rate_e8=named)

    def paid_by_a_wrong_rate(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """The named rate is far from the quoted one."""
        code = "rate_out_of_tolerance"
        yield from self._exchanges(community, victim, at, False, "PaymentRejected", code, rate_e8=2 * RATE_E8)

    # --- captures above a hold

    def _tolerant(
        self, community: Community, victim: str, at: int, amount: int, event: str, code: str
    ) -> Iterator[Produce]:
        payment = self._hold(community, victim, self._near(community, victim))
        number = self._outcome("hold", payment, event, code, 2)
        yield self._payments.initiated(payment, at, RARE, (number,), capture_tolerance_bp=TOLERANCE_BP)
        yield self._payments.captured(payment, at + SECOND_US, amount, planted=(number,))

    def captured_with_a_tip(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A tenth more than is held is captured, as the payer has agreed to."""
        yield from self._tolerant(community, victim, at, AMOUNT * 11 // 10, SETTLED, "ok")

    def captured_beyond_tolerance(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """One unit more than that is captured."""
        above = AMOUNT * 11 // 10 + 1
        yield from self._tolerant(community, victim, at, above, REFUSED, "exceeds_held_amount")

    # --- held journals in parts, and shares

    def _part(self, journal: JournalDraft, at: int, amount: int, number: int, final: bool = False) -> Produce:
        legs = [{"leg_no": leg_no, "amount_minor": amount} for leg_no in (1, 2)]
        name = self._emitter.name("k")
        return self._journals.confirmed(journal, at, (number,), confirmation_id=name, legs=legs, final=final)

    def confirmed_in_parts(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A held journal is confirmed in two parts, until nothing is left."""
        journal = self._held(community, victim, self._near(community, victim))
        number = self._becomes(community.tenant, journal.journal_id, "POSTED", parts=3)
        yield self._journals.submitted(journal, at, (number,))
        yield self._part(journal, at + SECOND_US, 10_00, number)
        yield self._part(journal, at + 2 * SECOND_US, AMOUNT - 10_00, number)

    def confirmed_in_part(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A part of a held journal is confirmed and the rest released; then there is nothing to void."""
        journal = self._held(community, victim, self._near(community, victim))
        number = self._becomes(community.tenant, journal.journal_id, REFUSED, "already_settled", 3)
        yield self._journals.submitted(journal, at, (number,))
        yield self._part(journal, at + SECOND_US, 10_00, number, final=True)
        yield self._journals.voided(journal, at + 2 * SECOND_US, (number,))

    def shared(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """Shares of the money go to desks of two branches, what is left of it to a merchant."""
        currency = community.currency
        near, far = self._near(community, victim), self._desks.far(community, victim)
        last = community.merchants[0].account_id
        takers = enumerate((near, far, last), 2)
        paid = leg(1, victim, -AMOUNT, currency)
        taken = [{**leg(number, account, 1, currency), "amount_minor": 0} for number, account in takers]
        parts = (333_333, 500_000, None)
        shares = [{"leg_no": number, "share_ppm": part} for number, part in enumerate(parts, 2)]
        journal = self._journals.new(community, victim, [paid, *taken], more={"shares": shares})
        number = self._becomes(community.tenant, journal.journal_id, "POSTED")
        yield self._journals.submitted(journal, at, (number,))

    # --- before the present

    def overdrawn_before(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A debit counts before the money came that pays for it: it is booked, with a warning."""
        desk, currency = self._near(community, victim), community.currency
        income = [leg(1, desk, -RECEIVED, currency), leg(2, victim, RECEIVED, currency)]
        yield self._journals.submitted(self._journals.new(community, victim, income), at)
        legs = [leg(1, victim, -TAKEN, currency), leg(2, desk, TAKEN, currency)]
        before = max(at - HOUR_US, self._closed_through + 1)
        journal = self._journals.new(community, victim, legs, effective_at=before)
        expected = {"journal_id": journal.journal_id, "state": "POSTED", "code": "ok"}
        both = {"journal": expected, "overdrawn": {"account_id": victim}}
        number = self._plant("past", community.tenant, both, journal_id=journal.journal_id, account_id=victim)
        yield self._journals.submitted(journal, at + SECOND_US, (number,))
