"""Types of accounts, and where account rows are; used by several concepts."""

from __future__ import annotations

ACCOUNT_TYPES = ("checking", "savings", "investment", "merchant", "nostro", "internal")
"""Rows store the index, so a new type is appended and the order never changes."""
LEDGER_ACCOUNTS = ("ledger", "a")
"""Table and row family of the ledger's accounts; views look there whether an account exists."""
