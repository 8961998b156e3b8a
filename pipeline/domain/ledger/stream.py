"""The ledger of one branch (partition): which rule applies each command, and how event time advances.

    payments       payments on the debtor's branch         payment_legs   their legs on the creditor's branch
    payment_refusals  why one cannot be reserved
    holds          payments held for captures              captures       captures of these holds
    extensions     their later ends                        rates          rates between currencies
    journals       the rows of journals of many legs       reversals      reversals of payments and journals
    journal_home   a journal on its home branch            journal_legs   its legs on every branch
    journal_ends   a held journal confirmed or voided      journal_parts  confirmed in parts
    clearing_room  room for whichever part is confirmed    held_pairs     what a branch holds of legs
    links          the rows of linked payments             link_home      linked payments, all or none
    accounts       status, closed periods                  limits         their limits, at once or later
    freezes        frozen sides, and their ends            account_changes  one effect for each of these
    due            ends of holds and freezes, later limits falling_due    when they take effect
    not_yet        commands whose time has not come        too_old        commands whose time is over
    retention      which rows are over                     walk           rows of earlier versions
    sides          both sides of a payment in the books     correction_answers  to reconciliation
    proposals      commands that wait for a second person   approvals      what that person decides

A branch is a partition of the ledger. An account lives on one branch. What a branch owes to the others stands
in its internal clearing accounts.

Invariants:

- Every entry has one debit and one credit of the same amount on the same branch, so the postings of a branch
  sum to zero after every event, and so do its pending counters.
- A posting, once emitted, is never changed.
- A refused command changes nothing except that its id is remembered: rules work on copies of the accounts
  (`books`), and rows and outputs are written only after the last check.

Result codes are TigerBeetle's terms; `schemas/README.md` has the meaning of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.links import PAYMENTS_MAX
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from pipeline.domain.kernel.tolerance import check_tolerance
from pipeline.domain.ledger import (
    accounts,
    approvals,
    captures,
    extensions,
    freezes,
    journal_ends,
    journal_home,
    journal_legs,
    limits,
    link_commands,
    payment_legs,
    payments,
    proposals,
    reversals,
    scheduled_journals,
)
from pipeline.domain.ledger.account_changes import COMPARED, change_key, once
from pipeline.domain.ledger.approvals import ApprovedOutbox, plain
from pipeline.domain.ledger.closed_past import answer_back_dated
from pipeline.domain.ledger.correction_answers import answer_corrections
from pipeline.domain.ledger.due import NEXT_KEY, Take, is_due
from pipeline.domain.ledger.falling_due import OTHERS_MAX, OTHERS_OF_TICK, take, touched
from pipeline.domain.ledger.journals import earlier_key, journal_key, part_key
from pipeline.domain.ledger.links import LEGS_OF, link_key
from pipeline.domain.ledger.not_yet import answer_ahead
from pipeline.domain.ledger.rates import RateRules, quote_rate
from pipeline.domain.ledger.retention import Retention
from pipeline.domain.ledger.rows import (
    ENDED,
    account_key,
    advance_watermark,
    closed_key,
    leg_key,
    payment_key,
)
from pipeline.domain.ledger.settings import HOLDS_MAX, LedgerSettings
from pipeline.domain.ledger.too_old import answer_too_old
from pipeline.domain.ledger.walk import WALK_KEY, first_step, go_on
from pipeline.domain.tenants.settings import UNRESTRICTED, Tenants


class LedgerRules(LedgerSettings, frozen=True):
    """The parameters of the ledger's rules: its settings, the settings of the tenants, and a bound."""

    ended_max: int = 2 * HOLDS_MAX
    """The most holds of its own accounts that a command ends. No setting: it is the same in every log."""

    reversal_window_days: int = Windows().reversals_days
    """How long what has ended may be reversed, event time: the setting of all streams."""

    tenants: Tenants = UNRESTRICTED
    """Which tenants may open accounts, and in which currencies."""


def dedupe_window(rules: LedgerRules | None) -> int:
    """Return how long payment ids are remembered, in microseconds of event time."""
    return (rules or LedgerRules()).dedupe_window_days * MICROSECONDS_PER_DAY


def kept(rules: LedgerRules | None) -> int:
    """Return how long rows are kept that have ended, in microseconds of event time."""
    rules = rules or LedgerRules()
    windows = Windows(rules.dedupe_window_days, rules.reversal_window_days)
    return windows.both_days * MICROSECONDS_PER_DAY


class Ledger:
    """The rules of the ledger over the rows of one branch; holds no state of its own."""

    def __init__(self, rules: LedgerRules | None = None) -> None:
        rules = rules or LedgerRules()
        window, self._ahead_max = dedupe_window(rules), rules.clock_ahead_us
        self._retention = Retention(window, kept(rules))
        self._holds_max, tenants = rules.holds_max, rules.tenants
        self._proposals_kept, self._tenants = rules.proposal_days * MICROSECONDS_PER_DAY, tenants
        rate_age = rules.rate_max_age_seconds * MICROSECONDS_PER_SECOND
        self._refuses_past = rules.backdating == "refuse"
        self._rates = RateRules(rate_age, rules.rate_tolerance_bp)
        execute = partial(scheduled_journals.execute, self._holds_max)
        self._take: Take = _beside_what_is_approved(partial(take, rules.ended_max, execute=execute))
        self._rules: dict[type, Callable[[Any, Arrival, Rows, Outbox], None]] = {
            ev.AccountOpened: partial(accounts.open_account, tenants=tenants),
            ev.AccountLimitSet: once(partial(limits.set_limit, self._take), window),
            ev.AccountFrozen: once(partial(freezes.freeze_account, self._take), window),
            ev.AccountUnfrozen: once(partial(freezes.unfreeze_account, self._take), window),
            ev.AccountClosed: once(partial(accounts.close_account, self._take), window),
            ev.AccountReopened: once(partial(accounts.reopen_account, self._take), window),
            ev.PeriodClosed: accounts.close_period,
            ev.BranchTicked: self._tick,
            ev.ProposalApproved: partial(approvals.approve, self._carry_out_approved),
            ev.ProposalRejected: approvals.reject,
            ev.RateQuoted: partial(quote_rate, window, rate_age),
            ev.PaymentDecided: self._decide_payment,
            ev.LegRequested: partial(payment_legs.post_leg, self._retention, self._take),
            ev.LegPosted: payments.leg_posted,
            ev.LegRefused: payments.leg_refused,
            ev.JournalLegsRequested: partial(journal_legs.hold_legs, self._retention, self._take),
            ev.JournalLegsAnswered: self._legs_answered,
            ev.PaymentsLinkDecided: self._decide_link,
            ev.JournalLegsEnded: journal_legs.end_legs,
        }
        self._on_holds: dict[type, Callable[[Any, Arrival, Rows, Outbox], None]] = {
            ev.PaymentReviewed: partial(payments.review, tenants),
            ev.PaymentCancelled: partial(payments.cancel, tenants),
        }
        """Commands that do not advance event time, but find a hold ended whose time is over."""
        self._timed: dict[type, Callable[[Any, int, Arrival, Rows, Outbox], None]] = {
            ev.PaymentCaptured: captures.capture,
            ev.PaymentExtended: extensions.extend,
            ev.PaymentReversed: reversals.reverse_payment,
            ev.JournalSubmitted: partial(scheduled_journals.submit, self._holds_max),
            ev.JournalConfirmed: journal_ends.confirm,
            ev.JournalVoided: scheduled_journals.void,
            ev.JournalReversed: reversals.reverse_journal,
        }
        """Commands that advance the branch's event time; their rules get the watermark as an argument."""

    def apply(self, event: Any, at: Arrival, rows: Rows, out: Outbox) -> None:
        """Apply one command.

        Raises: Reject for a command that belongs in dead letters.
        """
        kind = type(event)
        if not any(kind in rules for rules in (self._rules, self._on_holds, self._timed)):
            raise Reject("unexpected_event", kind.__name__)
        tenant = event.tenant_id
        if kind is not ev.BranchTicked and (not tenant or "/" in tenant or "\0" in tenant):
            # Its keys could be those of another tenant, or of an internal account.
            raise Reject("invalid_tenant_id")
        before = len(out.items)
        self._answer_or_apply(event, at, rows, out)
        answer_corrections(out.items[before:], out)

    def _answer_or_apply(self, event: Any, at: Arrival, rows: Rows, out: Outbox) -> None:
        begun = first_step(rows)
        self._retention.forget(event, at, rows)
        if self._ahead_max is not None and answer_ahead(self._ahead_max, event, at, rows, out):
            return
        if answer_too_old(self._retention, event, at, rows, out):
            return
        mark = self._retention.mark(event, at, rows)
        self._propose_or_carry_out(event, at, rows, out)
        self._retention.sweep(mark, rows)
        go_on(begun, at, rows)

    def _propose_or_carry_out(self, event: Any, at: Arrival, rows: Rows, out: Outbox) -> None:
        window = self._retention.window_us
        if type(event) in proposals.PROPOSABLE and proposals.waits(self._tenants, window, event, rows):
            return proposals.propose(event, self._proposals_kept, window, at, rows, out)
        approved_by = getattr(event, "approved_by", None)
        self._carry_out(event, at, rows, out if approved_by is None else ApprovedOutbox(out, approved_by))

    def _carry_out_approved(self, event: Any, at: Arrival, rows: Rows, out: Outbox) -> None:
        """Apply a command that was proposed, as if it had come now."""
        self._retention.forget(event, at, rows)
        if not answer_too_old(self._retention, event, at, rows, out):
            self._carry_out(event, at, rows, out)

    def _carry_out(self, event: Any, at: Arrival, rows: Rows, out: Outbox) -> None:
        """Apply a command that waits for nobody."""
        window = self._retention.window_us
        if self._refuses_past and answer_back_dated(window, event, at, rows, out):
            return
        kind = type(event)
        if kind in self._rules:
            self._rules[kind](event, at, rows, out)
        elif kind in self._on_holds:
            self._take(touched(event, rows), event, at, rows, out)
            self._on_holds[kind](event, at, rows, out)
        else:
            self._timed[kind](event, self._advance(event, at, rows, out), at, rows, out)

    def _advance(self, event: Any, at: Arrival, rows: Rows, out: Outbox) -> int:
        """Advance the branch's event time to an event, apply what is due then, and return the watermark."""
        watermark = advance_watermark(rows, event.occurred_at, at.recorded_at)
        if is_due(rows, watermark):
            self._take(touched(event, rows), event, at, rows, out, others=OTHERS_MAX)
        return watermark

    @staticmethod
    def keys(event: Any) -> Iterable[bytes]:
        """Return the keys of the rows that applying `event` reads."""
        tenant, kind = event.tenant_id, type(event)
        yield NEXT_KEY
        yield WALK_KEY
        yield ENDED.key()
        if kind is ev.BranchTicked:
            return
        yield closed_key(tenant)
        if kind is ev.PaymentDecided or kind is ev.LegPosted or kind is ev.LegRefused:
            yield payment_key(tenant, event.payment_id)
            yield account_key(tenant, event.debtor_account_id)
            yield account_key(tenant, event.creditor_account_id)
        elif kind is ev.LegRequested:
            yield leg_key(tenant, event.leg_id)
            yield account_key(tenant, event.creditor_account_id)
        elif kind is ev.PaymentsLinkDecided:
            yield link_key(tenant, event.debtor_account_id, event.link_id)
            yield account_key(tenant, event.debtor_account_id)
            for payment in event.payments[:PAYMENTS_MAX]:
                yield payment_key(tenant, payment.payment_id)
                yield account_key(tenant, payment.creditor_account_id)
        elif hasattr(event, "payment_id"):
            yield payment_key(tenant, event.payment_id)
        elif kind is ev.JournalLegsRequested or kind is ev.JournalLegsEnded:
            yield part_key(tenant, event.home_account_id, event.journal_id)
        elif hasattr(event, "journal_id"):
            account = event.home_account_id if kind is ev.JournalLegsAnswered else event.account_id
            yield journal_key(tenant, account, event.journal_id)
            yield earlier_key(tenant, event.journal_id)
        elif hasattr(event, "account_id"):
            yield account_key(tenant, event.account_id)
            if hasattr(event, "proposal_id"):
                yield proposals.proposal_key(tenant, event.account_id, event.proposal_id)
            if kind in COMPARED:
                yield change_key(event)

    def _tick(self, event: ev.BranchTicked, at: Arrival, rows: Rows, out: Outbox) -> None:
        """Give the branch time, and apply what is due; reconciliation hears of it behind its postings."""
        advance_watermark(rows, event.occurred_at, at.recorded_at)
        self._take((), event, at, rows, out, others=OTHERS_OF_TICK)
        out.forward("reconciliation-items")

    def _decide_link(self, event: ev.PaymentsLinkDecided, at: Arrival, rows: Rows, out: Outbox) -> None:
        """Decide a link; one that is none, or is known, does not advance event time."""
        if not link_commands.answer_known(event, rows, out):
            self._advance(event, at, rows, out)
            link_commands.home_of(event, at, rows, out, self._tenants).decide()

    def _legs_answered(self, event: ev.JournalLegsAnswered, at: Arrival, rows: Rows, out: Outbox) -> None:
        """Apply the answer of a branch that was asked for legs, of a link or of a journal."""
        if event.journal_id.startswith(LEGS_OF):
            link_commands.legs_answered(self._take, self._tenants, event, at, rows, out)
        else:
            journal_home.legs_answered(event, at, rows, out)

    def _decide_payment(self, event: ev.PaymentDecided, at: Arrival, rows: Rows, out: Outbox) -> None:
        """Decide a payment; a repeat of a known id does not advance event time."""
        check_tolerance(event)
        if not payments.answer_repeat(event, rows, out) and not payments.answer_early(event, out):
            watermark = self._advance(event, at, rows, out)
            payments.decide(self._holds_max, self._rates, event, watermark, at, rows, out)


def _beside_what_is_approved(take: Take) -> Take:
    """Return `take` such that what falls due beside an approved command is not said to be approved."""

    def apply(places: Iterable[Any], event: Any, at: Arrival, rows: Rows, out: Outbox, **more: Any) -> None:
        take(places, event, at, rows, plain(out), **more)

    return apply
