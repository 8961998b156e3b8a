"""The line of a tale that links payments: `link L1 A P1->B 4.00 P2->C 6.00`."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from tests.ledgers.words import CURRENCY, Words, account_id, minor

About = dict[str, Any]
"""What the event says besides: its envelope, metadata, expected sequence."""


def link(words: Words, about: About) -> ev.PaymentsLinkDecided:
    """Read `L1 A P1->B 5.00 [REVIEW or DECLINE] P2->C 3.00 ... [open=10.00]`: a debtor and its payments."""
    link_id, debtor, payments = words.next("a link"), words.account("the debtor"), []
    kind = words.options.pop("type", "transfer")
    while words.rest:
        payment_id, arrow, creditor = words.next("PAYMENT->CREDITOR").partition("->")
        if not arrow:
            raise ValueError(f"`{payment_id}` is not PAYMENT->CREDITOR")
        payments.append(
            ev.DecidedPayment(
                payment_id,
                account_id(creditor, words.tenant_id),
                words.amount(),
                words.next_if(CURRENCY.fullmatch) or "EUR",
                kind,
                words.options.get("reference", f"reference of {payment_id}"),
                *(None, None, None, None),
                words.next_if(("REVIEW", "DECLINE").__contains__) or "APPROVE",
                0,
                (),
            )
        )
    words.options.pop("reference", None)
    return ev.PaymentsLinkDecided(
        **about,
        link_id=link_id,
        debtor_account_id=debtor,
        payments=tuple(payments),
        rules_version="test",
        open_account=_opening(words),
    )


def _opening(words: Words) -> ev.LinkOpening | None:
    """Return the account that a link opens: `open=10.00 [currency=USD] [limit=5.00]`."""
    balance, currency = words.option("open", minor), words.options.pop("currency", "EUR")
    limit = words.option("limit", _limit) if "limit" in words.options else 0
    return None if balance is None else ev.LinkOpening("customer", "checking", currency, balance, limit)


def _limit(text: str) -> int | None:
    return None if text == "none" else minor(text)
