"""Links that are under way: reviewed, cancelled, answered by the branches that were asked."""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.ledger_books import Books, Payment
from pipeline.verify.model.ledger_due import take
from pipeline.verify.model.ledger_link_checks import Obstacle
from pipeline.verify.model.ledger_links import (
    PREFIX,
    Link,
    answered_at_once,
    ask_others,
    asked,
    credits_elsewhere,
    end_all,
    is_no_link,
    keep_link,
    others_payments,
    say_all,
    settle_all,
)
from pipeline.verify.model.wire import PAYMENT_EVENTS, Dead


def review_link(branch: Books, event: dict[str, Any], payment: Payment) -> None:
    link_id, link = link_of(branch, payment)
    if not event["approved"]:
        return end_all(branch, link_id, link, "PaymentRejected", Obstacle("declined"))
    if credits_elsewhere(branch, link):
        return ask_others(branch, link_id, link)
    settle_all(branch, link_id, link, held=True)


def cancel_link(branch: Books, payment: Payment) -> None:
    link_id, link = link_of(branch, payment)
    end_all(branch, link_id, link, "outcomes.PaymentCancelled", Obstacle("cancelled"))


def link_of(branch: Books, payment: Payment) -> tuple[str, Link]:
    assert payment.link is not None
    return payment.link, branch.links[branch.cause.fields["tenant_id"], payment.debtor, payment.link]


def payees_of_review(branch: Books, event: dict[str, Any]) -> list[tuple[str, str]]:
    """Return who will get money from a link that waits for this review and brings its debtor's account."""
    link = branch.links.get((*branch.key("debtor_account_id"), event.get("link_id") or ""))
    if link is None or link.state != "HELD" or link.opening is None:
        return []
    return [(ask.creditor_account_id, "CREDIT") for ask in link.asks]


def link_answered(branch: Books, event: dict[str, Any]) -> None:
    link_id = event["journal_id"][len(PREFIX) :]
    link = branch.links.get((*branch.key("home_account_id"), link_id))
    if link is None or link.state != "PREPARING" or event["branch"] not in link.waiting:
        raise Dead("legs_not_expected")
    if link.opening is not None:
        take(branch, [(ask.creditor_account_id, "CREDIT") for ask in link.asks])
    link.waiting = [number for number in link.waiting if number != event["branch"]]
    said = Obstacle(link.code, link.place)
    if event["code"] != "ok":
        link.refusing = sorted([*link.refusing, event["branch"]])
        if link.place is None or event["leg_no"] < link.place:
            said = Obstacle(event["code"], event["leg_no"])
    if link.waiting:
        return keep_link(branch, link_id, link, "PREPARING", said)
    if link.refusing:
        return end_all(branch, link_id, link, "PaymentFailed", said)
    settle_all(branch, link_id, link, held=True)


def refuses_link(branch: Books, event: dict[str, Any], code: str) -> bool:
    """Reject the payments of a link by their time, and remember nothing.

    What is too old is so, known or not; otherwise that which is known is a repeat.
    """
    if code != "too_old" and answered_at_once(branch, event):
        return True
    if is_no_link(event):
        branch.refuse("payments_linked", event["debtor_account_id"], "invalid_link", link_id=event["link_id"])
        return True
    link, link_id = asked(event), event["link_id"]
    others = {} if code == "too_old" else others_payments(branch, link_id, link)
    fresh = [ask.payment_id for place, ask in enumerate(link.asks) if place not in others]
    if branch.witness is not None:
        if not fresh:  # the answers are those of repeats whatever the settings say: it is taken as in time
            return False
        said = branch.said_code((code,), PAYMENT_EVENTS, "PaymentRejected", payment_id=fresh[0])
        if said is None:
            return False
    say_all(branch, link_id, link, "PaymentRejected", Obstacle(code), others)
    return True
