"""Holds that are open on an account: where one holds money, whether there are too many, and which are over.

They are counted where they decide what others may do: those that hold money of an account, and those that
bring money to an account with a maximum balance.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pipeline.domain.kernel.outbox import Arrival
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.account_ids import is_local
from pipeline.domain.ledger.due import CREDIT, DEBIT, Place, due_on, held_items, is_due
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.rows import read_account, read_watermark

if TYPE_CHECKING:
    from pipeline.domain.ledger.pairs import Leg


def payment_places(tenant_id: str, payment: Payment, at: Arrival) -> list[Place]:
    """Return where the hold of a payment holds money on the branch of a record."""
    creditor = payment.creditor_account_id
    here = is_local(tenant_id, creditor, at)
    return [(payment.debtor_account_id, DEBIT), *([(creditor, CREDIT)] if here else [])]


def journal_places(tenant_id: str, legs: Iterable[Leg], at: Arrival) -> list[Place]:
    """Return where the legs of a journal hold money on the branch of a record."""
    own = [(leg.account_id, leg.side) for leg in legs if is_local(tenant_id, leg.account_id, at)]
    return list(dict.fromkeys(own))


def is_crowded(rows: Rows, tenant_id: str, place: Place, holds_max: int) -> bool:
    """Whether no more holds may be open in a place."""
    if place[1] == CREDIT:
        account = read_account(rows, tenant_id, place[0])
        if account is None or account.maximum_balance_minor is None:
            return False
    return held_items(rows, tenant_id, place, holds_max) >= holds_max


def crowded_leg(rows: Rows, tenant_id: str, legs: Iterable[Leg], holds_max: int) -> int | None:
    """Return the number of the first leg for which no more holds may be open, or None."""
    for leg in legs:
        if is_crowded(rows, tenant_id, (leg.account_id, leg.side), holds_max):
            return leg.leg_no
    return None


def is_behind(rows: Rows, tenant_id: str, place: Place) -> bool:
    """Whether holds that are over still count in a place: more than one command can release."""
    watermark = read_watermark(rows)
    if watermark is None or not is_due(rows, watermark):
        return False
    return next(due_on(rows, tenant_id, place, watermark), None) is not None
