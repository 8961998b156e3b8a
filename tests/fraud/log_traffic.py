"""Logs of fraud-commands with everything in them: payments, and what comes of them on both sides."""

from __future__ import annotations

from random import Random
from typing import Any

from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.kernel import events as ev
from tests.fraud.logs import DAY, HOUR, NOON, busy_log
from tests.kernel.side_by_side import Log, Replay

ACCOUNTS = ("A1", "A2", "A3")


def opened(account: str, at_us: int = NOON - 100 * DAY, segment: str | None = None) -> ev.AccountOpened:
    """Return the opening of an account."""
    metadata = None if segment is None else {"segment": segment}
    return ev.AccountOpened(
        f"open-{account}",
        "acme",
        at_us,
        "c",
        None,
        account,
        "customer",
        "checking",
        "EUR",
        0,
        metadata=metadata,
    )


def quoted(currency: str, rate_e8: int, at_us: int) -> ev.RateQuoted:
    """Return a rate: so many units of 1e-8 EUR for one of a currency."""
    return ev.RateQuoted(
        f"rate-{currency}-{at_us}", "acme", at_us, "c", None, currency, "EUR", rate_e8, at_us
    )


def debit(payment: ev.PaymentInitiated, now: int) -> ev.PostingRecorded:
    """Return the posting that debits a payment's debtor."""
    return ev.PostingRecorded(
        *(
            f"posted-{payment.event_id}",
            payment.tenant_id,
            now,
            "c",
            payment.event_id,
            f"p-{payment.event_id}",
        ),
        *("entry", payment.payment_id, payment.debtor_account_id, "checking", "DEBIT"),
        *(payment.amount_minor, payment.currency, 1, 0, 0),
    )


def credit(account: str, number: int, amount: int, now: int) -> ev.PostingRecorded:
    """Return the posting of a journal that credits an account."""
    return ev.PostingRecorded(
        *(f"booked-{number}", "acme", now, "c", None, f"j-{number}", "entry", None, account, "checking"),
        *("CREDIT", amount, "EUR", 1, 0, 0),
        journal_id=f"J{number}",
    )


def received(
    account: str, number: int, payer: str, amount: int, now: int, origins: Any = ()
) -> ev.FundsReceived:
    """Return what an account was paid."""
    return ev.FundsReceived(
        *(f"funds-{number}", "acme", now, "c", None, f"X{number}", account, payer, amount, "EUR", now),
        tuple(ev.MoneyOrigin(*one) for one in origins),
    )


def labelled(
    payment: ev.PaymentInitiated, label: str, now: int, known_us: int | None = None
) -> ev.PaymentLabelled:
    """Return a label of a payment."""
    return ev.PaymentLabelled(
        *(f"label-{payment.event_id}-{label}-{now}", payment.tenant_id, now, "c", None, payment.payment_id),
        *(payment.debtor_account_id, payment.creditor_account_id, label, "CUSTOMER"),
        now if known_us is None else known_us,
    )


def whole_log(chance: Random, length: int, **kinds: float) -> Log:
    """Return payments of three accounts with all that comes of them, as one partition sees it.

    Accounts and payees are on it; what it tells others comes back after a while, as do postings and labels.
    """
    payments = busy_log(chance, length, ACCOUNTS, **kinds)
    shops = FraudLog()
    told, log = Replay(shops), Log()
    waiting: Log = [(opened("A1"), NOON - DAY), (opened("A2", NOON - HOUR, "payroll"), NOON - DAY)]
    paid: list[ev.PaymentInitiated] = []
    for number, (event, now) in enumerate(payments):
        while waiting and (chance.random() < 0.6):
            _add(log, told, waiting, waiting.pop(0)[0], now)
        _add(log, told, waiting, event, now)
        if type(event) is ev.PaymentInitiated:
            paid.append(event)
            if chance.random() < 0.8:
                waiting.append((debit(event, now), now))
        what = chance.random()
        account = chance.choice(ACCOUNTS)
        if what < 0.1:
            amount = chance.choice([0, 20_00, 600_00, 9_000_00])
            origins = [
                (chance.randrange(1, 2**63), chance.randrange(1, 6)) for _ in range(chance.randrange(3))
            ]
            payer = chance.choice(["shop-1", "B1", f"B{number}"])
            _add(log, told, waiting, received(account, number, payer, amount, now, origins), now)
        elif what < 0.14:
            _add(log, told, waiting, credit(account, number, 700_00, now), now)
        elif what < 0.24 and paid:
            payment = chance.choice(paid[-30:])
            label = chance.choice(["FRAUD", "FRAUD", "GENUINE"])
            _add(log, told, waiting, labelled(payment, label, now, now - chance.choice([0, 0, DAY])), now)
        elif what < 0.25:
            _add(log, told, waiting, quoted("VND", chance.randrange(3_000, 5_000), now), now)
    return log


def _add(log: Log, told: Replay, waiting: Log, event: Any, now: int) -> None:
    """Add an event, and let what the stream tells itself wait for its turn."""
    log.append((event, now))
    before = len(told.said.get("fraud-commands", ()))
    told.by_rows([(event, now)])
    waiting += [(one, now) for _, one in told.said.get("fraud-commands", ())[before:]]
