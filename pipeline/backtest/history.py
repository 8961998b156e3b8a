"""Payments and labels as columns, in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pipeline.training.data import NEVER_US

Integers = np.ndarray
NOT_NAMED = -1
"""In the place of a text that a payment does not have."""


class Texts(NamedTuple):
    """A column of texts: numbers into words, NOT_NAMED where there is none."""

    numbers: Integers
    words: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Payments, in the order of their time."""

    payment_id: Any
    """Arrow array of texts."""
    place: Integers
    """Where each stands in the file."""
    at_us: Integers
    tenant: str
    debtor: Texts
    creditor: Texts
    """The same words as the debtor's."""
    minor: Integers
    currency: Integers
    """`amounts.NUMBER`."""
    device: Texts
    country: Texts
    channel: Texts
    segment: Texts
    """payroll, treasury or retail."""
    opened_us: Integers
    """When the debtor's account was opened; 0 where that is not known."""

    def __len__(self) -> int:
        return len(self.at_us)


class Labels(NamedTuple):
    """What labels change, in the order of their time: each says something new of its payment."""

    place: Integers
    """Of the payment in the history."""
    at_us: Integers
    """From when on it counts."""
    fraud: Integers
    """bool: FRAUD; or GENUINE, which takes back that the payment was one."""
    genuine: int = 0
    """How many labels say GENUINE of a payment that was none; how many ..."""
    unknown: int = 0
    """... name a payment that is not there, ..."""
    early: int = 0
    """... are earlier than their payment, ..."""
    late: int = 0
    """... come after one was taken back, and are left out, as those that say nothing new are."""

    def known_us(self, count: int) -> tuple[Integers, Integers]:
        """Return of each payment when it was labelled a fraud, and when that was taken back; or NEVER_US."""
        known, cleared = np.full((2, count), NEVER_US, np.int64)
        known[self.place[self.fraud]] = self.at_us[self.fraud]
        cleared[self.place[~self.fraud]] = self.at_us[~self.fraud]
        return known, cleared


def labels_of(place: Integers, fraud: Integers, at_us: Integers, history: History) -> Labels:
    """Return what labels change. `place`: -1 for a payment that is not there; labels are in any order.

    Of one payment FRAUD counts, and a GENUINE after it; nothing else of it does. What counts is decided by
    what came before alone.
    """
    known = np.flatnonzero(place >= 0)
    # By payment, then by time; those of one time in the order in which they stand.
    order = known[np.lexsort((at_us[known], place[known]))]
    of, says = place[order], fraud[order]
    is_first = np.concatenate(([True], of[1:] != of[:-1])) if len(of) else np.zeros(0, bool)
    before = np.concatenate(([False], says[:-1])) & ~is_first
    new = np.flatnonzero(says != before)
    turn = _turn(of[new])
    counts = new[turn < 2]
    genuine = int((~says & ~before).sum())
    late = len(new) - len(counts)
    by_time = order[counts][np.argsort(at_us[order[counts]], kind="stable")]
    early = int((at_us[order] < history.at_us[of]).sum())
    return Labels(
        place[by_time], at_us[by_time], fraud[by_time], genuine, len(place) - len(known), early, late
    )


def _turn(of: Integers) -> Integers:
    """Return how many of the same number stand before each; equal ones stand together."""
    if not len(of):
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.concatenate(([True], of[1:] != of[:-1])))
    sizes = np.diff(np.concatenate((starts, [len(of)])))
    return np.arange(len(of)) - np.repeat(starts, sizes)


def no_labels() -> Labels:
    """Return none."""
    nothing = np.zeros(0, np.int64)
    return Labels(nothing, nothing, nothing.astype(bool))
