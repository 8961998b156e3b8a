"""Logs of payments with everything in them that a fraud rule looks at."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from msgspec import structs

from pipeline.domain.kernel import events as ev
from tests.kernel.side_by_side import Log

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
NOON = 1_767_268_800_000_000
REFERENCES = [*[None] * 60, *["RF18539007547034"] * 40, "RF19539007547034"]
"""Creditor references; the last one's check digits are wrong."""


def busy_log(
    chance: Random,
    length: int,
    accounts: Sequence[str] = ("A1", "A2", "A3"),
    scheduled: float = 0.0,
    links: float = 0.0,
) -> Log:
    """Return what three accounts send: quiet days, bursts, late payments, new devices, retries, reviews.

    `scheduled`: how many of the payments have a time of their own, of one; `links`: the share of links.
    """
    log: Log = []
    now, pace = NOON, HOUR
    for number in range(length):
        if chance.random() < 0.15:
            pace = chance.choice([0, SECOND, 20 * SECOND, HOUR, 9 * HOUR, 4 * DAY, 70 * DAY])
        now += chance.randrange(pace + 1)
        account = chance.choice([accounts[0], accounts[0], *accounts])
        head = (f"event-{number}", "acme", now - chance.choice([0] * 8 + [30 * SECOND, 6 * DAY]), "c", None)
        payment_id = f"P{chance.choice([number] * 9 + [chance.randrange(length)])}"
        what = chance.random()
        if what < 0.12:
            event: Any = ev.PaymentReviewed(*head, payment_id, account, chance.random() < 0.8, "me", "")
        elif what < 0.15:
            event = ev.PaymentCancelled(*head, payment_id, account, "")
            waiting = _waiting(log, now)
            if waiting:
                payment = chance.choice(waiting)
                about = {"payment_id": payment.payment_id, "debtor_account_id": payment.debtor_account_id}
                event = structs.replace(event, **about)
        elif what < 0.2 and log:
            event = chance.choice(log)[0]
        elif links and chance.random() < links:
            event = linked(chance, head, number, account)
        else:
            event = ev.PaymentInitiated(
                *head,
                *(payment_id, account, f"shop-{chance.choice([1, 1, 2, chance.randrange(99)])}"),
                *(chance.choice([50, 20_00, 21_00, 95_00, 600_00, 9_500_00, 3_000_00]), "EUR"),
                *("transfer", "invoice", None, chance.choice(["phone", "phone", None, f"new-{number}"])),
                *(chance.choice(["FR", "fr", "BR", None, f"X{number % 13}"]), None),
                *(chance.choice(REFERENCES), "invoice"),
            )
            if scheduled and chance.random() < scheduled:
                ahead = chance.choice([-HOUR, SECOND, 20 * SECOND, HOUR, 9 * HOUR, 4 * DAY, 70 * DAY])
                event = structs.replace(event, execute_at=now + ahead)
        log.append((event, now))
    return log


def _waiting(log: Log, now: int) -> list[ev.PaymentInitiated]:
    """Return the payments that wait for a time of their own."""
    payments = [event for event, _ in log if type(event) is ev.PaymentInitiated]
    return [payment for payment in payments if (payment.execute_at or 0) > now]


def ids_of(event: Any) -> list[str]:
    """Return the ids of the payments that an event is about."""
    if type(event) is ev.PaymentsLinked:
        return [payment.payment_id for payment in event.payments]
    return [event.payment_id]


def linked(chance: Random, head: tuple[Any, ...], number: int, account: str) -> ev.PaymentsLinked:
    """Return linked payments; now and then an id comes twice, or is another payment's."""
    another = chance.random() < 0.1
    payments = tuple(
        ev.LinkedPayment(
            f"P{number // 2}" if another else f"P{number}-{chance.choice([place, place, place, 0])}",
            f"shop-{chance.choice([1, 2, chance.randrange(99)])}",
            *(chance.choice([0, 50, 20_00, 600_00, 9_500_00]), "EUR", "transfer", "invoice", None),
            *(chance.choice(["phone", None, f"new-{number}"]), chance.choice(["FR", "BR", None]), None),
        )
        for place in range(chance.choice([0, 1, 2, 2, 3, 7]))
    )
    opening = ev.LinkOpening("c", "checking", "EUR", 5_00, None) if chance.random() < 0.3 else None
    return ev.PaymentsLinked(*head, f"L{number}", account, payments, opening, None, None, None)
