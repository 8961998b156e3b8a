"""Every command: its path below `/v1/{tenant}`, and the event that it becomes.

The fields of the event that stand in the path are not in the body; the envelope and the actor are the
gateway's. An id in `made_id` may be left out of the body: then it follows from the idempotency key.
"""

from __future__ import annotations

from typing import NamedTuple

from pipeline import events as ev
from pipeline.input_event import InputEvent

ENVELOPE = ("event_id", "tenant_id", "occurred_at", "correlation_id", "causation_id", "actor")


class Command(NamedTuple):
    """One command."""

    path: str
    event: type[InputEvent]
    made_id: str | None = None
    """The field that the gateway fills in where the body has none."""
    fixed: tuple[tuple[str, object], ...] = ()
    """Fields that the path decides."""
    by: str | None = None
    """The field that names the person who decides: the gateway's principal, never what a body says."""

    @property
    def name(self) -> str:
        """The name of the event in the schemas, such as `payment_initiated`: its permission."""
        short = self.event.RECORD_NAME.rpartition(".")[2]
        return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in short)[1:]

    @property
    def in_path(self) -> tuple[str, ...]:
        """The fields in the path."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    @property
    def hidden(self) -> frozenset[str]:
        """The fields of the event that a body must not have."""
        by = () if self.by is None else (self.by,)
        return frozenset((*ENVELOPE, *self.in_path, *by, *(name for name, _ in self.fixed)))


_ACCOUNT, _PAYMENT, _JOURNAL = "/accounts/{account_id}", "/payments/{payment_id}", "/journals/{journal_id}"
_PROPOSAL, _BREAK = "/proposals/{account_id}/{proposal_id}", "/breaks/{account_id}/{break_id}"
_TRADE = "/trades/{trade_id}"

COMMANDS: tuple[Command, ...] = (
    Command("/accounts", ev.AccountOpened),
    Command(f"{_ACCOUNT}/limit", ev.AccountLimitSet),
    Command(f"{_ACCOUNT}/freeze", ev.AccountFrozen),
    Command(f"{_ACCOUNT}/unfreeze", ev.AccountUnfrozen),
    Command(f"{_ACCOUNT}/close", ev.AccountClosed),
    Command(f"{_ACCOUNT}/reopen", ev.AccountReopened),
    Command("/periods/{period_id}/close", ev.PeriodClosed),
    Command("/payments", ev.PaymentInitiated, "payment_id"),
    Command("/payment-links", ev.PaymentsLinked, "link_id"),
    Command(f"{_PAYMENT}/capture", ev.PaymentCaptured, "capture_id"),
    Command(f"{_PAYMENT}/extend", ev.PaymentExtended),
    Command(f"{_PAYMENT}/cancel", ev.PaymentCancelled),
    Command(f"{_PAYMENT}/reverse", ev.PaymentReversed, "reversal_id"),
    Command(f"{_PAYMENT}/approve", ev.PaymentReviewed, fixed=(("approved", True),), by="reviewer"),
    Command(f"{_PAYMENT}/decline", ev.PaymentReviewed, fixed=(("approved", False),), by="reviewer"),
    Command(f"{_PAYMENT}/label", ev.PaymentLabelled),
    Command("/journals", ev.JournalSubmitted, "journal_id"),
    Command(f"{_JOURNAL}/confirm", ev.JournalConfirmed, "confirmation_id"),
    Command(f"{_JOURNAL}/void", ev.JournalVoided),
    Command(f"{_JOURNAL}/reverse", ev.JournalReversed, "reversal_id"),
    Command(f"{_PROPOSAL}/approve", ev.ProposalApproved),
    Command(f"{_PROPOSAL}/reject", ev.ProposalRejected),
    Command("/trades", ev.TradeExecuted),
    Command(f"{_TRADE}/settle", ev.TradeSettled),
    Command("/prices", ev.PriceQuoted),
    Command("/rates", ev.RateQuoted),
    Command("/statement-lines", ev.StatementLine),
    Command("/statements/{statement_id}/close", ev.StatementClosed),
    Command(f"{_BREAK}/assign", ev.BreakAssigned),
    Command(f"{_BREAK}/comment", ev.BreakCommented),
    Command(f"{_BREAK}/dispute", ev.BreakDisputed),
    Command(f"{_BREAK}/reopen", ev.BreakReopened),
    Command(f"{_BREAK}/write-off", ev.BreakWrittenOff),
    Command(f"{_BREAK}/correction", ev.CorrectionSuggested),
    Command(f"{_BREAK}/correction/approve", ev.CorrectionApproved),
    Command(f"{_BREAK}/correction/reject", ev.CorrectionRejected),
    Command("/matches/confirm", ev.MatchConfirmed),
    Command("/matches/reject", ev.MatchRejected),
    Command("/fraud-rules", ev.FraudRulesPublished),
    Command("/fraud-rules/list-parts", ev.FraudListPartPublished),
    Command("/fraud-models", ev.FraudModelPublished),
    Command("/fraud-models/parts", ev.FraudModelPartPublished),
    Command("/matching-weights", ev.MatchingWeightsPublished),
)
