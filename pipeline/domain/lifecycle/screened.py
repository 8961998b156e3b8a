"""The beginning of a payment's life, and whether a screening has let the payment through."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.lifecycle.rows import SCREENED, UNSCREENED, Life

MOVES_MONEY = frozenset({ev.PaymentReserved, ev.PaymentSettled, ev.PaymentCapturedOutcome})
"""Events by which money is set aside or moved."""


def new_life(event: Any, to_review: bool, forgotten: Life | None) -> Life:
    """Return the life of a payment, from its first event. `forgotten`: the one of its id before, if any.

    What was screened before counts: the ledger has not answered all of it yet.
    """
    parties = event.debtor_account_id, event.creditor_account_id
    screened = UNSCREENED if forgotten is None else forgotten.screened
    return Life("", *parties, event.amount_minor, event.currency, to_review, screened=screened)


def let_through(life: Life) -> Life:
    """Note that a screening lets a payment through."""
    life.screened = SCREENED
    return life


def is_unscreened(life: Life | None, kind: type) -> bool:
    """Whether an event of a class moves money of a payment that no screening has let through."""
    return kind in MOVES_MONEY and (life is None or life.screened == UNSCREENED)
