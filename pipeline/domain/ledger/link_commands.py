"""Commands on links: which of them have an effect, and the link that each is about (`link_home`)."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.links import is_no_link
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.due import CREDIT, Place, Take
from pipeline.domain.ledger.link_home import COMMAND, HomeLink
from pipeline.domain.ledger.links import LEGS_OF, PREPARING, Link, link_of, read_link
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.repeats import link_code
from pipeline.domain.tenants.settings import UNRESTRICTED, Tenants


def answer_known(event: ev.PaymentsLinkDecided, rows: Rows, out: Outbox) -> bool:
    """Refuse what can be no link, and a link whose id is known; return whether it is one of these."""
    debtor = event.debtor_account_id
    code = "invalid_link" if is_no_link(event.payments) else None
    if code is None:
        known = read_link(rows, event.tenant_id, debtor, event.link_id)
        code = None if known is None else link_code(known, link_of(event))
    if code is None:
        return False
    refuse(out, event, COMMAND, debtor, None, code, link_id=event.link_id)
    return True


def home_of(
    event: ev.PaymentsLinkDecided, at: Arrival, rows: Rows, out: Outbox, tenants: Tenants
) -> HomeLink:
    """Return a link that is new."""
    return HomeLink(event, event.link_id, link_of(event), at, rows, out, tenants)


def reject_not_yet(event: ev.PaymentsLinkDecided, code: str, rows: Rows, out: Outbox) -> None:
    """Reject all payments of a link that are not known, and remember nothing of it."""
    home = _nowhere(event, rows, out)
    home.say_rejected(code, home.known())


def reject_too_old(event: ev.PaymentsLinkDecided, rows: Rows, out: Outbox) -> None:
    """Reject all payments of a link, known or not, and remember nothing of it; refuse what is no link."""
    if is_no_link(event.payments):
        about = (event.debtor_account_id, None, "invalid_link")
        return refuse(out, event, COMMAND, *about, link_id=event.link_id)
    _nowhere(event, rows, out).say_rejected("too_old")


def _nowhere(event: ev.PaymentsLinkDecided, rows: Rows, out: Outbox) -> HomeLink:
    """Return a link of which something is only said: that depends on no branch."""
    return home_of(event, Arrival(event.occurred_at, 0, 1), rows, out, UNRESTRICTED)


def held_link(
    event: Any, payment: Payment, at: Arrival, rows: Rows, out: Outbox, tenants: Tenants
) -> HomeLink:
    """Return the link of a payment that is held, for a command that names both."""
    assert payment.link_id is not None
    link = read_link(rows, event.tenant_id, payment.debtor_account_id, payment.link_id)
    assert link is not None, "its payment is held"
    return HomeLink(event, payment.link_id, link, at, rows, out, tenants)


def places_of(link: Link) -> list[Place]:
    """Return who gets money from a link that opens its debtor's account: they are asked at its end."""
    return [] if link.opening is None else [(one.creditor_account_id, CREDIT) for one in link.payments]


def legs_answered(
    take: Take, tenants: Tenants, event: ev.JournalLegsAnswered, at: Arrival, rows: Rows, out: Outbox
) -> None:
    """Apply the answer of a branch to a request of a link's legs.

    `take`: applies what is due on accounts.
    Raises: Reject for an answer that no link waits for.
    """
    link_id = event.journal_id.removeprefix(LEGS_OF)
    link = read_link(rows, event.tenant_id, event.home_account_id, link_id)
    if link is None or link.state != PREPARING or event.branch not in link.waiting:
        raise Reject("legs_not_expected")
    take(places_of(link), event, at, rows, out)
    HomeLink(event, link_id, link, at, rows, out, tenants).answered(event)
