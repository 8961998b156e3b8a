"""Cuts: an integer cut sends every integer the way that xgboost's float32 sends it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.model.artefact import MISSING, PRESENT_MAX
from pipeline.training.cuts import integer_cut
from pipeline.training.data import TrainingError

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**63), max_value=2.0**62)
SMALL = st.floats(width=32, min_value=-1_000, max_value=1_000)


def nearest_float32(x: int) -> Fraction:
    """Return the float32 that is nearest to an integer, half to even, by fractions alone."""
    guess = np.float32(float(x))
    near = [np.nextafter(guess, np.float32(way)) for way in (-np.inf, np.inf)] + [guess]
    best = min(near, key=lambda one: (abs(Fraction(float(one)) - x), int(one.view(np.uint32)) % 2))
    return Fraction(float(best))


@pytest.mark.parametrize(
    ("cut", "integer"),
    [(3.5, 4), (4.0, 4), (-0.5, 0), (-3.5, -3), (0.0, 0), (2.0**24, 2**24), (1e-40, 1)],
)  # fmt: skip
def test_a_cut_is_rounded_up_where_float32_has_every_integer(cut: float, integer: int) -> None:
    assert integer_cut(float(np.float32(cut))) == integer


def test_beyond_that_halfway_goes_to_the_even_one() -> None:
    # 2**24 + 1 is no float32; it is read as 2**24. 2**24 + 3 is read as 2**24 + 4.
    assert [integer_cut(2.0**24 + step) for step in (2, 4)] == [2**24 + 2, 2**24 + 3]


@given(SMALL | FLOATS, st.integers(-3, 3) | st.integers(-(2**41), 2**41))
def test_every_integer_goes_the_same_way(cut: float, away: int) -> None:
    integer = integer_cut(cut)
    for x in {integer + away, integer - 1, integer, integer + 1}:
        if MISSING < x <= PRESENT_MAX:
            # A column, as training has it: np.float32(x) of a Python integer rounds twice.
            rounded = np.array([x], np.int64).astype(np.float32)[0]
            assert (x < integer) == bool(rounded < np.float32(cut))
            assert Fraction(float(rounded)) == nearest_float32(x)


@pytest.mark.parametrize("cut", [float("nan"), float("inf"), 0.1, 2.0**64])
def test_what_cannot_be_a_cut_of_an_int64_is_refused(cut: float) -> None:
    with pytest.raises(TrainingError):
        integer_cut(cut)


def test_the_lowest_cut_sends_every_value_right() -> None:
    assert integer_cut(-(2.0**63)) == integer_cut(-(2.0**100)) == MISSING + 1
