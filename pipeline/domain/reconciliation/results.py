"""The outputs of reconciliation: item_matched, break_opened, break_resolved, and the rows of the breaks.

The id of a break is derived from its subject (item or statement), type and ordinal, not from the event that
revealed it. So the same problem gives one break, by whichever event it is found.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Outbox, derived_id
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.reconciliation.account_rows import AccountRows
from pipeline.domain.reconciliation.item_rows import Break
from pipeline.domain.reconciliation.rows import BankLine, Posting, break_key
from pipeline.domain.reconciliation.settings import ReconciliationSettings

TOPIC = "reconciliation-results"

Input = ev.PostingRecorded | ev.StatementLine | ev.StatementClosed


class Scope(msgspec.Struct, frozen=True, gc=False):
    """The context of the rules: the current event, the rows of its account, the outputs, the settings."""

    cause: Input
    watermark: int
    """Event time of the account, this event included, microseconds UTC."""
    rows: AccountRows
    out: Outbox
    settings: ReconciliationSettings


@dataclass(frozen=True)
class Subject:
    """The subject of a break: an item or a statement."""

    name: str
    """Identity within the account, such as `line/S1/3`."""
    currency: str
    statement_id: str | None = None
    line_no: int | None = None
    posting_id: str | None = None
    ordinal: str = field(default="1", kw_only=True)
    """Distinguishes breaks of one type on one subject."""


def line_subject(line: BankLine) -> Subject:
    """Return the subject of the next break of a line."""
    name = f"line/{line.statement_id}/{line.line_no}"
    return Subject(name, line.currency, line.statement_id, line.line_no, ordinal=str(line.breaks + 1))


def posting_subject(posting: Posting) -> Subject:
    """Return the subject of the next break of a posting."""
    name, ordinal = f"posting/{posting.posting_id}", str(posting.breaks + 1)
    return Subject(name, posting.currency, posting_id=posting.posting_id, ordinal=ordinal)


def break_id_of(scope: Scope, kind: str, subject: Subject) -> str:
    """Return the id of the break of a type on a subject."""
    account = f"{scope.cause.tenant_id}/{scope.cause.account_id}"
    return derived_id(f"{account}/{subject.name}", f"{kind}/{subject.ordinal}")


def read_break(scope: Scope, break_id: str) -> Break:
    """Return the row of a break that was opened on the scope's account."""
    found = scope.rows.get(break_key(scope.cause.tenant_id, scope.cause.account_id, break_id), Break)
    assert found is not None  # an item names a break only after the break was written
    return found


def open_break(scope: Scope, kind: str, subject: Subject, amount_minor: int, detail: str) -> str:
    """Open a break and return its id."""
    cause = scope.cause
    break_id = break_id_of(scope, kind, subject)
    row = Break(
        kind,
        amount_minor,
        subject.currency,
        subject.statement_id,
        subject.line_no,
        subject.posting_id,
        detail,
        cause.occurred_at,
    )
    scope.rows.put(break_key(cause.tenant_id, cause.account_id, break_id), row)
    event = ev.BreakOpened(
        event_id=derived_id(cause_name(cause), f"break_opened/{break_id}"),
        tenant_id=cause.tenant_id,
        occurred_at=cause.occurred_at,
        correlation_id=cause.correlation_id,
        causation_id=cause.event_id,
        break_id=break_id,
        type=kind,
        account_id=cause.account_id,
        amount_minor=amount_minor,
        currency=subject.currency,
        statement_id=subject.statement_id,
        line_no=subject.line_no,
        posting_id=subject.posting_id,
        detail=detail,
    )
    scope.out.emit(TOPIC, f"{cause.tenant_id}/{cause.account_id}", event)
    return break_id


def resolve_break(scope: Scope, break_id: str, resolution: str) -> Break:
    """Close an open break with a resolution code and return its row."""
    cause = scope.cause
    row = msgspec.structs.replace(
        read_break(scope, break_id), resolution=resolution, resolved_at=cause.occurred_at
    )
    key = break_key(cause.tenant_id, cause.account_id, break_id)
    scope.rows.put(key, row)
    scope.rows.end(scope.watermark, key)
    event = ev.BreakResolved(
        event_id=derived_id(cause_name(cause), f"break_resolved/{break_id}"),
        tenant_id=cause.tenant_id,
        occurred_at=cause.occurred_at,
        correlation_id=cause.correlation_id,
        causation_id=cause.event_id,
        break_id=break_id,
        type=row.type,
        account_id=cause.account_id,
        resolution=resolution,
        statement_id=row.statement_id,
        posting_id=row.posting_id,
    )
    scope.out.emit(TOPIC, f"{cause.tenant_id}/{cause.account_id}", event)
    return row


def emit_match(scope: Scope, line: BankLine, posting: Posting, tier: str) -> None:
    """Emit that a line and a posting are matched; the amount is the line's."""
    cause = scope.cause
    event = ev.ItemMatched(
        event_id=derived_id(cause_name(cause), f"item_matched/{line.statement_id}/{line.line_no}"),
        tenant_id=cause.tenant_id,
        occurred_at=cause.occurred_at,
        correlation_id=cause.correlation_id,
        causation_id=cause.event_id,
        statement_id=line.statement_id,
        line_no=line.line_no,
        account_id=line.account_id,
        posting_ids=(posting.posting_id,),
        tier=tier,
        amount_minor=line.amount_minor,
        currency=line.currency,
    )
    scope.out.emit(TOPIC, f"{cause.tenant_id}/{cause.account_id}", event)
