"""The payments of a run as columns: what follows from a payment alone, made for all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from pipeline.domain.fraud import state_rows as at
from pipeline.domain.fraud.account_rows import ACCOUNT_ROW
from pipeline.domain.fraud.decisions import Decision, Paid
from pipeline.domain.fraud.features.amounts import CURRENCIES, NUMBER
from pipeline.domain.fraud.features.columns import Integers
from pipeline.domain.fraud.features.ids import id63
from pipeline.domain.fraud.features.layout import DAY_S
from pipeline.domain.fraud.repeated import UNSCORED, content_of, debtor_hash
from pipeline.domain.kernel.events import PaymentInitiated
from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.domain.kernel.times import MICROSECONDS_PER_SECOND

COUNTRY_LENGTH_MAX = 8
DEVICE_CHARS_MAX = ID_CHARS_MAX
NOWHERE: list[int] = []
"""The origins of a payment whose debtor's money came from nowhere; nobody changes it."""
_BETWEEN = "\0\0"
"""Between keys: a key has one NUL between its parts, and ids are never empty and have none."""
_PAYER, _RECEIVER, _CARD, _PAIR, _ACCOUNT = (
    kind.family for kind in (at.PAYER_ROW, at.RECEIVER_ROW, at.CARD_ROW, at.PAIR_ROW, ACCOUNT_ROW)
)


class StateKeys(NamedTuple):
    """Row keys of the states of payments, as `features.columns.Keys` has them."""

    payer: Sequence[bytes]
    receiver: Sequence[bytes]
    card: Sequence[bytes]
    pair: Sequence[bytes]
    device: Sequence[bytes]
    """An empty one where no device is named."""
    population: Sequence[bytes]


class RunPayments(NamedTuple):
    """Payments, in the order of the log."""

    events: Sequence[PaymentInitiated]
    at_us: Sequence[int]
    """Their times."""
    keys: StateKeys
    accounts: Sequence[bytes]
    """Row keys of their debtors' accounts."""
    decisions: Sequence[Decision]
    """What is kept of them, while nothing is decided."""
    devices: Sequence[str | None]
    """As states have them, as the countries."""
    countries: Sequence[str | None]
    days: Sequence[int]
    """Of their times, since 1970-01-01."""
    ids: Integers
    """Debtor, payee, device and country as features have them: int64, a row each."""
    minor: Integers
    currency: Integers
    """By its place in `amounts.CURRENCIES`; one that is unknown is any."""

    def some(self, numbers: Sequence[int]) -> RunPayments:
        """Return those with some numbers."""
        if len(numbers) == len(self.events):
            return self
        pick, places = _picker(numbers), np.array(numbers, np.int64)
        return RunPayments(
            *(pick(self.events), pick(self.at_us), StateKeys(*map(pick, self.keys)), pick(self.accounts)),
            *(pick(self.decisions), pick(self.devices), pick(self.countries), pick(self.days)),
            *(self.ids[:, places], self.minor[places], self.currency[places]),
        )

    def currencies(self, tenants: Sequence[int]) -> Integers:
        """Return the currencies as columns of several tenants have them, by the tenants' numbers."""
        found: Integers = self.currency + np.array(tenants, np.int64) * len(CURRENCIES)
        return found


def _picker(numbers: Sequence[int]) -> Any:
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda column: [column[number] for number in numbers]


def payments_of(events: Sequence[PaymentInitiated], at_us: Sequence[int]) -> RunPayments:
    """Return payments as columns; `at_us`: their times, microseconds UTC. Their ids were checked."""
    if not events:
        return _NONE
    devices = [device_of(event.device_id) for event in events]
    countries = [country_of(event.counterparty_country) for event in events]
    ids = [
        [id63(event.debtor_account_id) for event in events],
        [id63(event.creditor_account_id) for event in events],
        *([*map(id_of, column)] for column in (devices, countries)),
    ]
    populations = {
        money: at.population_key(*money) for money in {(event.tenant_id, event.currency) for event in events}
    }
    payers, receivers, cards, pairs, accounts = _keys_of_ids(events)
    keys = StateKeys(
        payers,
        receivers,
        cards,
        pairs,
        [
            at.device_key(event.tenant_id, device) if device else b""
            for event, device in zip(events, devices, strict=True)
        ],
        [populations[event.tenant_id, event.currency] for event in events],
    )
    at_s = np.maximum(np.array(at_us, np.int64) // MICROSECONDS_PER_SECOND, 1)
    return RunPayments(
        *(events, at_us, keys, accounts, _undecided(events, at_us, *ids[2:]), devices, countries),
        days=(at_s // DAY_S).tolist(),
        ids=np.array(ids, np.int64),
        minor=np.array([event.amount_minor for event in events], np.int64),
        currency=np.array([NUMBER.get(event.currency, 0) for event in events], np.int64),
    )


def _undecided(
    events: Sequence[PaymentInitiated], at_us: Sequence[int], devices: Sequence[int], countries: Sequence[int]
) -> list[Decision]:
    """Return what is kept of payments, while nothing is decided; `devices`, `countries`: their ids."""
    creditors = [event.creditor_account_id for event in events]
    amounts, currencies = [event.amount_minor for event in events], [event.currency for event in events]
    nowhere, no = repeat(NOWHERE), repeat(False)
    paid = map(Paid, creditors, amounts, currencies, devices, countries, nowhere, no, no)
    debtors = [debtor_hash(event.debtor_account_id) for event in events]
    contents = [content_of(event) for event in events]
    return [*map(Decision, at_us, debtors, contents, repeat(UNSCORED), repeat(None), paid)]


_NONE = RunPayments(
    *((), (), StateKeys((), (), (), (), (), ()), (), (), (), (), ()),
    *(np.zeros((4, 0), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)),
)


def _keys_of_ids(events: Sequence[PaymentInitiated]) -> list[list[bytes]]:
    """Return keys of payer, receiver, card, pair and account: one text of all of them, encoded at once."""
    texts = [
        f"{_PAYER}\0{tenant}\0{debtor}\0\0{_RECEIVER}\0{tenant}\0{debtor}\0\0{_CARD}\0{tenant}\0{payee}"
        f"\0\0{_PAIR}\0{tenant}\0{debtor}\0{payee}\0\0{_ACCOUNT}\0{tenant}\0{debtor}"
        for tenant, debtor, payee in [
            (event.tenant_id, event.debtor_account_id, event.creditor_account_id) for event in events
        ]
    ]
    found = _BETWEEN.join(texts).encode().split(_BETWEEN.encode())
    return [found[first::5] for first in range(5)]


def country_of(text: str | None) -> str | None:
    """Return a country as features have it; an empty one counts as none."""
    return text.upper()[:COUNTRY_LENGTH_MAX] if text else None


def device_of(text: str | None) -> str | None:
    """Return a device as states have it: keys of rows are bounded. An empty one counts as none."""
    return text[:DEVICE_CHARS_MAX] if text else None


def id_of(text: str | None) -> int:
    """Return the id of a device or a country, 0 for none."""
    return id63(text) if text else 0
