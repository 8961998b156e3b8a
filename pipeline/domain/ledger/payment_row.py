"""What is remembered of a payment in its row (`rows`)."""

from __future__ import annotations

import msgspec

from pipeline.domain.ledger.exchange import Exchange


class Payment(msgspec.Struct, array_like=True, gc=False):
    """A payment on the debtor's branch: what is needed to answer a repeat and to finish the payment."""

    state: str
    """HELD (waits for a review), IN_FLIGHT (for its leg), AUTHORISED (for captures: `holds`); at
    the end SETTLED, REJECTED, FAILED, CANCELLED, EXPIRED."""
    code: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    reference: str
    occurred_at: int
    payment_type: str
    """Empty in a row of layout 1, which kept neither this nor what follows."""
    hold_expires_at: int | None
    """As the payment asked for it, or NO_END; `Hold.expires_at` is what extensions have made of it."""
    metadata: dict[str, str] | None = None
    """The upstream's own labels, which its postings carry."""
    effective_at: int | None = None
    """When it counts in the books, the last part of it; None: nothing is posted, or not known (layout 1)."""
    asked_minor: int | None = None
    """What a balancing payment has asked for at most; None: for `amount_minor`, all of it or nothing."""
    creditor_currency: str | None = None
    """What it has asked to be converted to; None: to nothing else."""
    named_rate_e8: int | None = None
    """The rate that it named."""
    exchange: Exchange | None = None
    """What it was converted to; None: it was not, or it was rejected."""
    capture_tolerance_bp: int | None = None
    """Of a hold: how much more than its amount may be captured in all, basis points; None: nothing."""
    execute_at: int | None = None
    """When it was to be executed, microseconds UTC; None: at once, or not known (layouts 1 and 2)."""
    link_id: str | None = None
    """The link with whose other payments it is settled, or is not."""
    ended_at: int | None = None
    """The event time at which nothing open referred to it any more; None: something does, or not known."""
    reversing: int | None = None
    """How many of its reversals are under way; None: it was never reversed. 0 in a row of an earlier layout,
    which does not say whether it was."""

    @property
    def credit_currency(self) -> str:
        """The currency of what the creditor gets."""
        return self.currency if self.exchange is None else self.exchange.currency
