"""The row of a link on the debtor's branch: its payments, and how far they are (`link_home`).

The payments have rows of their own, too (`rows.Payment`), which name the link: each can be repeated and
reversed by itself. The link's row has what a repeat of the link is compared with.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.rows import LINK_ROW, ended

LEGS_OF = "link/"
"""Begins the `journal_id` of a link's legs on other branches; no journal's id has a slash."""
HELD, PREPARING = "HELD", "PREPARING"
"""States of a link that has not ended; at the end it is as its payments are: SETTLED, REJECTED, FAILED or
CANCELLED."""
OPEN_STATES = (HELD, PREPARING)


class LinkedPayment(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a link asks for in one of its payments; amounts in minor units."""

    payment_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    payment_type: str
    reference: str

    @property
    def credit_currency(self) -> str:
        """The currency of what the creditor gets: a link converts nothing."""
        return self.currency


class LinkOpening(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The account that is opened together with its first payments; amounts in minor units."""

    account_type: str
    currency: str
    initial_balance_minor: int
    overdraft_limit_minor: int | None


class Link(msgspec.Struct, array_like=True, gc=False):
    """A link as the debtor's branch stores it."""

    debtor_account_id: str
    state: str
    code: str
    index: int | None
    """The payment that is the reason for a refusal, by its place; None: all of them are."""
    payments: list[LinkedPayment]
    opening: LinkOpening | None
    metadata: dict[str, str] | None
    occurred_at: int
    waiting: list[int]
    """Branches that have not answered yet, ascending."""
    refused: list[int]
    """Branches that have refused their legs, ascending."""
    ended_at: int | None = None
    """The event time at which it has ended; None: it has not, or not known (layout 1)."""


unpack_link = unpacker(LINK_ROW, Link)
"""Return the link of a row. Raises UnreadableRow."""


def link_key(tenant_id: str, debtor_account_id: str, link_id: str) -> bytes:
    """Return the row key of a link."""
    return row_key(LINK_ROW.family, tenant_id, debtor_account_id, link_id)


def read_link(rows: Rows, tenant_id: str, debtor_account_id: str, link_id: str) -> Link | None:
    """Return a link by its debtor and its id, or None where that account has none."""
    row = rows.get(link_key(tenant_id, debtor_account_id, link_id))
    return None if row is None else unpack_link(row)


def write_link(rows: Rows, tenant_id: str, link_id: str, link: Link) -> None:
    """Replace the row of a link; note when it has ended."""
    key = link_key(tenant_id, link.debtor_account_id, link_id)
    if link.state not in OPEN_STATES and link.ended_at is None:
        link.ended_at = ended(rows, key)
    rows.put(key, LINK_ROW.pack(link))


def link_of(event: ev.PaymentsLinkDecided) -> Link:
    """Return the row of a link that has just been decided."""
    asked, opening = event.open_account, None
    if asked is not None:
        opening = LinkOpening(
            asked.account_type, asked.currency, asked.initial_balance_minor, asked.overdraft_limit_minor
        )
    payments = [
        LinkedPayment(
            one.payment_id,
            one.creditor_account_id,
            one.amount_minor,
            one.currency,
            one.payment_type,
            one.reference,
        )
        for one in event.payments
    ]
    return Link(
        event.debtor_account_id, "", "ok", None, payments, opening, event.metadata, event.occurred_at, [], []
    )


def payment_of(link: Link, payment: LinkedPayment, link_id: str, state: str, code: str) -> Payment:
    """Return the row of one payment of a link."""
    return Payment(
        state,
        code,
        link.debtor_account_id,
        payment.creditor_account_id,
        payment.amount_minor,
        payment.currency,
        payment.reference,
        link.occurred_at,
        payment.payment_type,
        None,
        link.metadata,
        link_id=link_id,
    )


def opening_event(
    event: ev.PaymentsLinkDecided | ev.JournalLegsAnswered | ev.PaymentReviewed, link: Link
) -> ev.AccountOpened:
    """Return the opening of a link's account as if it had come by itself; the link must have one."""
    assert link.opening is not None
    return ev.AccountOpened(
        event.event_id,
        event.tenant_id,
        event.occurred_at,
        event.correlation_id,
        event.causation_id,
        link.debtor_account_id,
        "",  # no rule looks at the customer
        link.opening.account_type,
        link.opening.currency,
        link.opening.initial_balance_minor,
        overdraft_limit_minor=link.opening.overdraft_limit_minor,
        actor=event.actor,
        metadata=link.metadata,
    )
