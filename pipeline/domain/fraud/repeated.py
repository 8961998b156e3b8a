"""Payments that are not judged: repeats, and those that the ledger surely refuses."""

from __future__ import annotations

from functools import lru_cache

from pipeline.domain.fraud.decisions import Decision
from pipeline.domain.fraud.features.amounts import NUMBER
from pipeline.domain.fraud.features.ids import id64
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel.events import PaymentInitiated

UNSCORED = Verdict("APPROVE", 0, (), "")
"""Of payments that the ledger surely refuses."""


@lru_cache(65_536)
def debtor_hash(account_id: str) -> int:
    """Return a hash of a debtor: what rows of decisions have of it."""
    return id64(account_id)


def content_of(event: PaymentInitiated) -> int:
    """Return a hash of debtor, creditor, amount and currency: what an approval is bound to."""
    parts = event.debtor_account_id, event.creditor_account_id, str(event.amount_minor), event.currency
    return id64("\0".join(parts))


def is_refused_by_ledger(event: PaymentInitiated) -> bool:
    """Whether the ledger surely refuses the amount, the currency or the accounts: no score is needed."""
    debtor, creditor = event.debtor_account_id, event.creditor_account_id
    internal = debtor[0] == "$" or creditor[0] == "$"
    return event.amount_minor <= 0 or debtor == creditor or internal or event.currency not in NUMBER


def repeated(earlier: Decision, content: int, review_score_min: int) -> Verdict:
    """Return the verdict on a repeated payment id; `content`: hash of `content_of`.

    The ledger refuses other content under an id that it knows. It may not know the id (the first payment was
    `too_old` there). Then the approval of the first content must not approve the second one: it is reviewed.
    """
    verdict = earlier.verdict
    if verdict.outcome != "APPROVE" or earlier.content == content:
        return verdict
    reason = ("payment_id_reused", f"this id came before with other content, scored {verdict.score}")
    return Verdict(
        "REVIEW", max(verdict.score, review_score_min), (*verdict.reasons, reason), verdict.version
    )
