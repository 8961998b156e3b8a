"""Optimistic concurrency: a command may say how many postings it expects its account to have had."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.outbox import Outbox
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.books import Books
from pipeline.domain.ledger.rows import read_account


def other_sequence(books: Books, account_id: str, expected: int | None) -> int | None:
    """Return how many postings an account has had if a command expects another number; else None."""
    account = None if expected is None else books.account(account_id)
    return None if account is None or account.sequence == expected else account.sequence


def moved_on(event: Any, account_id: str, rows: Rows) -> int | None:
    """Return what `other_sequence` does, for a command on what is there already.

    It looks at the row: a command that books nothing must not touch the account.
    """
    expected = event.expected_sequence
    account = None if expected is None else read_account(rows, event.tenant_id, account_id)
    return None if account is None or account.sequence == expected else account.sequence


def refuse_moved_on(event: Any, command: str, rows: Rows, out: Outbox) -> bool:
    """Refuse a command on a payment that expects another state of its debtor; return whether it does."""
    debtor = event.debtor_account_id
    sequence = moved_on(event, debtor, rows)
    if sequence is None:
        return False
    refuse(out, event, command, debtor, event.payment_id, "sequence_mismatch", account_sequence=sequence)
    return True
