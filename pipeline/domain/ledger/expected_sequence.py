"""Optimistic concurrency: a command may say how many postings it expects its account to have had."""

from __future__ import annotations

from pipeline.domain.ledger.books import Books


def other_sequence(books: Books, account_id: str, expected: int | None) -> int | None:
    """Return how many postings an account has had if a command expects another number; else None."""
    account = None if expected is None else books.account(account_id)
    return None if account is None or account.sequence == expected else account.sequence
