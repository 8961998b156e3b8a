"""What programs ask of the gateway while a load runs: a round of calls again and again, with own accounts.

    open, the same again, another under its key, one that exists -> read -> trade, price
    once event time is real time: pay, pay nobody, label; comment on a break

The gateway stamps commands with the time of its clock. Payments and what people say move event time, which
would end holds and breaks of a load that tells of last week. So these wait until the load has caught up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any, NamedTuple

ACCOUNTS_MAX = 200
"""Own accounts; opening one again after that is a repeat."""
FUNDS_MINOR, PAYMENT_MINOR = 100_000, 1_250
CURRENCY, INSTRUMENT = "EUR", "GATE.EUR"
E8 = 100_000_000
UPSTREAM, DESK = "upstream", "desk"
"""Who calls: the program of an upstream, and that of the people who label payments and look after breaks."""
BREAKS_LOOKED_AT = 20


class Call(NamedTuple):
    """A request."""

    who: str
    path: str
    """Below the tenant."""
    expected: frozenset[int]
    """Statuses that it may have."""
    key: str | None = None
    """Its Idempotency-Key; None: it reads."""
    body: dict[str, Any] | None = None
    after: str | None = None
    """The id of a request that the answer of a read must show."""


class Answer(NamedTuple):
    """What was answered."""

    status: int
    body: dict[str, Any]
    is_repeat: bool = False


Calls = Generator[Call, Answer, None]
"""Yields requests; each answer is sent back."""
_DONE = frozenset({200, 202})
_REFUSED = frozenset({202, 409})
"""Of a command that is refused: 202 where that takes longer than the call waits."""
_READ = frozenset({200, 404, 412})
"""404 and 412: it is not there yet."""


def calls(seed: int, is_live: Callable[[], bool]) -> Calls:
    """Yield the calls of a load without an end; `is_live`: whether its event time is real time."""
    for number in itertools.count():
        account, other = (f"g{seed}-{one % ACCOUNTS_MAX}" for one in (number, number - 1))
        name = f"g{seed}-{number}"
        yield from _accounts(account, name)
        yield from _market(account, name)
        if is_live() and number:
            yield from _payments(account, other, name)
            yield from _break(name)


def _accounts(account: str, name: str) -> Calls:
    body = {
        "account_id": account,
        "customer_id": f"customer-{account}",
        "account_type": "investment",
        "currency": CURRENCY,
        "initial_balance_minor": FUNDS_MINOR,
    }
    opened = yield _command("/accounts", _DONE, f"open-{account}", body)
    yield _command("/accounts", _DONE, f"open-{account}", body)
    other = body | {"currency": "USD"}
    yield _command("/accounts", frozenset({409}), f"open-{account}", other)
    yield _command("/accounts", _REFUSED, f"again-{name}", other)
    yield Call(UPSTREAM, f"/balances/{account}", _READ, after=opened.body.get("request_id"))


def _market(account: str, name: str) -> Calls:
    trade = {
        "trade_id": name,
        "account_id": account,
        "instrument_id": INSTRUMENT,
        "side": "BUY",
        "quantity_e8": 3 * E8,
        "price_e8": 100 * E8,
        "fee_minor": 95,
        "currency": CURRENCY,
    }
    traded = yield _command("/trades", _DONE, f"trade-{name}", trade)
    price = {"instrument_id": INSTRUMENT, "price_e8": 101 * E8, "currency": CURRENCY}
    yield _command("/prices", _DONE, f"price-{name}", price)
    if (request_id := traded.body.get("request_id")) is not None:
        yield Call(UPSTREAM, f"/requests/{request_id}", _READ)


def _payments(account: str, other: str, name: str) -> Calls:
    paid = {
        "payment_id": name,
        "debtor_account_id": account,
        "creditor_account_id": other,
        "amount_minor": PAYMENT_MINOR,
        "currency": CURRENCY,
        "payment_type": "transfer",
        "reference": f"invoice {name}",
    }
    answer = yield _command("/payments", _DONE | _REFUSED, f"pay-{name}", paid)
    lost = paid | {"payment_id": f"{name}-lost", "creditor_account_id": f"{account}-nobody"}
    yield _command("/payments", _REFUSED, f"lose-{name}", lost)
    if answer.status != 200:  # what is not decided yet, or was refused, is not labelled
        return
    label = {
        "debtor_account_id": account,
        "creditor_account_id": other,
        "label": "GENUINE",
        "source": "CUSTOMER",
        "labelled_at": datetime.now(UTC).isoformat(),
    }
    yield Call(DESK, f"/payments/{name}/label", _DONE | _REFUSED, f"label-{name}", label)


def _break(name: str) -> Calls:
    """Comment on the first break of a page that is open, if there is one."""
    page = yield Call(DESK, f"/breaks?limit={BREAKS_LOOKED_AT}", _READ)
    found = (one for one in page.body.get("data", ()) if one["state"] == "OPEN")
    if (one := next(found, None)) is not None:
        path = f"/breaks/{one['account_id']}/{one['break_id']}/comment"
        said = {"text": "asked the bank again"}
        yield Call(DESK, path, _DONE | _REFUSED, f"comment-{name}", said)


def _command(path: str, expected: frozenset[int], key: str, body: dict[str, Any]) -> Call:
    return Call(UPSTREAM, path, expected, key, body)
