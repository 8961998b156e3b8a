"""The accounts after each accepted command of a run, as running sums.

A touch is one command's change of one account: each accepted command makes two, one on its debit account and
one on its credit account.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.domain.ledger.batch.decide import NONE, PENDING, POSTED, DecidedRun
from pipeline.domain.ledger.batch.facts import Facts


class Touches(NamedTuple):
    """The accounts after each touch: 2i is the debit side of accepted command i, 2i + 1 its credit side."""

    commands: np.ndarray
    """The positions of the accepted commands in the run."""
    account: np.ndarray
    """Number of the account; one element for each touch, as the next three arrays."""
    balance_after: np.ndarray
    """Minor units."""
    sequence_after: np.ndarray
    held_after: np.ndarray
    """Debits pending, minor units."""
    last: np.ndarray
    """The index of the last touch of each account, ascending."""


def touch(facts: Facts, decision: DecidedRun) -> Touches:
    """Sum up the accepted commands by account, in order; store the final counters in `facts.accounts`."""
    commands = np.flatnonzero(decision.mode != NONE)
    mode, amount = decision.mode[commands], facts.amount[commands]
    account = _both(decision.debit[commands], decision.credit[commands])
    order = np.argsort(account, kind="stable")
    ordered = account[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    ends = np.append(starts, len(ordered))[1:] - 1
    segment = np.repeat(np.arange(len(starts)), ends + 1 - starts)
    last = np.sort(order[ends])
    table = facts.accounts.table
    pending, posted, none = PENDING[mode] * amount, POSTED[mode] * amount, np.zeros_like(amount)
    after = {}
    for name, debits, credits in (
        ("debits_pending", pending, none),
        ("debits_posted", posted, none),
        ("credits_pending", none, pending),
        ("credits_posted", none, posted),
        ("sequence", POSTED[mode], POSTED[mode]),
    ):
        change = _both(debits, credits)[order]
        total = np.cumsum(change)
        before = table[name][ordered[starts]] - (total[starts] - change[starts])
        after[name] = np.empty_like(total)
        after[name][order] = total + before[segment]
    for name, value in after.items():
        table[name][account[last]] = value[last]
    balance = after["credits_posted"] - after["debits_posted"]
    return Touches(commands, account, balance, after["sequence"], after["debits_pending"], last)


def _both(debits: np.ndarray, credits: np.ndarray) -> np.ndarray:
    return np.column_stack((debits, credits)).ravel()
