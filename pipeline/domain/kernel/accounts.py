"""The types of accounts, in the order in which rows number them."""

from __future__ import annotations

ACCOUNT_TYPES = ("checking", "savings", "investment", "merchant", "nostro", "internal")
"""A row holds the index; a new type is appended, and none ever moves."""
LEDGER_ACCOUNTS = ("ledger", "a")
"""Table and row family of the ledger's accounts: where any view may ask whether an account exists."""
