"""One run of events over the rows of a partition: payments, receipts, cards, reviews and labels.

    the events of the run, in their order (`pay`, `receive`, `know`, `review`, ...)
        -> work in phases (`phases`): many of one kind at once
        -> `close`: what is said of each event; the rows that have changed are written

An event alone is a run of one, with the same rows. The time of a tenant is that of its newest judged payment
on the partition. A repeat gets the stored decision as long as ids are known (`window_us`); a decision is kept
for labels (`kept_us`), and deleted with a bucket of others (`kernel.retention`).
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np

from pipeline.domain.fraud import state_rows as at
from pipeline.domain.fraud.account_rows import read_account
from pipeline.domain.fraud.alert_rows import Alerts
from pipeline.domain.fraud.deciding.deciding import Decider
from pipeline.domain.fraud.decision_book import DecisionBook, facts_of
from pipeline.domain.fraud.decisions import Decision
from pipeline.domain.fraud.features.amounts import NUMBER
from pipeline.domain.fraud.label_work import FRAUD, GENUINE, Cancelled, Label, cancel, label
from pipeline.domain.fraud.payment_work import Payment, PaymentWork
from pipeline.domain.fraud.phases import CHANGE, PAY, RECEIVE, Phases
from pipeline.domain.fraud.receipt_work import Confirmation, Known, Receipt, ReceiptWork
from pipeline.domain.fraud.repeated import UNSCORED, is_refused_by_ledger, repeated
from pipeline.domain.fraud.run_keys import KeysToLoad, decision_keys, label_keys
from pipeline.domain.fraud.run_money import RunMoney
from pipeline.domain.fraud.run_payments import payments_of
from pipeline.domain.fraud.run_results import Decided, Funds, Result
from pipeline.domain.fraud.state_rows import FeatureRows
from pipeline.domain.fraud.tenant_days import TenantDays
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel.events import PaymentInitiated
from pipeline.domain.kernel.money import INT64_MAX
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY


class _Pending(msgspec.Struct, frozen=True, gc=False):
    """A payment of which is said at the end what was decided."""

    place: int
    event: PaymentInitiated
    raised: tuple[Any, str] | None
    """Cause and name of its alert; None: the payment itself."""
    at_us: int
    newest_at: int
    """The tenant's time."""
    decision: Decision | None
    """None: the ledger surely refuses it."""
    repeat: int | None
    """Of a repeat, its content."""


class Run:
    """Events of a partition that are applied together."""

    def __init__(
        self,
        terms: Terms,
        rows: PrefetchingRows,
        partition: int,
        events: Sequence[Any],
        at_us: Sequence[int],
    ) -> None:
        """`events`: those that may come, by their places; `at_us`: times of their payments, microseconds UTC.

        Reads the rows of the decisions that they are about, in one call. Raises UnreadableRow.
        """
        self._terms, self._rows = terms, rows
        self._days = TenantDays(rows, partition)
        self._book = DecisionBook(rows, terms.kept_us)
        self._alerts = Alerts(rows, terms.alerts_kept_us)
        self._money = RunMoney(rows, terms.rates)
        self._phases, self._keys = Phases(), KeysToLoad()
        self._receipts, self._results = ReceiptWork(), list[tuple[int, Result]]()
        self._pending: list[_Pending] = []
        """Payments, of which is said at the end what was decided."""
        places = [place for place, event in enumerate(events) if type(event) is PaymentInitiated]
        self._number = dict(zip(places, range(len(places)), strict=True))
        """Of a payment, by its place."""
        self._payments = payments_of([events[place] for place in places], at_us)
        self._done = 0
        """So many payments were worked at."""
        self._decision_keys = decision_keys(events)
        """By place."""
        self._book.load(key for key in self._decision_keys if key is not None)

    # --- events, in the order of the log

    def pay(self, place: int, raised: tuple[Any, str] | None = None) -> None:
        """Take a payment; `raised`: cause and name of its alert."""
        number, terms = self._number[place], self._terms
        event, at_us = self._payments.events[number], self._payments.at_us[number]
        before = self._book.newest_at(event.tenant_id)
        newest_at = at_us if at_us > before else before
        decision: Decision | None = None
        repeat: int | None = None
        if newest_at - at_us <= terms.too_old_us:
            key = self._key(place)
            decision = self._book.of(key, newest_at, terms.window_us)
            if decision is not None:
                repeat = self._payments.decisions[number].content
            elif not is_refused_by_ledger(event):
                if newest_at > before:
                    self._days.pass_to(place, event if raised is None else raised[0], before, newest_at)
                decision = self._judge(place, number, key, newest_at // MICROSECONDS_PER_DAY)
        self._pending.append(_Pending(place, event, raised, at_us, newest_at, decision, repeat))

    def _judge(self, place: int, number: int, key: bytes, day: int) -> Decision:
        of = self._payments
        event, keys, decision = of.events[number], of.keys, of.decisions[number]
        self._book.add(event.tenant_id, key, decision)
        is_next_day = self._money.opens_day(keys.population[number], of.days[number])
        if is_next_day:
            self._work(number)
        work = Payment(place, number, self._money.tenant(event.tenant_id, event.currency), day)
        payer, device = keys.payer[number], keys.device[number]
        reads = keys.receiver[number], keys.card[number]
        self._phases.add(PAY, work, (payer, device) if device else (payer,), reads)
        if is_next_day:
            self._work(number + 1)
        return decision

    def receive(
        self,
        place: int,
        tenant_id: str,
        account_id: str,
        payer_id: str | None,
        money: tuple[int, str],
        at_us: int,
        origins: Sequence[int],
    ) -> None:
        """Take what an account received; `money`: amount and currency; no payer: a journal booked it."""
        amount, currency = money
        if currency not in NUMBER:
            return
        key = at.receiver_key(tenant_id, account_id)
        self._keys.receivers.append(key)
        tenant = self._money.tenant(tenant_id, currency)
        receipt = Receipt(place, key, account_id, payer_id, amount, currency, at_us, origins, tenant)
        self._phases.add(RECEIVE, receipt, (key,))

    def know(self, place: int, tenant_id: str, account_id: str, card: Sequence[int] | np.ndarray) -> None:
        """Take what is told of a payee."""
        key = at.card_key(tenant_id, account_id)
        self._keys.cards.append(key)
        self._phases.add(RECEIVE, Known(place, key, card), (key,))

    def confirm(
        self, place: int, tenant_id: str, account_id: str, what: tuple[int, bool, int], at_us: int
    ) -> None:
        """Take a label of a payment to an account.

        `what`: time of the payment, whether it is FRAUD (else that is withdrawn), when it was labelled so.
        """
        key = at.receiver_key(tenant_id, account_id)
        self._keys.receivers.append(key)
        self._phases.add(CHANGE, Confirmation(place, key, account_id, *what, at_us), (key,))

    def is_repeat(self, place: int) -> bool:
        """Whether the payment id of an event was decided before."""
        newest_at = self._book.newest_at(self._payments.events[self._number[place]].tenant_id)
        return self._book.of(self._key(place), newest_at, self._terms.window_us) is not None

    def knows(self, place: int, event: Any) -> bool:
        """Whether the payment that an event is about has a decision that labels go to."""
        return self._book.of_debtor(self._key(place), event.tenant_id, event.debtor_account_id) is not None

    def review(self, place: int, event: Any, at_us: int) -> None:
        """Take a review: of a payment that waits for it, it is a label.

        One that may need a second person teaches nothing, also once that person has agreed: this stream does
        not hear of that.
        """
        decision = self._book.of_debtor(self._key(place), event.tenant_id, event.debtor_account_id)
        if decision is None:
            return
        amount = facts_of(decision).amount_minor if event.link_id is None else INT64_MAX
        if not self._terms.gate.review_may_need_two(event.tenant_id, amount):
            self._label(place, event, decision, GENUINE if event.approved else FRAUD, at_us, is_review=True)

    def label(self, place: int, event: Any, at_us: int) -> None:
        """Take a label of a payment that `knows` says is known."""
        decision = self._book.of_debtor(self._key(place), event.tenant_id, event.debtor_account_id)
        if decision is not None:
            self._label(place, event, decision, event.label, at_us, is_review=False)

    def cancel(self, place: int, event: Any) -> None:
        """Take a cancellation: a review of the payment teaches nothing any more."""
        decision = self._book.of_debtor(self._key(place), event.tenant_id, event.debtor_account_id)
        if decision is not None:
            payer = at.payer_key(event.tenant_id, event.debtor_account_id)
            self._phases.add(CHANGE, Cancelled(place, decision, self._key(place)), (payer,))

    def post(self, place: int, tenant_id: str, account_id: str) -> None:
        """Take a posting that debits an account for a payment: its receiver is told."""
        decision = self._book.of_debtor(self._key(place), tenant_id, account_id)
        if decision is not None and facts_of(decision).creditor_account_id[0] != "$":
            # What is decided about a payment of this run comes into its decision.
            self._results.append((place, Funds(decision)))

    def _key(self, place: int) -> bytes:
        """Return the key of the decision that an event is about."""
        key = self._decision_keys[place]
        assert key is not None, "it is about a payment"
        return key

    # --- the end

    def close(self) -> list[tuple[int, Result]]:
        """Do what is left, write the rows, and return what is said of the events, in their order."""
        self._work(len(self._payments.events))
        for pending in self._pending:
            self._results.append((pending.place, self._decided_of(pending)))
        self._book.write()
        self._alerts.write()
        self._results += self._receipts.told()
        self._results += self._days.close(lambda: self._terms.deciders(self._rows))
        return sorted(self._results, key=itemgetter(0))

    def _decided_of(self, of: _Pending) -> Decided:
        decision, is_repeat = of.decision, of.repeat is not None
        if decision is None:
            return Decided(UNSCORED, None)
        verdict = decision.verdict
        if of.repeat is not None:
            verdict = repeated(decision, of.repeat, self._terms.thresholds.review_score_min)
        if verdict.outcome == "APPROVE" or (is_repeat and self._alerts.knows(of.event, of.newest_at)):
            return Decided(verdict, None)
        raised = of.raised or (of.event, "fraud_alert_raised")
        alert_id = self._alerts.add(of.event, raised, of.at_us, of.newest_at, verdict)
        return Decided(verdict, alert_id)

    def _work(self, until: int) -> None:
        """Do what has come so far, and write the states that it changes; `until`: before which payment."""
        phases = self._phases.take()
        payments, self._done = self._payments.some(range(self._done, until)), until
        if not phases:
            return
        features = FeatureRows(
            self._rows, self._money.rates(), self._terms.too_old_us, self._terms.near_threshold_minor
        )
        self._keys.load(payments.keys, features)
        accounts = list(dict.fromkeys(payments.accounts))
        found = zip(accounts, self._rows.get_many(accounts), strict=True)
        known = {key: read_account(row) for key, row in found}
        decider = Decider(self._terms.deciders(self._rows), self._terms.thresholds)
        paying = PaymentWork(self._payments, decider, known, self._days)
        for kind, works in phases:
            if kind == RECEIVE:
                self._receipts.receive(works, features)
            elif kind == PAY:
                paying.pay(works, features)
            else:
                for work in works:
                    self._change(work, features)
        features.write()
        self._keys = KeysToLoad()
        self._money.begin_anew()

    def _change(self, what: Any, features: FeatureRows) -> None:
        if isinstance(what, Confirmation):
            self._receipts.confirm(what, features)
        elif isinstance(what, Cancelled):
            if cancel(what):
                self._book.change(what.key)
        else:
            changed, told = label(what, features)
            if changed:
                self._book.change(what.key)
            if told is not None:
                self._results.append((what.place, told))

    def _label(
        self, place: int, event: Any, decision: Decision, says: str, at_us: int, *, is_review: bool
    ) -> None:
        paid = facts_of(decision)
        tenant_id, debtor = event.tenant_id, event.debtor_account_id
        keys = label_keys(tenant_id, debtor, paid.creditor_account_id, paid.currency)
        self._keys.labels.append(keys)
        key, tenant = self._key(place), self._money.tenant(tenant_id, paid.currency)
        what = Label(place, decision, key, debtor, keys, says, at_us, is_review, tenant)
        self._phases.add(CHANGE, what, (keys.payer,))
