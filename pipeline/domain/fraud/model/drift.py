"""Whether payments are still spread as those were that the model was made of.

The population stability index of a feature or of the score, sum of (now - then) * ln(now / then) over bins,
in integers, so that every worker says the same. By custom below 0.1 nothing has changed, from 0.25 on the
model judges others than it knows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.domain.fraud.model.artefact import MISSING, SHARES_SUM, Bins, Integers

SHARE_MIN_E6 = 100
"""A share below counts as this: the index of a bin that was empty would be infinite."""
MOVED_E6 = 100_000
DRIFTED_E6 = 250_000
_LN2_E12 = 693_147_180_560
_BITS = 40


def counts(bins: Bins, values: Integers) -> Integers:
    """Return how many values are in each bin, the missing ones last. Counts of batches can be added."""
    number = np.searchsorted(np.array(bins.edges, np.int64), values, side="right")
    number[values == MISSING] = len(bins.edges) + 1
    return np.bincount(number, minlength=len(bins.edges) + 2).astype(np.int64)


def psi_e6(bins: Bins, counted: Sequence[int]) -> int:
    """Return the index of counts against the training data, times 1,000,000; 0 of no payments."""
    whole = sum(counted)
    if not whole:
        return 0
    total = 0
    for then, count in zip(bins.shares_e6, counted, strict=True):
        now = (2 * SHARES_SUM * int(count) + whole) // (2 * whole)
        now, then = max(now, SHARE_MIN_E6), max(then, SHARE_MIN_E6)
        total += (now - then) * (_ln_e12(now) - _ln_e12(then))
    return int(total) // 10**12


def _ln_e12(number: int) -> int:
    """Return the natural logarithm of an integer from 1 on, times 10**12, by squaring."""
    exponent = number.bit_length() - 1
    mantissa = (number << 62) >> exponent
    log2 = exponent
    for _ in range(_BITS):
        mantissa = mantissa * mantissa >> 62
        log2 <<= 1
        if mantissa >> 63:
            mantissa >>= 1
            log2 |= 1
    return log2 * _LN2_E12 >> _BITS
