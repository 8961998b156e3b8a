"""What lets a held payment go on, or stops it: a review by one person, or one that two have approved."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import INT64_MAX
from pipeline.domain.lifecycle.rows import Life
from pipeline.domain.tenants.settings import Tenants


def review_of(life: Life | None, kind: type, event: Any, tenants: Tenants) -> bool | None:
    """Return whether an event approves a payment that is held, or declines it; None if it does neither.

    The ledger refuses all reviews but the first one, and those of payments that need none. An approval that
    needs two people does nothing until the ledger says that a second one has approved it.
    """
    if life is None or not life.to_review:
        return None
    if kind is ev.ProposalDecided:
        decides = event.command == "payment_reviewed" and event.outcome == "APPROVED"
        return True if decides and life.debtor_account_id == event.account_id else None
    if life.debtor_account_id != event.debtor_account_id:
        return None
    approved: bool = event.approved
    amount = life.amount_minor if life.link_id is None else INT64_MAX  # all of its link is let go
    names = event.tenant_id, life.currency, amount
    return None if approved and tenants.review_needs_two(*names) else approved
