"""Entries that count before the present of their branch.

An entry is back-dated if it counts more than BACK_DATED_US before its branch's event time. The ledger has no
past: it looks at the money of now. The posting of a back-dated debit says the lowest balance that its account
may have, and the history, which has the past, warns where it lay lower.
"""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.rows import Account, read_watermark
from pipeline.domain.ledger.value_times import ValueTime

BACK_DATED_US = 300_000_000
"""Clocks of upstreams differ by less."""


def is_back_dated(counts_at: int, watermark: int | None) -> bool:
    """Whether an entry that counts at a time is back-dated; `watermark`: its branch's event time, if any."""
    return watermark is not None and watermark - counts_at > BACK_DATED_US


def lowest_balance(rows: Rows, event: Any, side: str, account: Account, when: ValueTime) -> int | None:
    """Return the lowest balance that a back-dated debit may leave, None for any other posting.

    `event`: that it is of, `when`: it counts.
    """
    if side != "DEBIT" or account.limit_minor is None:
        return None
    late = is_back_dated(when.counts_at(event.occurred_at), read_watermark(rows))
    return -account.limit_minor if late else None
