"""Planted stories of the whole ledger: holds and captures, journals, reversals, limits, periods.

Each uses a victim's account (see frauds.py), which is funded and does nothing else, and desks on the other
side (see journals.py). A story has one end that is certain, so it keeps to what is certain: what depends on
an answer of another branch comes when the streams have caught up (`finish`); what needs event time to move on
comes when it has (`step`); and accounts are limited, frozen or closed when they are opened, because account
events take another way than payments.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.frauds import Victims
from pipeline.loadgen.journals import Desks, JournalDraft, JournalRecords, leg
from pipeline.loadgen.payments import PaymentDraft, PaymentRecords
from pipeline.loadgen.plan import DAY_US, SECOND_US, LoadPlan, Produce
from pipeline.loadgen.world import Community, World

REFUSED, SETTLED = "CommandRefused", "PaymentSettled"
STORIES = 31
"""How many there are."""
LASTS_US = 7 * DAY_US
"""How long a hold lasts that is not to expire, past any event of the run."""
SHORT_US = 60 * SECOND_US
"""How long a hold lasts that is to expire."""
AMOUNT = 25_00
RATE_E8 = 108_000_000
"""Of currencies that are exchanged."""

ORDERED = {"reason": "court order"}

Story = Callable[[Community, str, int], Iterator[Produce]]


class PreparedAccounts:
    """Accounts that are limited, frozen or closed as soon as they are opened, for one use each."""

    def __init__(self, world: World, emitter: Emitter, desks: Desks, ahead: int, endless: bool) -> None:
        """`ahead`: for how many stories there are accounts before the first is told."""
        self._world = world
        self._emitter = emitter
        self._desks = desks
        self._each = ahead // STORIES + 1
        self._endless = endless
        self._ready: dict[str, deque[tuple[Community, str]]] = {}
        self._opened = 0
        self._purposes: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
            "capped": (_limit(maximum_balance_minor=20_00),),
            "floored": (_limit(minimum_balance_minor=90_00),),
            "floored_later": (_limit(minimum_balance_minor=90_00, effective_at=world.opened_at + SECOND_US),),
            "frozen_debit": (("AccountFrozen", {"side": "DEBIT", **ORDERED}),),
            "frozen_credit": (("AccountFrozen", {"side": "CREDIT", **ORDERED}),),
            "thawed": (
                ("AccountFrozen", {"side": "BOTH", **ORDERED}),
                ("AccountUnfrozen", {"side": "DEBIT", **ORDERED}),
            ),
            "reopened": (
                ("AccountClosed", {"reason": "customer_request", "regulatory_notification_sent": False}),
                ("AccountReopened", {"reason": "closed in error"}),
            ),
        }

    def open_reserve(self) -> Iterator[Produce]:
        """Yield what makes the first accounts of each purpose."""
        for purpose in self._purposes:
            for _ in range(self._each):
                yield from self._open(purpose)

    def take(self, purpose: str) -> tuple[Community, str, list[Produce]]:
        """Return an account and the records that make its successor, if it needs one."""
        community, account = self._ready[purpose].popleft()
        return community, account, list(self._open(purpose)) if self._endless else []

    def _open(self, purpose: str) -> Iterator[Produce]:
        community = self._world.communities[self._opened % len(self._world.communities)]
        self._opened += 1
        account = self._emitter.name("q")
        self._ready.setdefault(purpose, deque()).append((community, account))
        balance = 0 if purpose in ("capped", "reopened") else 100_00
        yield self._world.open(community, account, "checking", balance)
        for name, fields in self._purposes[purpose]:
            version = 2 if name in ("AccountLimitSet", "AccountClosed") else 1
            record, at, tenant = f"ledgerflow.{name}", self._world.opened_at, community.tenant
            about = {"account_id": account, **fields}
            yield self._emitter.event("accounts", record, version, tenant, account, at, about)


def _limit(**limits: int) -> tuple[str, dict[str, Any]]:
    names = ("minimum_balance_minor", "maximum_balance_minor", "effective_at")
    return "AccountLimitSet", {"overdraft_limit_minor": 0, **dict.fromkeys(names), **limits}


class Stories:
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
        """`ahead`: for how many stories there are accounts before the first is told."""
        self._plan = plan
        self._world = world
        self._emitter = emitter
        self._payments = payments
        self._journals = JournalRecords(emitter)
        self._victims = victims
        self._desks = Desks(world, emitter, plan.partitions)
        self._prepared = PreparedAccounts(world, emitter, self._desks, ahead, plan.count is None)
        self._later: list[tuple[int, int, Callable[[int], Produce]]] = []
        self._in_the_end: list[Callable[[int], Produce]] = []
        self._numbers = itertools.count()
        self._planted = self._at = 0
        self._closed_through = plan.start // DAY_US * DAY_US - 1
        self.stories: tuple[Story, ...] = (
            *(self.captured_whole, self.captured_in_parts, self.captured_elsewhere, self.captured_finally),
            *(self.captured_too_much, self.captured_unheld, self.extended, self.cancelled, self.expired),
            *(self.partly_expired, self.paid_back, self.paid_back_too_much, self.paid_back_elsewhere),
            *(self.with_fee, self.exchanged, self.confirmed, self.voided, self.lapsed),
            *(self.confirmed_elsewhere, self.unbalanced, self.sent_twice, self.no_such_creditor),
            *(self.taken_back, self.taken_back_in_parts, self.late, self.too_late),
            *(self.over_maximum, self.under_minimum, self.under_later_minimum, self.frozen, self.free_again),
        )

    # --- the run

    def periods(self) -> Iterator[Produce]:
        """Yield the end of the period before the run, for every tenant."""
        for tenant in self._plan.tenants:
            period = self._emitter.name("period-")
            fields = {"period_id": period, "closed_through": self._closed_through}
            at = self._plan.start
            yield self._emitter.event("accounts", "ledgerflow.PeriodClosed", 1, tenant, period, at, fields)

    def open_reserve(self) -> Iterator[Produce]:
        """Yield the opening of the desks and of the first accounts for a purpose."""
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
        """Yield what stories go on with, as event time has come there."""
        while self._later and self._later[0][0] <= at:
            time, _, make = heapq.heappop(self._later)
            yield make(time)

    def finish(self, at: int) -> Iterator[Produce]:
        """Yield what stories end with when the streams have caught up."""
        for make in self._in_the_end:
            yield make(at)
        self._in_the_end = []

    def _after(self, at: int, make: Callable[[int], Produce]) -> None:
        heapq.heappush(self._later, (at, next(self._numbers), make))

    # --- parts of stories

    def _plant(self, kind: str, tenant: str, expected: dict[str, Any], parts: int = 1, **ids: Any) -> int:
        name = self.stories[(self._planted - 1) % len(self.stories)].__name__
        return self._emitter.plant(kind, name, tenant, expected, parts, **ids)

    def _outcome(self, kind: str, payment: PaymentDraft, event: str | None, code: str, parts: int = 1) -> int:
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
        expected = {"journal_id": journal_id, "state": state, "code": code}
        return self._plant(kind, tenant, {"journal": expected}, parts, journal_id=journal_id)

    def _hold(
        self, community: Community, victim: str, creditor: str, until: int | None = None
    ) -> PaymentDraft:
        until = self._long() if until is None else until
        return self._payments.new(community, victim, creditor, AMOUNT, channel="card", hold_until=until)

    def _long(self) -> int:
        """Return when a hold ends that is not to expire, whatever event time earlier runs have reached."""
        return max(self._at, self._plan.horizon) + LASTS_US

    def _near(self, community: Community, victim: str) -> str:
        return self._desks.near(community, victim)

    def _answered(self, community: Community, victim: str) -> str:
        """Return a desk elsewhere, if the streams are given the time to answer; else a near one."""
        bounded = self._plan.count is not None
        return (self._desks.far if bounded else self._desks.near)(community, victim)

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
        """A payment is captured that is not only held."""
        payment = replace(self._hold(community, victim, self._near(community, victim)), hold_until=None)
        number = self._outcome("hold", payment, REFUSED, "payment_not_authorised", 2)
        yield self._payments.initiated(payment, at, planted=(number,))
        yield self._payments.captured(payment, at + SECOND_US, planted=(number,))

    def extended(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A hold lasts longer, and is captured."""
        payment = self._hold(community, victim, self._near(community, victim))
        number = self._outcome("hold", payment, "outcomes.PaymentExtended", "ok", 3)
        yield self._payments.initiated(payment, at, planted=(number,))
        until = self._long() + LASTS_US
        yield self._payments.extended(payment, at + SECOND_US, until, (number,))
        yield self._payments.captured(payment, at + 2 * SECOND_US, planted=(number,))

    def cancelled(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A hold is cancelled."""
        payment = self._hold(community, victim, self._near(community, victim))
        number = self._outcome("hold", payment, "outcomes.PaymentCancelled", "cancelled", 2)
        yield self._payments.initiated(payment, at, planted=(number,))
        yield self._payments.cancelled(payment, at + SECOND_US, (number,))

    def expired(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A hold runs out of time; where event time was past that already, it is rejected."""
        payment = self._hold(community, victim, self._near(community, victim), at + SHORT_US)
        number = self._outcome("hold", payment, None, "expired", 2)
        yield self._payments.initiated(payment, at, planted=(number,))
        self._after(at + 2 * SHORT_US, lambda time: self._payments.captured(payment, time, planted=(number,)))

    def partly_expired(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A hold runs out of time when a part of it is captured."""
        payment = self._hold(community, victim, self._near(community, victim), at + SHORT_US)
        yield self._payments.initiated(payment, at)
        yield self._payments.captured(payment, at + SECOND_US, 10_00)
        self._after(at + 2 * SHORT_US, lambda time: self._payments.captured(payment, time))

    # --- reversals of payments

    def _paid(self, community: Community, victim: str, creditor: str) -> PaymentDraft:
        return replace(self._hold(community, victim, creditor), hold_until=None)

    def paid_back(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment is taken back in part, and then the rest of it."""
        payment = self._paid(community, victim, self._near(community, victim))
        first, second = self._emitter.name("r"), self._emitter.name("r")
        number = self._becomes(community.tenant, second, "POSTED", parts=3, kind="reversal")
        yield self._payments.initiated(payment, at, planted=(number,))
        yield self._payments.reversed(payment, at + SECOND_US, first, 10_00, (number,))
        yield self._payments.reversed(payment, at + 2 * SECOND_US, second, None, (number,))

    def paid_back_too_much(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """More of a payment is to be taken back than is left."""
        payment = self._paid(community, victim, self._near(community, victim))
        number = self._outcome("reversal", payment, REFUSED, "exceeds_settled_amount", 3)
        yield self._payments.initiated(payment, at, planted=(number,))
        for place, amount in enumerate((20_00, 6_00), 1):
            reversal = self._emitter.name("r")
            yield self._payments.reversed(payment, at + place * SECOND_US, reversal, amount, (number,))

    def paid_back_elsewhere(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment to another branch is taken back."""
        payment = self._paid(community, victim, self._answered(community, victim))
        reversal = self._emitter.name("r")
        number = self._becomes(community.tenant, reversal, "POSTED", parts=2, kind="reversal")
        yield self._payments.initiated(payment, at, planted=(number,))
        yield from self._when_answered(
            at, lambda time: self._payments.reversed(payment, time, reversal, None, (number,))
        )

    def _when_answered(self, at: int, make: Callable[[int], Produce]) -> Iterator[Produce]:
        """Yield a record a moment later, or keep it for when the streams have caught up."""
        if self._plan.count is None:
            yield make(at + SECOND_US)
        else:
            self._in_the_end.append(make)

    # --- journals

    def _pays(self, community: Community, victim: str, desk: str, **more: Any) -> JournalDraft:
        currency = community.currency
        legs = [leg(1, victim, -AMOUNT, currency), leg(2, desk, AMOUNT, currency)]
        return self._journals.new(community, victim, legs, **more)

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
        """Two currencies are exchanged by way of desks in both of them, on several branches."""
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
        """A held journal runs out of time; where event time was past that already, it is refused."""
        journal = self._held(community, victim, self._near(community, victim), at + SHORT_US)
        number = self._becomes(community.tenant, journal.journal_id, None, "expired", 2)
        yield self._journals.submitted(journal, at, (number,))
        self._after(at + 2 * SHORT_US, lambda time: self._journals.confirmed(journal, time, (number,)))

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
        """A journal comes again, in another event."""
        journal = self._pays(community, victim, self._desks.far(community, victim))
        number = self._becomes(community.tenant, journal.journal_id, REFUSED, "exists", 2)
        for time in (at, at + SECOND_US):
            yield self._journals.submitted(journal, time, (number,))

    def no_such_creditor(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A leg is of an account on another branch that was never opened: nothing is posted anywhere."""
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
        """A journal over two branches is taken back."""
        journal = self._pays(community, victim, self._answered(community, victim))
        reversal = self._emitter.name("r")
        number = self._becomes(community.tenant, reversal, "POSTED", parts=2, kind="reversal")
        yield self._journals.submitted(journal, at, (number,))
        yield from self._when_answered(
            at, lambda time: self._journals.reversed(journal, time, reversal, None, (number,))
        )

    def taken_back_in_parts(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A journal is taken back in part, then more than is left."""
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
        """An entry of a closed period counts in the next one."""
        journal = self._pays(community, victim, self._desks.far(community, victim))
        journal.effective_at = self._closed_through - DAY_US
        expected = {"journal_id": journal.journal_id, "after": self._closed_through}
        number = self._plant("period", community.tenant, {"late": expected}, journal_id=journal.journal_id)
        yield self._journals.submitted(journal, at, (number,))

    def too_late(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """An entry of a closed period is refused, as it asks to be."""
        journal = self._pays(community, victim, self._desks.far(community, victim), refuse_late=True)
        journal.effective_at = self._closed_through
        number = self._becomes(
            community.tenant, journal.journal_id, "REFUSED", "period_closed", kind="period"
        )
        yield self._journals.submitted(journal, at, (number,))

    # --- limits, and what is frozen

    def _meets(
        self, purpose: str, victim: str, at: int, event: str | None, code: str, pays: bool = True
    ) -> Iterator[Produce]:
        """Yield a payment of an account that was prepared, or one to it."""
        community, account, successor = self._prepared.take(purpose)
        yield from successor
        other = self._near(community, account)
        debtor, creditor = (account, other) if pays else (other, account)
        payment = self._paid(community, debtor, creditor)
        number = self._outcome("limit", payment, event, code)
        yield self._payments.initiated(payment, at, planted=(number,))

    def over_maximum(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """An account gets more than it may have."""
        code = "maximum_balance_exceeded"
        yield from self._meets("capped", victim, at, "PaymentRejected", code, pays=False)

    def under_minimum(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """An account pays what must stay in it."""
        yield from self._meets("floored", victim, at, "PaymentRejected", "insufficient_funds")

    def under_later_minimum(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """Likewise, of a minimum that has begun since it was set."""
        yield from self._meets("floored_later", victim, at, "PaymentRejected", "insufficient_funds")

    def frozen(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A frozen account pays, and one is paid."""
        yield from self._meets("frozen_debit", victim, at, "PaymentRejected", "debtor_frozen")
        yield from self._meets("frozen_credit", victim, at, "PaymentRejected", "creditor_frozen", pays=False)

    def free_again(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """An account pays that was frozen, and one is paid that was closed."""
        yield from self._meets("thawed", victim, at, SETTLED, "ok")
        yield from self._meets("reopened", victim, at, SETTLED, "ok", pays=False)
