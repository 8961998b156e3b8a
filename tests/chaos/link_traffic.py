"""Random links for the ledger's traffic: several payments of one debtor, some with its account's opening."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chaos.by_hand import Event

if TYPE_CHECKING:
    from tests.chaos.ledger_traffic import Traffic


def link(traffic: Traffic) -> Event:
    """Return linked payments, most often of small amounts; some name an id twice, or another payment's."""
    rng, name, opening = traffic.rng, traffic._name("l"), None
    currency = rng.choices(("EUR", "USD"), (9, 1))[0]
    debtor = traffic._account(currency)
    if rng.random() < 0.35:
        debtor = traffic._account(currency) if rng.random() < 0.1 else f"n{traffic.count}"
        opening = {"customer_id": "x", "account_type": "checking", "currency": currency}
        opening["initial_balance_minor"] = rng.choice((*[400] * 9, 0, traffic._amount()))
        opening["overdraft_limit_minor"] = rng.choice((0, 100, None, -1) if rng.random() < 0.2 else (0, 100))
    payments = [_payment(traffic, currency, place) for place in range(rng.choice((1, 2, 2, 3, 3, 5)))]
    if rng.random() < 0.03:
        payments = rng.choice(([], payments * 2, payments * 101))
    traffic.links = [*traffic.links[-10:], (name, debtor, [one["payment_id"] for one in payments])]
    return traffic._event(
        "PaymentsLinkDecided",
        link_id=name,
        debtor_account_id=debtor,
        payments=payments,
        rules_version="v",
        open_account=opening,
        expected_sequence=rng.choice((*[None] * 19, 0, 3)),
    )


def _payment(traffic: Traffic, currency: str, place: int) -> dict[str, Any]:
    rng = traffic.rng
    known = traffic.payments[-20:] if rng.random() < 0.02 else []
    return {
        "payment_id": rng.choice(known).subject if known else f"q{traffic.count}-{place}",
        "creditor_account_id": traffic._account(currency),
        "amount_minor": traffic._amount() if rng.random() < 0.1 else rng.randrange(1, 20),
        "currency": currency,
        "payment_type": "transfer",
        "reference": f"r{place}",
        **dict.fromkeys(("channel", "device_id", "counterparty_country", "merchant_category")),
        "outcome": rng.choices(("APPROVE", "REVIEW", "DECLINE"), (30, 5, 1))[0],
        "score": 0,
        "reasons": [],
    }


def about_link(traffic: Traffic) -> Event:
    """Return a review, a cancellation or a reversal of a payment in a link; a few name another link."""
    rng = traffic.rng
    found = [one for one in traffic.links if one[2]]
    name, debtor, payments = rng.choice(found) if found else ("unknown", traffic._account(), ["unknown"])
    about: dict[str, Any] = {"payment_id": rng.choice(payments), "debtor_account_id": debtor, "reason": "why"}
    kind = rng.choice(("PaymentReviewed", "PaymentReviewed", "PaymentCancelled", "PaymentReversed"))
    if kind == "PaymentReversed":
        return traffic._event(kind, **about, reversal_id=traffic._name("v"), amount_minor=None)
    about["link_id"] = rng.choice((*[name] * 9, None, "another"))
    if kind == "PaymentReviewed":
        about |= {"approved": rng.random() < 0.7, "reviewer": "x"}
    return traffic._event(kind, **about)
