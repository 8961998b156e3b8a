"""Matching of statement lines and postings: search for a counterpart, the match, and due items.

The docstring of `stream` states the rules. All work is bounded: an index scan reads at most CANDIDATES_MAX
items, a search by date makes two scans for each day of distance, an event handles at most DUE_MAX due items.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.account_rows import AccountRows
from pipeline.domain.reconciliation.results import (
    Scope,
    Subject,
    emit_match,
    line_subject,
    open_break,
    posting_subject,
    resolve_break,
)
from pipeline.domain.reconciliation.rows import (
    AMOUNT,
    CANDIDATES_MAX,
    CLAIMED,
    DUPLICATE,
    MISSING,
    OPEN,
    BankLine,
    Claim,
    Posting,
    claim_key,
    key_of,
    line_key,
    posting_key,
)
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.sortable import amount_prefixes

REFERENCE, AMOUNT_DATE = "REFERENCE", "AMOUNT_DATE"

DUE_MAX = 100
"""The most due items that one event handles; the account's next event handles more."""

_Item = TypeVar("_Item", Posting, BankLine)


def open_account(
    rows: PrefetchingRows,
    tenant_id: str,
    account_id: str,
    settings: ReconciliationSettings,
    windows: Windows,
    events: int = 1,
) -> AccountRows:
    """Return the rows of an account; `events` is how many will be applied to it."""
    digits = len(amount_prefixes(0, settings.amount_tolerance_minor)[0])
    keep_us = windows.both_days * MICROSECONDS_PER_DAY
    return AccountRows(rows, tenant_id, account_id, digits, keep_us, events)


def arrive_posting(scope: Scope, posting: Posting) -> None:
    """Match a posting that has just arrived, or let it wait."""
    if scope.rows.may_be_named("e", posting.currency, posting.references):
        line = _named(scope, "e", BankLine, posting, posting.references)
        if line is not None:
            return _claim(scope, line, posting, REFERENCE)
        line = _named_with_other_amount(scope, "e", BankLine, posting, posting.references)
        if line is not None:
            return _break_amount(scope, line, posting)
    line = _nearest(scope, "u", BankLine, posting)
    if line is not None:
        return _claim(scope, line, posting, AMOUNT_DATE)
    scope.rows.write(posting)


def arrive_line(scope: Scope, line: BankLine) -> None:
    """Match a line that has just arrived, or let it wait."""
    if not line.reference:
        posting = _nearest(scope, "a", Posting, line)
        if posting is not None:
            return _claim(scope, line, posting, AMOUNT_DATE)
        return scope.rows.write(line)
    posting = _named(scope, "r", Posting, line, (line.reference,))
    if posting is not None:
        return _claim(scope, line, posting, REFERENCE)
    claim = _claim_repeated_by(scope, line)
    if claim is not None and claim.tier == REFERENCE:
        return _break_line(scope, line, DUPLICATE)
    posting = _named_with_other_amount(scope, "r", Posting, line, (line.reference,))
    if posting is not None:
        return _break_amount(scope, line, posting)
    scope.rows.write(line)


def settle_due(scope: Scope) -> None:
    """Handle the items whose grace period is over: match by amount and date, or open a break."""
    account_rows = scope.rows
    for key in account_rows.due(scope.watermark, DUE_MAX):
        # An item handled just now may have been matched with this one.
        if key.startswith(b"l"):
            line = account_rows.item(key, BankLine)
            if line is not None and line.status == OPEN:
                _line_due(scope, line)
        else:
            posting = account_rows.item(key, Posting)
            if posting is not None and posting.status == OPEN:
                _posting_due(scope, posting)


def _line_due(scope: Scope, line: BankLine) -> None:
    posting = _nearest(scope, "a", Posting, line)
    if posting is not None:
        return _claim(scope, line, posting, AMOUNT_DATE)
    repeats = line.reference and _claim_repeated_by(scope, line) is not None
    _break_line(scope, line, DUPLICATE if repeats else MISSING, ripe=True)


def _posting_due(scope: Scope, posting: Posting) -> None:
    line = _nearest(scope, "u", BankLine, posting)
    if line is not None:
        return _claim(scope, line, posting, AMOUNT_DATE)
    detail = "no statement line within the grace period"
    subject = posting_subject(posting)
    break_id = open_break(scope, "MISSING_EXTERNAL", subject, posting.amount_minor, detail)
    after = msgspec.structs.replace(posting, status=MISSING, break_id=break_id, breaks=posting.breaks + 1)
    scope.rows.write(after)


def _agree(scope: Scope, left: Posting | BankLine, right: Posting | BankLine) -> bool:
    same_sign = (left.amount_minor < 0) == (right.amount_minor < 0)
    return same_sign and abs(left.amount_minor - right.amount_minor) <= scope.settings.amount_tolerance_minor


def _named(
    scope: Scope, family: str, content: type[_Item], item: Posting | BankLine, references: tuple[str, ...]
) -> _Item | None:
    """Return the best open counterpart under the item's references whose amount agrees."""
    amounts = amount_prefixes(item.amount_minor, scope.settings.amount_tolerance_minor)
    found = scope.rows.named(family, content, item.currency, references, amounts)
    fitting = [other for other in found if _agree(scope, other, item)]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    return min(
        fitting,
        key=lambda other: (
            abs(other.amount_minor - item.amount_minor),
            abs(other.day - item.day),
            other.order,
        ),
    )


def _named_with_other_amount(
    scope: Scope, family: str, content: type[_Item], item: Posting | BankLine, references: tuple[str, ...]
) -> _Item | None:
    """Return the nearest open counterpart under the item's references that has no AMOUNT break."""
    found = scope.rows.named(family, content, item.currency, references)
    free = [other for other in found if other.status in (OPEN, MISSING)]
    return min(free, key=lambda other: (abs(other.day - item.day), other.order), default=None)


def _nearest(scope: Scope, family: str, content: type[_Item], item: Posting | BankLine) -> _Item | None:
    """Return the open counterpart of the nearest day in the window whose amount agrees."""
    tolerance = scope.settings.amount_tolerance_minor
    # Without a tolerance all items of a search have the same amount, and the first is the lowest in order.
    limit = CANDIDATES_MAX if tolerance else 1
    amounts = amount_prefixes(item.amount_minor, tolerance)
    if not scope.rows.may_be_dated(family, item.currency, amounts):
        return None
    for distance in range(scope.settings.date_window_days + 1):
        fitting = []
        for day in {item.day - distance: None, item.day + distance: None}:
            for amount in amounts:
                found = scope.rows.dated(family, content, item.currency, day, amount, limit)
                fitting += [other for other in found if _agree(scope, other, item)]
        if fitting:
            return min(fitting, key=lambda other: other.order)
    return None


def _claim_repeated_by(scope: Scope, line: BankLine) -> Claim | None:
    """Return the claim of a matched line with the same reference and amount, which this line repeats."""
    claim = scope.rows.get(claim_key(line), Claim)
    if claim is None or scope.rows.is_over(claim.ended_at, scope.watermark):
        return None
    # A free-text reference may be used again next week; one of our ids may not.
    near = abs(claim.day - line.day) <= scope.settings.date_window_days
    return claim if claim.by_id or near else None


def _claim(scope: Scope, line: BankLine, posting: Posting, tier: str) -> None:
    """Match a line and a posting."""
    emit_match(scope, line, posting, tier)
    claimed = {"status": CLAIMED, "break_id": "", "ended_at": scope.watermark}
    scope.rows.write(msgspec.structs.replace(line, posting_id=posting.posting_id, **claimed))
    scope.rows.write(msgspec.structs.replace(posting, **claimed))
    scope.rows.end(scope.watermark, key_of(line))
    if line.reference:
        claim = Claim(line.day, tier, line.reference in posting.ids, scope.watermark)
        scope.rows.put(claim_key(line), claim)
    for item in (line, posting):
        if item.break_id:
            _resolve_by_match(scope, item.break_id)


def _resolve_by_match(scope: Scope, break_id: str) -> None:
    """Resolve the break of an item that was matched; the other side of an AMOUNT break waits again."""
    closed = resolve_break(scope, break_id, "matched")
    if closed.type != AMOUNT:
        return
    assert closed.statement_id is not None and closed.line_no is not None and closed.posting_id is not None
    account = (scope.cause.tenant_id, scope.cause.account_id)
    line = scope.rows.item(line_key(*account, closed.statement_id, closed.line_no), BankLine)
    posting = scope.rows.item(posting_key(*account, closed.posting_id), Posting)
    for item in (line, posting):
        if item is not None and item.break_id == break_id:
            scope.rows.write(msgspec.structs.replace(item, status=OPEN, break_id=""))


def _break_line(scope: Scope, line: BankLine, status: str, *, ripe: bool = False) -> None:
    """Open a DUPLICATE or MISSING_INTERNAL break on a line."""
    if status == DUPLICATE:
        kind, detail = DUPLICATE, "repeats the reference and amount of a line already matched"
    else:
        kind, detail = "MISSING_INTERNAL", "no posting within the grace period"
    break_id = open_break(scope, kind, line_subject(line), line.amount_minor, detail)
    after = msgspec.structs.replace(
        line, status=status, break_id=break_id, breaks=line.breaks + 1, ripe=line.ripe or ripe
    )
    scope.rows.write(after)


def _break_amount(scope: Scope, line: BankLine, posting: Posting) -> None:
    """Open an AMOUNT break on a line and a posting; MISSING breaks of either are resolved."""
    for item in (line, posting):
        if item.break_id:
            resolution = "posting_arrived" if item is line else "line_arrived"
            resolve_break(scope, item.break_id, resolution)
    subject = Subject(
        f"line/{line.statement_id}/{line.line_no}/posting/{posting.posting_id}",
        line.currency,
        line.statement_id,
        line.line_no,
        posting.posting_id,
    )
    detail = f"the statement says {line.amount_minor}, the books say {posting.amount_minor}"
    break_id = open_break(scope, AMOUNT, subject, line.amount_minor - posting.amount_minor, detail)
    for item in (line, posting):
        after = msgspec.structs.replace(item, status=AMOUNT, break_id=break_id)
        scope.rows.write(after)
