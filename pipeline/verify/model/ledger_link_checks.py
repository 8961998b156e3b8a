"""What stands against a link: its opening first, then its payments one by one, each after those before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.verify.model.currencies import CURRENCIES
from pipeline.verify.model.ledger_accounts import Account, customer, room
from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_due import behind
from pipeline.verify.model.tenants import ACCOUNT_CODES
from pipeline.verify.model.wire import LONG_MIN, PAYMENT_EVENTS, row_key

if TYPE_CHECKING:
    from pipeline.verify.model.ledger_links import Ask, Link


class Obstacle(NamedTuple):
    """Why a link does not go on, and the place of the payment that is to blame; None: it is no single one."""

    code: str
    place: int | None = None
    sequence: int | None = None
    """The debtor's postings, where another number was expected."""

    def of(self, place: int) -> str:
        """Return what the payment at a place says of it."""
        return self.code if self.place is None or self.place == place else "linked_payment_failed"


def first_obstacle(
    branch: Books, link: Link, event: str, outcomes: Sequence[str] | None = None
) -> Obstacle | None:
    """Return what stands against a link. `event`: what would say so; `outcomes`: None after the decision."""
    debtor = branch.account(link.debtor)
    if link.opening is not None:
        code = cannot_open(branch, link, event)
        if code is not None:
            return Obstacle(code)
        debtor = opened(link)
    spent, coming = 0, Counter[str]()
    for place, ask in enumerate(link.asks):
        if outcomes is not None and outcomes[place] == "DECLINE":
            return Obstacle("declined", place)
        code = against_parties(branch, link, ask, debtor)
        if code is not None:
            return Obstacle(code, place)
        assert debtor is not None
        expected = branch.cause.fields.get("expected_sequence") if outcomes is not None else None
        present = 0 if link.opening is not None else debtor.sequence
        if expected is not None and expected != present:
            return Obstacle("sequence_mismatch", place, present)
        spent += ask.amount_minor
        coming[receiver(branch, ask)] += ask.amount_minor
        code = against_creditor(branch, ask, coming[receiver(branch, ask)])
        code = code or against_money(branch, link, ask, debtor, spent, coming[receiver(branch, ask)])
        if code is not None:
            return Obstacle(code, place)
    return None


def receiver(branch: Books, ask: Ask) -> str:
    """Return the account of this branch that is credited."""
    here = branch.here(ask.creditor_account_id)
    return ask.creditor_account_id if here else f"$clearing:{ask.currency}:{branch.number}"


def against_parties(branch: Books, link: Link, ask: Ask, debtor: Account | None) -> str | None:
    if ask.amount_minor <= 0:
        return "amount_must_be_positive"
    if link.debtor == ask.creditor_account_id:
        return "accounts_must_differ"
    if debtor is None or not customer(link.debtor):
        return "debtor_not_found"
    return debtor.refusal("DEBIT", ask.currency)


def against_creditor(branch: Books, ask: Ask, coming: int) -> str | None:
    """Return why a creditor cannot get what all payments so far bring it."""
    if not customer(ask.creditor_account_id):
        return "creditor_not_found"
    if not branch.here(ask.creditor_account_id):
        return None
    code = branch.creditor_code(ask.creditor_account_id, ask.currency)
    creditor = branch.account(ask.creditor_account_id)
    if code is not None or creditor is None or creditor.maximum is None:
        return code
    if behind(branch, ask.creditor_account_id, "CREDIT"):
        return "too_many_holds"
    return "maximum_balance_exceeded" if creditor.too_full(coming) else None


def against_money(
    branch: Books, link: Link, ask: Ask, debtor: Account, spent: int, coming: int
) -> str | None:
    if debtor.limit is not None and behind(branch, link.debtor, "DEBIT"):
        return "too_many_holds"
    if debtor.too_poor(spent):
        return "insufficient_funds"
    other = branch.account(receiver(branch, ask))
    return None if room(debtor, "debits", spent) and room(other, "credits", coming) else "overflow"


# --- the account that comes with a link


def cannot_open(branch: Books, link: Link, event: str) -> str | None:
    """Return why the debtor's account cannot be opened."""
    assert link.opening is not None
    _, currency, amount, limit = link.opening
    if not customer(link.debtor) or currency not in CURRENCIES or (limit is not None and limit < 0):
        return "invalid_opening"
    if branch.account(link.debtor) is not None:
        return "debtor_exists"
    refused = tenant_refusal(branch, link, currency, event)
    if refused is not None:
        return refused
    if amount == LONG_MIN:
        return "invalid_opening"
    if limit is not None and amount + limit < 0:
        return "insufficient_funds"
    against = branch.account(f"$opening:{currency}:{branch.number}")
    fits = not amount or room(against, "debits" if amount > 0 else "credits", abs(amount))
    return None if fits else "invalid_opening"


def tenant_refusal(branch: Books, link: Link, currency: str, event: str) -> str | None:
    """Return why the tenant may not open it; without its settings, what the stream has said of a payment."""
    if branch.witness is None:
        return branch.tenants.account_refusal(branch.cause.fields["tenant_id"], currency)
    return branch.said_code(ACCOUNT_CODES, PAYMENT_EVENTS, event, payment_id=link.asks[0].payment_id)


def opened(link: Link) -> Account:
    """Return the debtor's account as it would be opened."""
    assert link.opening is not None
    kind, currency, amount, limit = link.opening
    account = Account(kind, currency, limit)
    account.credits_posted, account.debits_posted = max(amount, 0), max(-amount, 0)
    return account


def open_debtor(branch: Books, link: Link) -> None:
    """Open the debtor's account, with the entry of its initial balance."""
    assert link.opening is not None
    kind, currency, amount, limit = link.opening
    key: tuple[Any, str] = (branch.cause.fields["tenant_id"], link.debtor)
    branch.accounts[key] = Account(kind, currency, limit)
    branch.touch(link.debtor)
    branch.openings[key] = (amount, limit)
    branch.structure(row_key("b", *key), [amount, limit])
    if amount == 0:
        return
    own = branch.own("opening", currency)
    debit, credit = (own, link.debtor) if amount > 0 else (link.debtor, own)
    labels: dict[str, Any] = {"metadata": link.metadata}
    branch.enter("opening", debit, credit, abs(amount), payment_id=None, reference=None, **labels)
