"""What is over is deleted: matched lines with their postings and claims, sound statements, resolved breaks.

A row is over when the account's event time is past both windows since it has ended. It counts as absent then,
whether it is deleted yet or not. What is still open (an item without a counterpart, a statement with a break
or not closed yet, an open break) has not ended, however old it is.
"""

from __future__ import annotations

from pipeline.domain.reconciliation.item_rows import BREAK_ROW, Break
from pipeline.domain.reconciliation.results import Scope
from pipeline.domain.reconciliation.rows import (
    STATEMENT_ROW,
    BankLine,
    Claim,
    Posting,
    Statement,
    claim_key,
    posting_key,
)


def sweep(scope: Scope) -> None:
    """Delete those rows whose windows are over, of the keys that have come up."""
    keys, scope.rows.to_sweep = scope.rows.to_sweep, []
    for key in keys:
        family = chr(key[0])
        if family == BREAK_ROW.family:
            opened = scope.rows.get(key, Break)
            if opened is not None and opened.resolution is not None:
                scope.rows.put(key, None)
        elif family == STATEMENT_ROW.family:
            statement = scope.rows.get(key, Statement)
            if statement is not None and scope.rows.is_over(statement.ended_at, scope.watermark):
                scope.rows.put(key, None)
        else:
            _sweep_match(scope, key)


def _sweep_match(scope: Scope, key: bytes) -> None:
    """Delete a line, the posting that it has claimed, and what is remembered of its reference."""
    rows = scope.rows
    line = rows.item(key, BankLine)
    if line is None or not rows.is_over(line.ended_at, scope.watermark):
        return
    rows.remove(key)
    of_posting = posting_key(line.tenant_id, line.account_id, line.posting_id)
    posting = rows.item(of_posting, Posting)
    if posting is not None and rows.is_over(posting.ended_at, scope.watermark):
        rows.remove(of_posting)
    if line.reference:
        claim = rows.get(claim_key(line), Claim)
        if claim is not None and rows.is_over(claim.ended_at, scope.watermark):
            rows.put(claim_key(line), None)
