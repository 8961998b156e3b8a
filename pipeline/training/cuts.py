"""Cuts of xgboost, which are float32, as integers that send every integer the same way."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from pipeline.domain.fraud.model.artefact import MISSING, PRESENT_MAX
from pipeline.training.data import TrainingError


def integer_cut(cut: float) -> int:
    """Return the lowest integer that xgboost sends right at a cut, which is a float32.

    xgboost rounds a value to float32, half to even, and asks whether it is below the cut. So x goes right
    from halfway between the cut and the number of float32 below it; at halfway itself if the cut is the even
    one. Up to 2**24 that is the cut rounded up: x < 3.5 is x < 4. Raises TrainingError for a cut above every
    int64.
    """
    exact = np.float32(cut)
    if not np.isfinite(exact) or float(exact) != cut:
        raise TrainingError(f"a cut at {cut} is no float32")
    if exact <= np.float32(MISSING):
        return MISSING + 1
    below = np.nextafter(exact, np.float32(-np.inf))
    half = (Fraction(float(exact)) + Fraction(float(below))) / 2
    lowest = -(-half.numerator // half.denominator)
    if half == lowest and int(exact.view(np.uint32)) % 2:
        lowest += 1
    if lowest > PRESENT_MAX:
        raise TrainingError(f"a cut at {cut} is above every value")
    return max(lowest, MISSING + 1)
