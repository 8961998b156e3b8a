"""Linked payments: several of one debtor, settled together or not at all, perhaps with the debtor's account.

    payments_link_decided -> refused, or held for a review, or settled here, or the other branches are asked
    payment_reviewed, payment_cancelled (of a link) -> all of it goes on, or ends
    journal_legs_answered (`link/...`) -> after the last answer all are settled, or all fail

What never changes: the payments of a link end in one command, all in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.verify.model.ledger_books import Books, Payment
from pipeline.verify.model.ledger_due import advance
from pipeline.verify.model.ledger_endings import has_ended
from pipeline.verify.model.ledger_link_checks import Obstacle, first_obstacle, open_debtor
from pipeline.verify.model.ledger_repeats import answer
from pipeline.verify.model.wire import COMMANDS, PAYMENT_EVENTS, row_key

MOST = 100
"""Payments of a link."""
PREFIX = "link/"
"""What the journal id of a link's legs begins with."""


class Ask(NamedTuple):
    """One payment as its link asks for it, in the order of the row."""

    payment_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    payment_type: str
    reference: str


@dataclass
class Link:
    """A link at home: HELD, PREPARING; at the end SETTLED, REJECTED, FAILED or CANCELLED."""

    debtor: str
    state: str
    code: str
    place: int | None
    asks: list[Ask]
    opening: list[Any] | None
    """Type, currency, initial balance and limit of the account that comes with it."""
    metadata: dict[str, str] | None
    occurred_at: int
    waiting: list[int] = field(default_factory=list)
    refusing: list[int] = field(default_factory=list)
    ended_at: int | None = None

    @property
    def compared(self) -> dict[str, Any]:
        """What a repeat has to have in common with it."""
        return {"opening": self.opening, "payments": self.asks, "metadata": self.metadata}

    def payment(self, link_id: str, ask: Ask) -> Payment:
        """Return one of its payments, as yet without a fate."""
        what = (self.debtor, ask.creditor_account_id, ask.amount_minor, ask.currency, ask.reference)
        payment = Payment("", "", *what, self.occurred_at, ask.payment_type, None, self.metadata)
        payment.link = link_id
        return payment


def asked(event: dict[str, Any]) -> Link:
    asks = [Ask(*[one[name] for name in Ask._fields]) for one in event["payments"]]
    opening = event["open_account"]
    if opening is not None:
        names = ("account_type", "currency", "initial_balance_minor", "overdraft_limit_minor")
        opening = [opening[name] for name in names]
    debtor = event["debtor_account_id"]
    return Link(debtor, "", "ok", None, asks, opening, event["metadata"], event["occurred_at"])


def is_no_link(event: dict[str, Any]) -> bool:
    ids = [one["payment_id"] for one in event["payments"]]
    return not 0 < len(ids) <= MOST or len(set(ids)) != len(ids)


def answered_at_once(branch: Books, event: dict[str, Any]) -> bool:
    """Refuse what is no link, and one that is known; return whether it is."""
    known = branch.links.get((*branch.key("debtor_account_id"), event["link_id"]))
    if is_no_link(event):
        code = "invalid_link"
    elif known is not None:
        code = answer(known.compared, asked(event).compared)
    else:
        return False
    branch.refuse("payments_linked", event["debtor_account_id"], code, link_id=event["link_id"])
    return True


def decide_link(branch: Books, event: dict[str, Any]) -> None:
    if answered_at_once(branch, event):
        return
    link, link_id = asked(event), event["link_id"]
    payees = [(ask.creditor_account_id, "CREDIT") for ask in link.asks]
    advance(branch, [(link.debtor, "DEBIT"), *payees])
    others = others_payments(branch, link_id, link)
    if others:
        place = min(others)
        obstacle: Obstacle | None = Obstacle(others[place], place)
    else:
        obstacle = first_obstacle(
            branch, link, "PaymentRejected", [one["outcome"] for one in event["payments"]]
        )
    if obstacle is not None:
        finish(branch, link_id, link, "REJECTED", obstacle, others)
        return say_all(branch, link_id, link, "PaymentRejected", obstacle, others)
    say_all(branch, link_id, link, "PaymentReserved")
    review = any(one["outcome"] == "REVIEW" for one in event["payments"])
    if review or credits_elsewhere(branch, link):
        if link.opening is None:
            hold_all(branch, link)
    else:
        return settle_all(branch, link_id, link, held=False)
    if review:
        return finish(branch, link_id, link, "HELD", Obstacle("ok"))
    ask_others(branch, link_id, link)


def others_payments(branch: Books, link_id: str, link: Link) -> dict[int, str]:
    """Return by place what those payments are answered whose ids came before."""
    found = {}
    for place, ask in enumerate(link.asks):
        known = branch.payments.get((branch.cause.fields["tenant_id"], ask.payment_id))
        if known is not None:
            found[place] = answer(known.compared, link.payment(link_id, ask).compared)
    return found


def credits_elsewhere(branch: Books, link: Link) -> dict[int, list[dict[str, Any]]]:
    """Return the legs that other branches have to hold, by branch."""
    found: dict[int, list[dict[str, Any]]] = {}
    for place, ask in enumerate(link.asks):
        number = branch.home_of(ask.creditor_account_id)
        if number != branch.number:
            account = {"account_id": ask.creditor_account_id, "side": "CREDIT"}
            money = {"amount_minor": ask.amount_minor, "currency": ask.currency}
            leg = {"leg_no": place, "entry_no": place, **account, **money, "purpose": None, "rate_e8": None}
            found.setdefault(number, []).append(leg)
    return {number: found[number] for number in sorted(found)}


def ask_others(branch: Books, link_id: str, link: Link) -> None:
    elsewhere = credits_elsewhere(branch, link)
    link.waiting = list(elsewhere)
    for number, legs in elsewhere.items():
        branch.say(
            COMMANDS,
            legs[0]["account_id"],
            "JournalLegsRequested",
            branch.id_of(f"legs_requested:{number}"),
            journal_id=PREFIX + link_id,
            account_id=legs[0]["account_id"],
            home_account_id=link.debtor,
            legs=legs,
            payments=[named(leg["leg_no"], link.asks[leg["leg_no"]]) for leg in legs],
        )
    finish(branch, link_id, link, "PREPARING", Obstacle("ok"))


def named(place: int, ask: Ask) -> dict[str, Any]:
    """Return what the leg of a payment is called."""
    return {"leg_no": place, "payment_id": ask.payment_id, "reference": ask.reference}


def hold_all(branch: Books, link: Link) -> None:
    for place, ask in enumerate(link.asks):
        branch.reserve(link.debtor, counterpart(branch, ask), ask.amount_minor)
        branch.say_hold("PLACED", ask.payment_id, link.debtor, ask.amount_minor, f"hold_placed:{place}")


def counterpart(branch: Books, ask: Ask) -> str:
    """Return what is credited here: the creditor, or clearing for one who lives elsewhere."""
    here = branch.here(ask.creditor_account_id)
    return ask.creditor_account_id if here else branch.own("clearing", ask.currency)


def settle_all(branch: Books, link_id: str, link: Link, held: bool) -> None:
    """Post every payment. `held`: an earlier command has set the money aside."""
    if link.opening is not None:
        obstacle = first_obstacle(branch, link, "PaymentFailed")
        if obstacle is not None:
            return end_all(branch, link_id, link, "PaymentFailed", obstacle)
        open_debtor(branch, link)
    when = branch.effective(None)
    for place, ask in enumerate(link.asks):
        credit = counterpart(branch, ask)
        if held and link.opening is None:
            branch.reserve(link.debtor, credit, -ask.amount_minor)
        about: dict[str, Any] = {"payment_id": ask.payment_id, "reference": ask.reference}
        about["metadata"] = link.metadata
        branch.enter(f"settle:{place}", link.debtor, credit, ask.amount_minor, when, **about)
    tell_branches(branch, link_id, link, posted=True)
    finish(branch, link_id, link, "SETTLED", Obstacle("ok"), counts_at=branch.counts_at(when))
    say_all(branch, link_id, link, "PaymentSettled")


def end_all(branch: Books, link_id: str, link: Link, event: str, obstacle: Obstacle) -> None:
    """Give back all that is held, and let every payment end as `event` says."""
    if link.opening is None:
        for place, ask in enumerate(link.asks):
            branch.reserve(link.debtor, counterpart(branch, ask), -ask.amount_minor)
            branch.say_hold(
                "RELEASED", ask.payment_id, link.debtor, ask.amount_minor, f"hold_released:{place}"
            )
    if link.state == "PREPARING":
        tell_branches(branch, link_id, link, posted=False)
    finish(branch, link_id, link, event.rpartition("Payment")[2].upper(), obstacle)
    say_all(branch, link_id, link, event, obstacle)


def tell_branches(branch: Books, link_id: str, link: Link, posted: bool) -> None:
    for number, legs in credits_elsewhere(branch, link).items():
        if number in link.refusing:
            continue
        branch.say(
            COMMANDS,
            legs[0]["account_id"],
            "JournalLegsEnded",
            branch.id_of(f"legs_ended:{number}"),
            journal_id=PREFIX + link_id,
            account_id=legs[0]["account_id"],
            home_account_id=link.debtor,
            posted=posted,
            reference=link_id,
            reason=None,
            reverses=None,
            **branch.effective(None),
            metadata=link.metadata,
        )


def finish(
    branch: Books,
    link_id: str,
    link: Link,
    state: str,
    obstacle: Obstacle,
    others: dict[int, str] | None = None,
    counts_at: int | None = None,
) -> None:
    """Write a link in its next state, and those of its payments that are not another's."""
    tenant = branch.cause.fields["tenant_id"]
    keep_link(branch, link_id, link, state, obstacle)
    for place, ask in enumerate(link.asks):
        if place in (others or {}):
            continue
        payment = link.payment(link_id, ask)
        payment.state = "IN_FLIGHT" if state == "PREPARING" else state
        payment.code, payment.counts_at = obstacle.of(place), counts_at
        branch.payments[tenant, ask.payment_id] = payment
        branch.keep_payment((tenant, ask.payment_id), payment)


def keep_link(branch: Books, link_id: str, link: Link, state: str, obstacle: Obstacle) -> None:
    link.state, link.code, link.place = state, obstacle.code, obstacle.place
    key = (branch.cause.fields["tenant_id"], link.debtor, link_id)
    branch.links[key] = link
    link.ended_at = has_ended(branch, row_key("k", *key), state, None, link.ended_at)
    branch.structure(row_key("k", *key), [getattr(link, name) for name in Link.__dataclass_fields__])


def say_all(
    branch: Books,
    link_id: str,
    link: Link,
    event: str,
    obstacle: Obstacle | None = None,
    others: dict[int, str] | None = None,
) -> None:
    """Say the same of every payment; one that came before is answered as a repeat."""
    word, key = event.rpartition("Payment")[2].lower(), link.debtor
    for place, ask in enumerate(link.asks):
        said: dict[str, Any] = {"payment_id": ask.payment_id}
        if place in (others or {}):
            said |= {"account_id": key, "code": (others or {})[place], "link_id": link_id}
            said["command"] = "payments_linked"
            answer_id = branch.id_of(f"refused:payments_linked:{place}")
            branch.say(PAYMENT_EVENTS, key, "CommandRefused", answer_id, **said)
            continue
        said |= {"debtor_account_id": key, "creditor_account_id": ask.creditor_account_id}
        said |= {"amount_minor": ask.amount_minor, "currency": ask.currency}
        said["code"] = "ok" if obstacle is None else obstacle.of(place)
        if obstacle is not None and said["code"] == "sequence_mismatch":
            said["account_sequence"] = obstacle.sequence
        branch.say(PAYMENT_EVENTS, key, event, branch.id_of(f"payment_{word}:{place}"), **said)
