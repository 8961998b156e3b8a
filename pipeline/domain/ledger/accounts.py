"""Commands on accounts: open, close, reopen; and the closing of a period. See also `limits` and `freezes`.

A frozen side accepts nothing new, but amounts already held can still be settled. A closed period
applies on every branch: an entry whose time is in it gets the first microsecond after it as its effective
time (`Books.enter`).
"""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.currencies import flaw_of
from pipeline.domain.kernel.money import Overflow, fits
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import record_key
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.account_ids import can_be_opened, opening_account_id
from pipeline.domain.ledger.books import Books, EntryDetails, save_account
from pipeline.domain.ledger.due import Take, both_sides
from pipeline.domain.ledger.open_holds import is_behind
from pipeline.domain.ledger.openings import keep_opening, opening_code
from pipeline.domain.ledger.rows import (
    CLOSED,
    OPEN,
    Account,
    closed_key,
    read_account,
    read_number,
    read_watermark,
    write_number,
)
from pipeline.domain.tenants.settings import UNRESTRICTED, Tenants, account_refusal


def open_account(
    event: ev.AccountOpened, at: Arrival, rows: Rows, out: Outbox, tenants: Tenants = UNRESTRICTED
) -> None:
    """Open an account, with an entry for its initial balance.

    Raises: Reject for an id, a currency, a limit or a balance that no account can have.
    """
    check_opening(event)
    known = read_account(rows, event.tenant_id, event.account_id)
    code = refusal_of_opening(event, tenants) if known is None else opening_code(known, event, rows)
    if code is not None:
        return refuse(out, event, "account_opened", event.account_id, None, code)
    books = Books(event, at, rows)
    enter_opening(event, books, out)
    keep_opening(event, rows)
    books.save(out)


def check_opening(event: ev.AccountOpened) -> None:
    """Check what no account can have, whoever opens it.

    Raises: Reject for an id, a currency or a limit.
    """
    if not can_be_opened(event.account_id):
        raise Reject("invalid_account_id")
    flaw = flaw_of(event.currency)
    if flaw is not None:
        raise Reject("invalid_currency", flaw)
    limit = event.overdraft_limit_minor
    if limit is not None and limit < 0:
        raise Reject("invalid_limit")


def refusal_of_opening(event: ev.AccountOpened, tenants: Tenants) -> str | None:
    """Return why an account that is not known may not be opened, or None.

    Raises: Reject for a balance that no account can have.
    """
    refused = account_refusal(tenants, event.tenant_id, event.currency)
    if refused is not None:
        return refused
    limit, amount = event.overdraft_limit_minor, event.initial_balance_minor
    if not fits(-amount):
        raise Reject("overflow")
    return "insufficient_funds" if limit is not None and amount < -limit else None


def enter_opening(event: ev.AccountOpened, books: Books, out: Outbox) -> None:
    """Add a new account to the books, with an entry for its initial balance.

    Raises: Reject for a balance that does not fit.
    """
    kind, amount = ACCOUNT_TYPES.index(event.account_type), event.initial_balance_minor
    account = Account(kind, event.currency, OPEN, event.overdraft_limit_minor)
    books.add_account(event.account_id, account)
    if amount == 0:
        return
    opening = opening_account_id(event.currency, books.branch)
    books.open_internal(opening, event.currency)
    debit, credit = (opening, event.account_id) if amount > 0 else (event.account_id, opening)
    try:
        about = EntryDetails(when=books.value_time(), metadata=event.metadata)
        books.enter(out, "opening", debit, credit, abs(amount), about)
    except Overflow:
        raise Reject("overflow") from None


def close_account(take: Take, event: ev.AccountClosed, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Close an account without a balance and without holds.

    `take`: applies what is due on accounts.
    Raises: Reject for an account of the ledger's own.
    """
    account = account_after_due(take, event, "account_closed", at, rows, out, incoming=True)
    if account is None:
        return
    if account.balance_minor or account.debits_pending or account.credits_pending:
        behind = any(is_behind(rows, event.tenant_id, place) for place in both_sides(event.account_id))
        code = "too_many_holds" if behind else "account_not_empty"
        return refuse(out, event, "account_closed", event.account_id, None, code)
    account.status = CLOSED
    save_account(rows, out, event, event.account_id, account)


def reopen_account(take: Take, event: ev.AccountReopened, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Open a closed account again; its limits and frozen sides are as they were.

    `take`: applies what is due on accounts: a journal that was due while it was closed is refused.
    Raises: Reject for an account of the ledger's own.
    """
    if not can_be_opened(event.account_id):
        raise Reject("invalid_account_id")
    take(both_sides(event.account_id), event, at, rows, out)
    account = read_account(rows, event.tenant_id, event.account_id)
    if account is None or account.status != CLOSED:
        code = "account_not_found" if account is None else "account_not_closed"
        return refuse(out, event, "account_reopened", event.account_id, None, code)
    account.status = OPEN
    save_account(rows, out, event, event.account_id, account)


def present(event: Any, at: Arrival, rows: Rows) -> int:
    """Return the event time at which a command finds its branch, microseconds UTC."""
    watermark = read_watermark(rows)
    seen: int = min(event.occurred_at, at.recorded_at)
    return seen if watermark is None else max(seen, watermark)


def _account_to_change(event: Any, command: str, rows: Rows, out: Outbox) -> Account | None:
    """Return an account that a command may change; otherwise refuse the command."""
    account = read_account(rows, event.tenant_id, event.account_id)
    sequence = None
    if account is None:
        code = "account_not_found"
    elif account.status == CLOSED:
        code = "account_closed"
    elif event.expected_sequence not in (None, account.sequence):
        code, sequence = "sequence_mismatch", account.sequence
    else:
        return account
    refuse(out, event, command, event.account_id, None, code, account_sequence=sequence)
    return None


def account_after_due(
    take: Take, event: Any, command: str, at: Arrival, rows: Rows, out: Outbox, *, incoming: bool = False
) -> Account | None:
    """Return the account that a command may change, once all that is due on it is applied, or refuse it.

    `take`, `incoming`: as in `falling_due.take`. Raises: Reject for an account of the ledger's own.
    """
    if not can_be_opened(event.account_id):
        raise Reject("invalid_account_id")
    take(both_sides(event.account_id), event, at, rows, out, incoming=incoming)
    return _account_to_change(event, command, rows, out)


def close_period(event: ev.PeriodClosed, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Close a tenant's books up to a time, on this branch.

    Every branch gets the command; only the branch of its key answers one that is refused.
    """
    key = closed_key(event.tenant_id)
    known = read_number(rows, key)
    if known is None or event.closed_through > known:
        write_number(rows, key, event.closed_through)
    elif partition_of(record_key(event), at.partitions) == at.partition:
        refuse(out, event, "period_closed", event.period_id, None, "exists")
