"""Intake: upstream topics are merged into the logs that the stateful streams read.

    accounts   -> ledger-commands (the end of a period: every partition); account_opened to fraud-commands
    payments   -> fraud-commands
    rates      -> ledger-commands, fraud-commands and reconciliation-items, every partition
    journals   -> ledger-commands          trades -> position-commands
    approvals  -> ledger-commands
    statements -> reconciliation-items     prices -> position-commands, every partition
    fraud-labels -> fraud-commands         fraud-rules -> fraud-commands, every partition
    break-actions -> reconciliation-items  matching-rules -> reconciliation-items, every partition
    postings   -> fraud-commands, a few of them (`postings`)

A stateful stream reads exactly one log, so that a replay sees the same events in the same order. The runtime
has decoded each record and checked its key and partition before. The bytes are forwarded unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.corrections import parse_correction
from pipeline.domain.kernel.currencies import flaw_of
from pipeline.domain.kernel.ids import check_ids
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rates import is_rate
from pipeline.domain.kernel.remittance import check_creditor_reference
from pipeline.domain.kernel.routing import BROADCAST
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.kernel.texts import check_texts
from pipeline.domain.kernel.tolerance import check_tolerance

ACCEPTED: dict[str, frozenset[type]] = {
    "accounts": frozenset(
        {
            *(ev.AccountOpened, ev.AccountLimitSet, ev.AccountClosed, ev.AccountReopened),
            *(ev.AccountFrozen, ev.AccountUnfrozen, ev.PeriodClosed),
        }
    ),
    "payments": frozenset(
        {
            *(ev.PaymentInitiated, ev.PaymentsLinked, ev.PaymentReviewed, ev.PaymentCancelled),
            *(ev.PaymentCaptured, ev.PaymentExtended, ev.PaymentReversed),
        }
    ),
    "journals": frozenset({ev.JournalSubmitted, ev.JournalConfirmed, ev.JournalVoided, ev.JournalReversed}),
    "approvals": frozenset({ev.ProposalApproved, ev.ProposalRejected}),
    "statements": frozenset({ev.StatementLine, ev.StatementClosed}),
    "trades": frozenset({ev.TradeExecuted, ev.TradeSettled}),
    "prices": frozenset({ev.PriceQuoted}),
    "rates": frozenset({ev.RateQuoted}),
    "fraud-labels": frozenset({ev.PaymentLabelled}),
    "fraud-rules": frozenset(
        {
            *(ev.FraudRulesPublished, ev.FraudListPartPublished),
            *(ev.FraudModelPublished, ev.FraudModelPartPublished),
        }
    ),
    "break-actions": frozenset(
        {
            *(ev.BreakAssigned, ev.BreakCommented, ev.BreakDisputed, ev.BreakReopened, ev.BreakWrittenOff),
            *(ev.CorrectionSuggested, ev.CorrectionApproved, ev.CorrectionRejected),
            *(ev.MatchConfirmed, ev.MatchRejected),
        }
    ),
    "matching-rules": frozenset({ev.MatchingWeightsPublished}),
}
"""The events that each upstream topic may carry."""
FRAUD_ALSO = frozenset({ev.AccountOpened, ev.RateQuoted})
"""What both logs have: from when on an account is there, and what a currency is worth."""
ITEMS_ALSO = frozenset({ev.RateQuoted})
"""What the log of reconciliation has besides: what a currency is worth."""


def check_rate(event: ev.RateQuoted) -> None:
    """Check a rate. Raises Reject for one that is not between two active currencies, or out of bounds."""
    for currency in (event.base_currency, event.quote_currency):
        flaw = flaw_of(currency)
        if flaw is not None:
            raise Reject("invalid_currency", flaw)
    if event.base_currency == event.quote_currency or not is_rate(event.rate_e8):
        raise Reject("invalid_rate")


def check_journal_name(event: Any) -> None:
    """Check the name of a journal or of a reversal. Raises Reject (reserved_journal_id) for a correction's.

    Only reconciliation names journals so: an upstream could otherwise answer for a break.
    """
    named = event.journal_id if type(event) is ev.JournalSubmitted else getattr(event, "reversal_id", None)
    if parse_correction(named) is not None:
        raise Reject("reserved_journal_id")


class Intake:
    """Forwards the events of one upstream topic to a log."""

    def __init__(self, source: str, target: str, check: Callable[[Any], None] | None = None) -> None:
        """`check` raises Reject for what the concept refuses that the events are for."""
        self._accepted = ACCEPTED[source]
        self._target = target
        self._check = check

    def apply(self, event: Any, at: Arrival, rows: Rows | None, out: Outbox) -> None:
        """Forward one event.

        Raises Reject for an event of another topic, an invalid id, actor, metadata, creditor reference or
        tolerance, a journal with the name of a correction, a period that is not over yet, a rate that is
        none, and as `check` does.
        """
        if type(event) not in self._accepted:
            raise Reject("unexpected_event", type(event).__name__)
        check_ids(event)
        check_texts(event)
        check_journal_name(event)
        if type(event) is ev.PaymentInitiated:
            check_creditor_reference(event)
            check_tolerance(event)
        if type(event) is ev.PeriodClosed and event.closed_through > min(event.occurred_at, at.recorded_at):
            raise Reject("period_not_over")
        if type(event) is ev.RateQuoted:
            check_rate(event)
        if self._check is not None:
            self._check(event)
        if type(event) in BROADCAST:
            out.broadcast(self._target)
        else:
            out.forward(self._target)

    @staticmethod
    def keys(event: Any) -> Iterable[bytes]:
        """Return nothing: intake keeps no rows."""
        return ()


class IntakeBeside(Intake):
    """Forwards some events of a topic to a second log: a stream of its own, behind the one of the first log.

    So it reads the topic from its beginning where the second log is new to it. What is wrong with an event is
    said by the first stream.
    """

    def __init__(self, source: str, target: str, kinds: frozenset[type]) -> None:
        super().__init__(source, target)
        self._kinds = kinds

    def apply(self, event: Any, at: Arrival, rows: Rows | None, out: Outbox) -> None:
        """Forward an event of these kinds. Raises Reject as the first stream does."""
        if type(event) in self._kinds:
            super().apply(event, at, rows, out)
