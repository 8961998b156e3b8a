"""What a model is trained on, and the split in time: nothing is learned from what was not known then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.fraud.model.artefact import PRESENT_MAX, Integers

DAY_US = 86_400_000_000
NEVER_US = PRESENT_MAX
"""In the place of a time: no label says fraud."""


class TrainingError(ValueError):
    """There is no model to be had of this data. The text says why."""


class XgboostMissing(TrainingError):
    """What trains is not installed. The text says how to."""


class Input(NamedTuple):
    """A feature's name, its unit, and its decimals: values are in units of 10**-decimals."""

    name: str
    unit: str
    decimals: int


@dataclass(frozen=True, slots=True, eq=False)
class Payments:
    """Payments with their features as they were when each was decided."""

    inputs: tuple[Input, ...]
    columns: Integers
    """A row of int64 for each input, a payment a place; MISSING where it is not known."""
    occurred_us: Integers
    amount_minor: Integers
    fraud_known_us: Integers
    """When the label came that says fraud; NEVER_US for none."""
    cleared_us: Integers | None = None
    """When a later label took it back; NEVER_US for none. None: no label was taken back."""

    def some(self, which: NDArray[np.bool_] | slice) -> Payments:
        """Return the payments that are chosen; of a slice views."""
        cleared = None if self.cleared_us is None else self.cleared_us[which]
        return Payments(
            self.inputs, self.columns[:, which], self.occurred_us[which], self.amount_minor[which],
            self.fraud_known_us[which], cleared,
        )  # fmt: skip

    def between(self, from_us: int | None, until_us: int | None) -> Payments:
        """Return the payments of a time; where all are in the order of time, views."""
        at = self.occurred_us
        if not len(at) or (at[1:] >= at[:-1]).all():
            begin = 0 if from_us is None else int(np.searchsorted(at, from_us, side="left"))
            end = len(at) if until_us is None else int(np.searchsorted(at, until_us, side="left"))
            return self.some(slice(begin, max(begin, end)))
        inside = np.ones(len(at), np.bool_)
        if from_us is not None:
            inside &= at >= from_us
        if until_us is not None:
            inside &= at < until_us
        return self.some(inside)

    def frauds_known(self, at_us: int) -> NDArray[np.bool_]:
        """Return which payments are known as frauds at a time."""
        known = self.fraud_known_us <= at_us
        return np.asarray(known if self.cleared_us is None else known & (self.cleared_us > at_us))


class Part(NamedTuple):
    """Payments, and which of them are known as frauds at the time that the part is used."""

    payments: Payments
    frauds: NDArray[np.bool_]


class Split(NamedTuple):
    """Payments by time."""

    early: Part
    """What a model would have learned from at the beginning of the held-out days."""
    held: Part
    """The held-out days: here that model is judged and calibrated."""
    whole: Part
    """All that may be learned from now."""


def split_by_time(payments: Payments, now_us: int, delay_us: int, held_us: int) -> Split:
    """Return the payments split by time.

    Labels need `delay_us` until silence means genuine, so that younger payments are left out: before `now_us`
    of the held-out days, which last `held_us`, and before their beginning of what is learned for them. Raises
    TrainingError where a part has no frauds, or nothing else.
    """
    held_until = now_us - delay_us
    held_from = held_until - held_us
    early = payments.between(None, held_from - delay_us)
    held = payments.between(held_from, held_until)
    whole = payments.between(None, held_until)
    split = Split(
        Part(early, early.frauds_known(held_from)),
        Part(held, held.frauds_known(now_us)),
        Part(whole, whole.frauds_known(now_us)),
    )
    for name, part in (("before the held-out days", split.early), ("in the held-out days", split.held)):
        frauds, all_of_them = int(part.frauds.sum()), len(part.frauds)
        if not 0 < frauds < all_of_them:
            raise TrainingError(
                f"{name}: {frauds} known frauds among {all_of_them} payments; some of both are needed"
            )
    return split
