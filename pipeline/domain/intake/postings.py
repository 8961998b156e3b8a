"""Intake of postings: what an account paid by a payment, and what a customer received by a journal.

    a debit of a payment, of the account that pays     -> fraud-commands: its creditor hears of it from there
    a credit of a journal, to a customer's account     -> fraud-commands: money that came in without a payment
    all others, and holds                              -> nowhere

What a payment credits is told by its debtor's side, which knows where the money was before; what takes
something back (`reverses`) is no payment. Other streams of the log say what is wrong with a record: nothing
is refused here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import OTHER, Block, Passed, Run, numpy_of
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.routing import INTERNAL_PREFIX
from pipeline.domain.kernel.rows import PrefetchingRows, Rows

CUSTOMERS = ("checking", "savings", "investment", "merchant")
"""Types of accounts that are customers'; the bank's own are nostro and internal."""


def is_told(event: Any) -> bool:
    """Whether the fraud decisions are told of a record of postings."""
    if type(event) is not ev.PostingRecorded or event.reverses is not None:
        return False
    if event.account_id.startswith(INTERNAL_PREFIX):
        return False
    if event.side == "DEBIT":
        return event.payment_id is not None
    return event.payment_id is None and event.journal_id is not None and event.account_type in CUSTOMERS


class PostingsIntake:
    """Passes some postings on; holds no state."""

    def __init__(self, target: str) -> None:
        self._target = target

    def apply(self, event: Any, at: Arrival, rows: Rows | None, out: Outbox) -> None:
        """Pass a posting on that the fraud decisions are told of."""
        if is_told(event):
            out.forward(self._target)

    @staticmethod
    def keys(event: Any) -> Iterable[bytes]:
        """Return nothing: intake keeps no rows."""
        return ()


class PostingsBatch:
    """The same for runs of postings and holds: each of them goes through it."""

    classes = (ev.PostingRecorded, ev.HoldRecorded)
    fields: ClassVar[dict[str, pa.DataType]] = dict.fromkeys(
        ("payment_id", "journal_id", "reverses", "account_id", "account_type", "side"), pa.string()
    )

    def __init__(self, target: str) -> None:
        self._target = target

    def apply(self, run: Run, rows: PrefetchingRows | None) -> tuple[int, list[Block | Passed]]:
        """Pass on what is told, up to the first record of another class; return how many were looked at."""
        length = int(np.argmax(np.append(run.kinds == OTHER, True)))
        columns = run.slice(0, length).columns
        paid, booked = (pc.is_valid(columns[name]) for name in ("payment_id", "journal_id"))
        received = pc.and_(pc.and_not(booked, paid), pc.is_in(columns["account_type"], pa.array(CUSTOMERS)))
        is_debit = pc.fill_null(pc.equal(columns["side"], "DEBIT"), False)
        told = pc.if_else(is_debit, paid, pc.and_(received, pc.is_valid(columns["side"])))
        told = pc.and_(told, pc.is_null(columns["reverses"]))
        told = pc.and_not(told, pc.starts_with(columns["account_id"], INTERNAL_PREFIX))
        places = np.flatnonzero(numpy_of(told, False))
        return length, [Passed(self._target, places, places)] if len(places) else []
