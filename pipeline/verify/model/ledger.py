"""A single-threaded model of one branch of the ledger: dicts and integers, by the contract.

    records of one partition of ledger-commands, in order -> Branch.apply -> dead-letter code, or what must
    come out: postings, payment-events, balances, legs for other branches, nostro postings, table rows

It is written from schemas/ (events, keys, codes) and the README (ids derived as UUIDv5, due times, periods,
rows), and shares no code with the product: its agreement is evidence. What never changes: a command
has all of its effects or none, and one that has none says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pipeline.verify.model.currencies import CURRENCIES
from pipeline.verify.model.ledger_accounts import Account, customer, room
from pipeline.verify.model.ledger_answers import answers
from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_captures import capture
from pipeline.verify.model.ledger_changes import one_effect
from pipeline.verify.model.ledger_due import advance
from pipeline.verify.model.ledger_endings import end_of_command, forget_named
from pipeline.verify.model.ledger_exchange import quote
from pipeline.verify.model.ledger_holds import extend, hold_is_due
from pipeline.verify.model.ledger_limits import (
    close_account,
    freeze,
    freeze_is_due,
    limit_is_due,
    reopen,
    set_limit,
    unfreeze,
)
from pipeline.verify.model.ledger_links import decide_link
from pipeline.verify.model.ledger_not_yet import not_yet, too_old
from pipeline.verify.model.ledger_past import refused_past
from pipeline.verify.model.ledger_payments import cancel, decide, leg_posted, leg_refused, post_leg, review
from pipeline.verify.model.ledger_periods import close_period
from pipeline.verify.model.ledger_proposals import decide_proposal, is_proposed, proposal_is_due
from pipeline.verify.model.ledger_reversals import reverse_journal, reverse_payment
from pipeline.verify.model.ledger_shares import legs_answered, legs_ended, legs_requested
from pipeline.verify.model.ledger_submissions import confirm, journal_is_due, scheduled_is_due, submit, void
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import ITEMS, LONG_MIN, Dead, Expected, row_key

TICK_TAKES = 1_000
"""Due rows that a tick takes."""

# --- the rules, one a command


def open_account(branch: Books, event: dict[str, Any]) -> None:
    account_id, currency, kind = event["account_id"], event["currency"], event["account_type"]
    limit = event.get("overdraft_limit_minor", 0)  # version 1 of the event knows no overdraft
    if not customer(account_id):
        raise Dead("invalid_account_id")
    if currency not in CURRENCIES:
        raise Dead("invalid_currency")
    if limit is not None and limit < 0:
        raise Dead("invalid_limit")
    known = branch.account(account_id)
    if known is not None:
        code = "exists"
        if known.currency != currency:
            code = "exists_with_different_currency"
        elif known.kind != kind:
            code = "exists_with_different_content"
        elif branch.openings[event["tenant_id"], account_id][0] != event["initial_balance_minor"]:
            code = "exists_with_different_amount"
        elif branch.openings[event["tenant_id"], account_id][1] != limit:
            code = "exists_with_different_limit"
        return branch.refuse("account_opened", account_id, code)
    refused = branch.account_refusal(event)
    if refused is not None:
        return branch.refuse("account_opened", account_id, refused)
    amount = event["initial_balance_minor"]
    if amount != LONG_MIN and limit is not None and amount + limit < 0:
        return branch.refuse("account_opened", account_id, "insufficient_funds")
    opening = branch.accounts.get((event["tenant_id"], f"$opening:{currency}:{branch.number}"))
    other_side = "debits" if amount > 0 else "credits"
    if amount == LONG_MIN or (amount and not room(opening, other_side, abs(amount))):
        raise Dead("overflow")
    branch.accounts[event["tenant_id"], account_id] = Account(kind, currency, limit)
    branch.touch(account_id)
    branch.openings[event["tenant_id"], account_id] = (amount, limit)
    branch.structure(row_key("b", event["tenant_id"], account_id), [amount, limit])
    if amount == 0:
        return
    own = branch.own("opening", currency)
    debit, credit = (own, account_id) if amount > 0 else (account_id, own)
    branch.enter(
        "opening", debit, credit, abs(amount), payment_id=None, reference=None, metadata=event.get("metadata")
    )


def tick(branch: Books, event: dict[str, Any]) -> None:
    """Let a branch have time without any traffic; reconciliation gets it behind what is due by it."""
    tick = branch.cause
    advance(branch, (), TICK_TAKES)
    key, name = tick.key or b"", tick.event or ""
    branch.out.append(Expected(ITEMS, key, name, tick.fields, tick.offset, tick.value))


@dataclass
class Branch(Books):
    """The ledger of one partition, as far as its log has been applied."""

    by_its_time: bool = False
    """Whether the present command is refused by its time alone."""

    rules: ClassVar = {
        "AccountOpened": open_account,
        "AccountLimitSet": one_effect(set_limit),
        "AccountClosed": one_effect(close_account),
        "AccountReopened": one_effect(reopen),
        "AccountFrozen": one_effect(freeze),
        "AccountUnfrozen": one_effect(unfreeze),
        "PeriodClosed": close_period,
        "BranchTicked": tick,
        "ProposalApproved": decide_proposal,
        "ProposalRejected": decide_proposal,
        "RateQuoted": quote,
        "PaymentDecided": decide,
        "PaymentsLinkDecided": decide_link,
        "PaymentReviewed": review,
        "PaymentCancelled": cancel,
        "PaymentCaptured": capture,
        "PaymentExtended": extend,
        "PaymentReversed": reverse_payment,
        "LegRequested": post_leg,
        "LegPosted": leg_posted,
        "LegRefused": leg_refused,
        "JournalSubmitted": submit,
        "JournalConfirmed": confirm,
        "JournalVoided": void,
        "JournalReversed": reverse_journal,
        "JournalLegsRequested": legs_requested,
        "JournalLegsAnswered": legs_answered,
        "JournalLegsEnded": legs_ended,
    }
    effects: ClassVar = {
        "hold": hold_is_due,
        "journal": journal_is_due,
        "limit": limit_is_due,
        "freeze": freeze_is_due,
        "proposal": proposal_is_due,
        "scheduled": scheduled_is_due,
    }

    def check_ids(self, event: dict[str, Any]) -> None:
        tenant = event["tenant_id"]
        if self.cause.event == "BranchTicked":
            return  # of no tenant
        if not tenant or "\0" in tenant or "/" in tenant:
            raise Dead("invalid_tenant_id")

    def refused_at_once(self, record: Record) -> bool:
        forget_named(self)
        self.by_its_time = not_yet(self, record) or too_old(self, record)
        if self.by_its_time or is_proposed(self, record):
            return True
        return refused_past(self, record.event or "", record.fields)

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        """Apply one record, and forget what is over."""
        code, _ = super().apply(record)
        if code is not None:
            return code, []
        self.out += list(answers(self.out))
        if not self.by_its_time:
            end_of_command(self)
        return None, self.out
