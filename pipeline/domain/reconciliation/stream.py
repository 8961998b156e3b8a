"""The reconciliation stream: postings of our nostro accounts against the bank's statement lines.

    posting_recorded, statement_line -> item_matched, or wait -> break_opened -> break_resolved
    statement_closed                 -> is the statement consistent (`statements`)

Signs: amounts are signed from the account holder's view, a credit is positive. A CREDIT posting on the nostro
account is +, a DEBIT posting is -, and a statement line has the same sign as the posting it mirrors.

Matching is tried in this order. Brackets: how one of several candidates is chosen.

1. REFERENCE: external_reference equals the posting's reference, payment_id or entry_id, and the amounts agree
   (amount difference, nearest date, lowest sequence). At once, however far apart the dates
   are. If only the amount differs: an AMOUNT break on both, at once.
2. AMOUNT_DATE: the amounts agree and the dates lie within the window (nearest date, lowest sequence). A line
   with a reference takes part only after its grace period: until then the posting that it refers to may still
   come, and it must not take a posting that another line refers to.

Amounts agree if they have the same currency and sign and differ by no more than the tolerance that is set. An
item is matched once, and a match is final. A line that repeats the reference and amount of a matched line is
a DUPLICATE: within the date window, or at any date if the reference is one of our ids. An item without a
counterpart at the end of its grace period is MISSING_INTERNAL (a line) or MISSING_EXTERNAL (a posting).

Time is event time: an account's watermark is the latest min(occurred_at, recorded_at) of its events, so a
clock that is ahead cannot advance it too far. An item falls due `grace_days` after it happened: a posting at
its occurred_at, a line when the bank booked it. The watermark of an account without events stands still, so
its items do not fall due.

What has ended is forgotten when both windows are over (`sweeping`). An event that is older than the account's
watermark by more than that is too old: whether it came before is not known any more.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.account_rows import AccountRows
from pipeline.domain.reconciliation.item_rows import Break, digest_of, line_digest
from pipeline.domain.reconciliation.matching import arrive_line, arrive_posting, open_account, settle_due
from pipeline.domain.reconciliation.results import (
    Input,
    Scope,
    Subject,
    break_id_of,
    open_break,
)
from pipeline.domain.reconciliation.rows import (
    DUPLICATE,
    BankLine,
    Posting,
    Statement,
    break_key,
    chain_key,
    line_key,
    posting_key,
    statement_key,
    watermark_key,
)
from pipeline.domain.reconciliation.settings import AMOUNT_LIMIT, ReconciliationSettings
from pipeline.domain.reconciliation.statements import check_chain, check_statement, with_closing, with_line
from pipeline.domain.reconciliation.sweeping import sweep

DEFAULTS, WINDOWS = ReconciliationSettings(), Windows()
PASSED_OVER = (ev.BranchTicked, ev.ReconciliationContinued)
"""Events of the log by which the desk gets time; they have no effect here."""


def _check(tenant_id: str, account_id: str, item_id: str, currency: str, *figures_minor: int) -> None:
    ids = f"{tenant_id}{account_id}{item_id}{currency}"
    if "\0" in ids or not (tenant_id and account_id and item_id and currency):
        raise Reject("malformed_id", "an id or currency is empty or holds a NUL character")
    for figure in figures_minor:
        if abs(figure) > AMOUNT_LIMIT:
            raise Reject("overflow", "an amount is too large")


def _check_age(scope: Scope, event: Input, at: Arrival) -> None:
    """Raise Reject for an event so old that what it repeats may be forgotten."""
    if scope.rows.is_too_old(min(event.occurred_at, at.recorded_at), scope.watermark):
        raise Reject("too_old", "another event of the account is later by more than both windows")


def _reference(text: str | None) -> str:
    """Return a reference for look-ups; empty if it is blank or contains NUL, so cannot be part of a key."""
    return "" if text is None or "\0" in text or not text.strip() else text


def _scope(
    event: Input, at: Arrival, account_rows: AccountRows, out: Outbox, settings: ReconciliationSettings
) -> Scope:
    reached = min(event.occurred_at, at.recorded_at)
    if account_rows.watermark is not None and account_rows.watermark > reached:
        reached = account_rows.watermark
    return Scope(event, reached, account_rows, out, settings)


def _move_on(scope: Scope) -> None:
    """Set the watermark that an applied event has reached, and handle the items that have fallen due."""
    scope.rows.move_to(scope.watermark)
    if scope.rows.is_due(scope.watermark):
        settle_due(scope)
    if scope.rows.to_sweep:
        sweep(scope)


def _posting_recorded(event: ev.PostingRecorded, at: Arrival, scope: Scope) -> None:
    tenant, account, posting_id = event.tenant_id, event.account_id, event.posting_id
    _check(tenant, account, posting_id, event.currency, event.amount_minor)
    _check_age(scope, event, at)
    known = scope.rows.item(posting_key(tenant, account, posting_id), Posting)
    if known is not None and not scope.rows.is_over(known.ended_at, scope.watermark):
        return
    ids = tuple(filter(None, (_reference(event.payment_id), _reference(event.entry_id))))
    posting = Posting(
        tenant_id=tenant,
        account_id=account,
        posting_id=posting_id,
        currency=event.currency,
        amount_minor=event.amount_minor if event.side == "CREDIT" else -event.amount_minor,
        day=event.occurred_at // MICROSECONDS_PER_DAY,
        sequence=event.account_sequence,
        due_at=min(event.occurred_at, at.recorded_at) + scope.settings.grace_days * MICROSECONDS_PER_DAY,
        ids=ids,
        references=tuple(dict.fromkeys(filter(None, (_reference(event.reference), *ids)))),
    )
    arrive_posting(scope, posting)
    _move_on(scope)


def _line_of(event: ev.StatementLine, at: Arrival, grace_days: int) -> BankLine:
    reference = _reference(event.external_reference)
    happened_at = min(event.occurred_at, event.booked_at, at.recorded_at)
    return BankLine(
        tenant_id=event.tenant_id,
        account_id=event.account_id,
        statement_id=event.statement_id,
        line_no=event.line_no,
        currency=event.currency,
        amount_minor=event.amount_minor,
        day=event.value_date,
        due_at=happened_at + grace_days * MICROSECONDS_PER_DAY,
        reference=reference,
        content=line_digest(event),
        ripe=not reference,
    )


def _statement_line(event: ev.StatementLine, at: Arrival, scope: Scope) -> None:
    tenant, account, statement_id = event.tenant_id, event.account_id, event.statement_id
    _check(tenant, account, statement_id, event.currency, event.amount_minor)
    if event.line_no < 0:
        raise Reject("line_no_must_not_be_negative")
    _check_age(scope, event, at)
    line = _line_of(event, at, scope.settings.grace_days)
    known = scope.rows.item(line_key(tenant, account, statement_id, event.line_no), BankLine)
    if known is not None and not scope.rows.is_over(known.ended_at, scope.watermark):
        if known.content != line.content:
            name = f"line/{statement_id}/{event.line_no}"
            ordinal = line.content.hex()
            subject = Subject(name, event.currency, statement_id, event.line_no, ordinal=ordinal)
            _conflict(scope, subject, event.amount_minor, "the line number came again with other content")
        return
    statement = with_line(_statement(scope, statement_id), event)
    check_statement(scope, statement_id, statement)
    arrive_line(scope, line)
    _move_on(scope)


def _statement(scope: Scope, statement_id: str) -> Statement | None:
    """Return a statement that still counts."""
    key = statement_key(scope.cause.tenant_id, scope.cause.account_id, statement_id)
    found = scope.rows.get(key, Statement)
    return None if found is None or scope.rows.is_over(found.ended_at, scope.watermark) else found


def _statement_closed(event: ev.StatementClosed, at: Arrival, scope: Scope) -> None:
    tenant, account, statement_id = event.tenant_id, event.account_id, event.statement_id
    opening, closing = event.opening_balance_minor, event.closing_balance_minor
    _check(tenant, account, statement_id, event.currency, opening, closing)
    if event.line_count < 0:
        raise Reject("line_count_must_not_be_negative")
    _check_age(scope, event, at)
    known = _statement(scope, statement_id)
    statement = with_closing(known, event)
    if known is not None and known.closed:
        if known != statement:
            content = (event.currency, opening, closing, event.line_count, event.closed_at)
            name, ordinal = f"statement/{statement_id}", digest_of(content).hex()
            subject = Subject(name, event.currency, statement_id, ordinal=ordinal)
            _conflict(scope, subject, closing, "the statement was closed again with other figures")
        return
    check_statement(scope, statement_id, statement)
    check_chain(scope, event)
    _move_on(scope)


def _conflict(scope: Scope, subject: Subject, amount_minor: int, detail: str) -> None:
    """Open a DUPLICATE break for an id that is repeated with other content, once for each content."""
    tenant, account = scope.cause.tenant_id, scope.cause.account_id
    break_id = break_id_of(scope, DUPLICATE, subject)
    if scope.rows.get(break_key(tenant, account, break_id), Break) is None:
        open_break(scope, DUPLICATE, subject, amount_minor, detail)
        _move_on(scope)


def apply(
    event: object,
    at: Arrival,
    rows: PrefetchingRows,
    out: Outbox,
    settings: ReconciliationSettings = DEFAULTS,
    windows: Windows = WINDOWS,
) -> None:
    """Apply one event of `reconciliation-items` to the rows of its partition.

    Raises Reject, with nothing written: malformed_id, overflow, too_old, currency_mismatch,
    line_no_must_not_be_negative, line_count_must_not_be_negative, unexpected_event.
    """
    if isinstance(event, PASSED_OVER):
        return
    if not isinstance(event, Input):
        raise Reject("unexpected_event", type(event).__name__)
    account_rows = open_account(rows, event.tenant_id, event.account_id, settings, windows)
    apply_to(account_rows, event, at, out, settings)
    account_rows.close()


def apply_to(
    account_rows: AccountRows, event: Input, at: Arrival, out: Outbox, settings: ReconciliationSettings
) -> None:
    """Apply one event to the rows of its account; a `Reject` leaves them unchanged."""
    scope = _scope(event, at, account_rows, out, settings)
    if isinstance(event, ev.PostingRecorded):
        _posting_recorded(event, at, scope)
    elif isinstance(event, ev.StatementLine):
        _statement_line(event, at, scope)
    else:
        _statement_closed(event, at, scope)


def keys(event: object) -> Iterable[bytes]:
    """Return the row keys that `apply` always reads for an event."""
    if not isinstance(event, Input):
        return ()
    tenant, account = event.tenant_id, event.account_id
    watermark = watermark_key(tenant, account)
    if isinstance(event, ev.PostingRecorded):
        return (watermark, posting_key(tenant, account, event.posting_id))
    statement = statement_key(tenant, account, event.statement_id)
    if isinstance(event, ev.StatementLine):
        return (watermark, statement, line_key(tenant, account, event.statement_id, event.line_no))
    return (watermark, statement, chain_key(tenant, account, event.currency))


class Reconciliation:
    """The rules of the stream with their settings; holds no other state."""

    keys = staticmethod(keys)

    def __init__(self, settings: ReconciliationSettings = DEFAULTS, windows: Windows = WINDOWS) -> None:
        self._settings, self._windows = settings, windows

    def apply(self, event: object, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        """Apply one event; see the module's `apply`."""
        apply(event, at, rows, out, self._settings, self._windows)
