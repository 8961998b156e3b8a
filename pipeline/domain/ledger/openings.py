"""What an account was opened with, so that a repeat that opens it otherwise is told so.

Its limit may have been changed since then, and its balance moves: neither says what the opening said.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.rows import OPENING_ROW, Account


class Opening(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What account_opened said; amounts in minor units."""

    initial_balance_minor: int
    overdraft_limit_minor: int | None


unpack_opening = unpacker(OPENING_ROW, Opening)
"""Return the opening of a row. Raises UnreadableRow."""


def keep_opening(event: ev.AccountOpened, rows: Rows) -> None:
    """Remember what an account is opened with."""
    opening = Opening(event.initial_balance_minor, event.overdraft_limit_minor)
    rows.put(_key(event), OPENING_ROW.pack(opening))


def opening_code(known: Account, event: ev.AccountOpened, rows: Rows) -> str:
    """Return the answer to the opening of an account that is known: the first thing that differs.

    Of an account that an earlier version opened, balance and limit are not known, and are not compared.
    """
    row = rows.get(_key(event))
    opened = None if row is None else unpack_opening(row)
    limit, balance = event.overdraft_limit_minor, event.initial_balance_minor
    for code, differs in (
        ("exists_with_different_currency", known.currency != event.currency),
        ("exists_with_different_content", ACCOUNT_TYPES[known.account_type] != event.account_type),
        ("exists_with_different_amount", opened is not None and opened.initial_balance_minor != balance),
        ("exists_with_different_limit", opened is not None and opened.overdraft_limit_minor != limit),
    ):
        if differs:
            return code
    return "exists"


def _key(event: ev.AccountOpened) -> bytes:
    return row_key(OPENING_ROW.family, event.tenant_id, event.account_id)
