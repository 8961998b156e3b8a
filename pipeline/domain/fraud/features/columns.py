"""What the calls of the features take and give, as columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

Integers = np.ndarray


class Payments(NamedTuple):
    """Payments as columns of int64; ids by `ids.id63`, 0 where none is named."""

    at_s: Integers
    debtor: Integers
    payee: Integers
    device: Integers
    country: Integers
    currency: Integers
    """`amounts.NUMBER`; of several tenants as `Rates.together` has it."""
    minor: Integers
    opened_s: Integers
    """When the debtor's account was opened; 0 where it is not known."""


class Keys(NamedTuple):
    """By which keys the states of payments are found; of one tenant, their ids."""

    payer: Sequence[Hashable]
    """Of the debtor, as `receiver`."""
    receiver: Sequence[Hashable]
    card: Sequence[Hashable]
    """Of the payee."""
    pair: Sequence[Hashable]
    device: Sequence[Hashable]
    """Nothing is read of one where no device is named."""
    population: Sequence[Hashable]


class Receipts(NamedTuple):
    """What accounts received, as columns of int64."""

    at_s: Integers
    account: Integers
    payer: Integers
    """0 where nobody paid: a journal."""
    currency: Integers
    minor: Integers
    origins: Integers
    """CARRIED x 2 x payments: what `pay` gave for them."""


class Card(NamedTuple):
    """What is told of a payee."""

    place: int
    """Of the receipt or label that it is due by."""
    payee: int
    values: Any
    """Its words: a list of integers, or what the caller of `receive` has them written as."""


class Judged(NamedTuple):
    """What `pay` says."""

    features: Integers
    """A row for each feature, in the order of `catalogue.NAMES`."""
    origins: Integers
    """CARRIED x 2 x payments: accounts and hops, for the receivers."""


Decide = Callable[[Integers, Integers], Integers]
"""(places, features of these) -> which are approved; bool. Called for each wave, before it is learned."""


def all_approved(places: Integers, features: Integers) -> Integers:
    """Approve every payment, as a backtest does."""
    return np.ones(len(places), bool)


def list_of(rows: Integers) -> list[Any]:
    """Return the rows of an array as lists."""
    found: list[Any] = rows.tolist()
    return found


def keys_of(payments: Payments) -> Keys:
    """Return the ids of payments of one tenant as their keys."""
    debtors, payees = payments.debtor.tolist(), payments.payee.tolist()
    pairs = list(zip(debtors, payees, strict=True))
    return Keys(debtors, debtors, payees, pairs, payments.device.tolist(), payments.currency.tolist())
