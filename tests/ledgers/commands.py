"""The commands of a tale: a line's words -> the event that the ledger reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from tests.ledger.branches import decided, envelope, opened
from tests.ledgers.legs import legs_and_shares, legs_of, part_of
from tests.ledgers.link_lines import link
from tests.ledgers.words import CURRENCY, MILLISECOND, Words, account_id, is_amount, minor, rate, when

About = dict[str, Any]
"""The envelope of an event."""


def envelope_of(words: Words, number: int) -> tuple[About, int]:
    """Return the envelope of a line's event, and when Kafka has it (`seen`, else `on`, else day 0).

    Raises: ValueError.
    """
    event_id = words.options.pop("event", f"event-{number}")
    occurred_at = words.option("on", when) or 0
    seen = words.option("seen", when)
    recorded_at = occurred_at if seen is None else seen
    about = envelope(event_id, occurred_at, words.tenant_id)
    if "by" in words.options:
        about["actor"] = _actor(words.options.pop("by"))
    return about, -(-recorded_at // MILLISECOND) * MILLISECOND


def _actor(text: str) -> ev.Actor:
    """Return a person, `anna`, also one of another issuer, `other:anna`; or a program, `key:robot`."""
    issuer, _, subject = text.rpartition(":")
    if issuer == "key":
        return ev.Actor("tale", subject, None, "key of a program")
    return ev.Actor(issuer or "tale", subject, f"session of {subject}")


def _text(text: str) -> str:
    """Return a text; `x*70000` is a long one."""
    letter, times, count = text.partition("*")
    return letter * int(count) if times else text


def _expected(words: Words) -> About:
    """Return how many postings a command expects its account to have had: `expects=2`."""
    return {"expected_sequence": words.option("expects", int)}


def _hold(words: Words, option: str) -> About:
    """Return whether a payment or journal is held, and until when: a day, or `never` for no end."""
    if words.options.get(option) == "never":
        del words.options[option]
        return {"hold": True, "hold_expires_at": None}
    return {"hold_expires_at": words.option(option, when)}


def _labels(words: Words) -> About:
    """Return the metadata of an event that may have some: one entry, `label=key:value`."""
    text = words.options.pop("label", None)
    return {} if text is None else {"metadata": dict([text.split(":", 1)])}


def _limit(text: str) -> int | None:
    return None if text == "none" else minor(text)


def _open(words: Words, about: About) -> ev.AccountOpened:
    event_id, account = about.pop("event_id"), words.account()
    changes: About = {**about, **_labels(words)}
    balance = words.next_if(is_amount)
    changes["currency"] = words.next_if(CURRENCY.fullmatch) or words.options.pop("currency", "EUR")
    changes["account_type"] = words.next_if(ACCOUNT_TYPES.__contains__) or "checking"
    if "limit" in words.options:
        changes["overdraft_limit_minor"] = words.option("limit", _limit)
    return opened(event_id, account, minor(balance) if balance else 0, **changes)


def _set_limit(words: Words, about: About) -> ev.AccountLimitSet:
    return ev.AccountLimitSet(
        **about,
        account_id=words.account(),
        overdraft_limit_minor=_limit(words.next("a limit, or none")),
        minimum_balance_minor=words.option("min", minor),
        maximum_balance_minor=words.option("max", minor),
        effective_at=words.option("from", when),
        **_expected(words),
    )


def _side(words: Words) -> str:
    side = words.next("a side")
    if side not in ("DEBIT", "CREDIT", "BOTH"):
        raise ValueError(f"`{side}` is no side")
    return side


def _freeze(words: Words, about: About) -> ev.AccountFrozen:
    until = words.option("until", when)
    more = _expected(words)
    return ev.AccountFrozen(
        **about, account_id=words.account(), side=_side(words), reason="x", until=until, **more
    )


def _unfreeze(words: Words, about: About) -> ev.AccountUnfrozen:
    more = _expected(words)
    return ev.AccountUnfrozen(**about, account_id=words.account(), side=_side(words), reason="x", **more)


def _close(words: Words, about: About) -> ev.AccountClosed:
    why: About = {"reason": "customer_request", "regulatory_notification_sent": False}
    return ev.AccountClosed(**about, account_id=words.account(), **why, **_expected(words))


def _reopen(words: Words, about: About) -> ev.AccountReopened:
    return ev.AccountReopened(**about, account_id=words.account(), reason="x")


def _period(words: Words, about: About) -> ev.PeriodClosed:
    period_id = words.next("a period")
    return ev.PeriodClosed(**about, period_id=period_id, closed_through=when(words.next("a day")))


def _pay(words: Words, about: About) -> ev.PaymentDecided:
    payment_id = words.next("a payment")
    debtor, arrow, creditor = words.next("DEBTOR->CREDITOR").partition("->")
    if not arrow:
        raise ValueError(f"`{debtor}` is not DEBTOR->CREDITOR")
    payer, payee = (account_id(name, words.tenant_id) for name in (debtor, creditor))
    amount, event_id = words.amount(), about.pop("event_id")
    changes: About = {
        **about,
        **_labels(words),
        **_expected(words),
        "currency": words.next_if(CURRENCY.fullmatch) or "EUR",
        "outcome": words.next_if(("REVIEW", "DECLINE").__contains__) or "APPROVE",
        **_hold(words, "until"),
        "balancing": words.next_if("most".__eq__) and True,
        "creditor_currency": words.options.pop("to", None),
        "rate_e8": words.option("rate", rate),
        "capture_tolerance_bp": words.option("tolerance", int),
        "payment_type": words.options.pop("type", "transfer"),
        "reference": words.options.pop("reference", f"reference of {payment_id}"),
        "execute_at": words.option("execute", when),
    }
    return decided(event_id, payment_id, payer, payee, amount, **changes)


def _rate(words: Words, about: About) -> ev.RateQuoted:
    base, quote = words.next("a currency"), words.next("a currency")
    since = words.option("from", when)
    effective_from = about["occurred_at"] if since is None else since
    price = rate(words.next("a rate"))
    return ev.RateQuoted(
        **about, base_currency=base, quote_currency=quote, rate_e8=price, effective_from=effective_from
    )


def _of_payment(words: Words, about: About) -> About:
    payment_id = words.next("a payment")
    fields = {"payment_id": payment_id, "debtor_account_id": words.account("the debtor")}
    return {**about, **fields, **_expected(words)}


def _review(approved: bool) -> Callable[[Words, About], ev.PaymentReviewed]:
    def review(words: Words, about: About) -> ev.PaymentReviewed:
        fields = {**_of_payment(words, about), "link_id": words.options.pop("link", None)}
        return ev.PaymentReviewed(**fields, approved=approved, reviewer="reviewer", reason="reason")

    return review


def _cancel(words: Words, about: About) -> ev.PaymentCancelled:
    link_id = words.options.pop("link", None)
    return ev.PaymentCancelled(**_of_payment(words, about), reason="reason", link_id=link_id)


def _capture(words: Words, about: About) -> ev.PaymentCaptured:
    fields = _of_payment(words, about)
    fields["capture_id"] = words.next("a capture")
    fields["amount_minor"] = None if words.next_if("rest".__eq__) else words.amount()
    return ev.PaymentCaptured(**fields, final=words.next_if("final".__eq__) is not None)


def _extend(words: Words, about: About) -> ev.PaymentExtended:
    return ev.PaymentExtended(**_of_payment(words, about), hold_expires_at=when(words.next("a day")))


def _unpay(words: Words, about: About) -> ev.PaymentReversed:
    fields = _of_payment(words, about)
    fields["reversal_id"] = words.next("a reversal")
    amount = words.next_if(is_amount)
    fields["reason"] = words.options.pop("reason", "a mistake")
    return ev.PaymentReversed(**fields, amount_minor=minor(amount) if amount else None)


def _journal(words: Words, about: About) -> ev.JournalSubmitted:
    journal_id, home = words.next("a journal"), words.options.pop("home", None)
    legs, shares = legs_and_shares(words)
    if not legs:
        raise ValueError("a leg is missing")
    return ev.JournalSubmitted(
        **about,
        journal_id=journal_id,
        account_id=account_id(home, words.tenant_id) if home else legs[0].account_id,
        legs=legs,
        shares=shares,
        reference=_text(words.options.pop("reference", f"reference of {journal_id}")),
        reason=words.options.pop("reason", None),
        effective_at=words.option("at", when),
        late=words.options.pop("late", "REFUSE"),
        needs_approval=words.option("two", "true".__eq__),
        execute_at=words.option("execute", when),
        **_hold(words, "hold"),
        **_labels(words),
        **_expected(words),
    )


def _of_journal(words: Words, about: About) -> About:
    journal_id = words.next("a journal")
    fields = {"journal_id": journal_id, "account_id": words.account("its home")}
    return {**about, **fields, **_expected(words)}


def _confirm(words: Words, about: About) -> ev.JournalConfirmed:
    """Return a confirmation: of all, of parts of legs, or of `none`; `keep`: the rest stays held."""
    fields = _of_journal(words, about)
    fields["confirmation_id"] = words.next_if(lambda word: word not in ("none", "keep") and ":" not in word)
    legs = () if words.next_if("none".__eq__) else None
    parts = []
    while (part := words.next_if(part_of)) is not None:
        parts.append(part_of(part))
    fields["final"] = None if words.next_if("keep".__eq__) is None else False
    return ev.JournalConfirmed(**fields, legs=tuple(filter(None, parts)) or legs)


def _void(words: Words, about: About) -> ev.JournalVoided:
    return ev.JournalVoided(**_of_journal(words, about), reason="x")


def _undo(words: Words, about: About) -> ev.JournalReversed:
    return ev.JournalReversed(
        **_of_journal(words, about),
        reversal_id=words.next("a reversal"),
        legs=legs_of(words),
        reason=words.options.pop("reason", "a mistake"),
        effective_at=words.option("at", when),
        late=words.options.pop("late", "NEXT_PERIOD"),
    )


def _agree(words: Words, about: About) -> ev.ProposalApproved:
    return ev.ProposalApproved(**_of_proposal(words, about))


def _reject(words: Words, about: About) -> ev.ProposalRejected:
    return ev.ProposalRejected(**_of_proposal(words, about), reason="a mistake")


def _of_proposal(words: Words, about: About) -> About:
    """Return what a decision names: the last content that was proposed, or `version=1` for the first one."""
    proposal_id, account = words.next("a proposal"), words.account("the account of its command")
    return {
        **about,
        "proposal_id": proposal_id,
        "account_id": account,
        "content_hash": words.options.pop("version", "last"),
    }


COMMANDS: dict[str, Callable[[Words, About], Any]] = {
    "open": _open,
    "limit": _set_limit,
    "freeze": _freeze,
    "unfreeze": _unfreeze,
    "close": _close,
    "reopen": _reopen,
    "period": _period,
    "pay": _pay,
    "rate": _rate,
    "link": lambda words, about: link(words, {**about, **_labels(words), **_expected(words)}),
    "approve": _review(True),
    "refuse": _review(False),
    "cancel": _cancel,
    "capture": _capture,
    "extend": _extend,
    "unpay": _unpay,
    "journal": _journal,
    "confirm": _confirm,
    "void": _void,
    "undo": _undo,
    "agree": _agree,
    "reject": _reject,
}
"""How each command of a tale becomes an event; each raises ValueError for words that it does not know."""
