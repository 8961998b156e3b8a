"""Money: 64 bits and not one more."""

from __future__ import annotations

import pytest

from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN, Overflow, add, checked, fits


@pytest.mark.parametrize("value", [INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX])
def test_what_an_avro_long_can_carry_fits(value: int) -> None:
    assert fits(value)
    assert checked(value) == value


@pytest.mark.parametrize("value", [INT64_MIN - 1, INT64_MAX + 1, 10**30, -(10**30)])
def test_what_it_cannot_carry_does_not(value: int) -> None:
    assert not fits(value)
    with pytest.raises(Overflow):
        checked(value)


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        (INT64_MAX, 0, INT64_MAX),
        (INT64_MAX - 1, 1, INT64_MAX),
        (INT64_MAX, INT64_MIN, -1),
        (INT64_MIN, 0, INT64_MIN),
        (2**62, 2**62 - 1, INT64_MAX),
        (-(2**62), -(2**62), INT64_MIN),
    ],
)
def test_sums_up_to_the_bound(left: int, right: int, total: int) -> None:
    assert add(left, right) == add(right, left) == total


@pytest.mark.parametrize(("left", "right"), [(INT64_MAX, 1), (INT64_MIN, -1), (2**62, 2**62)])
def test_sums_beyond_the_bound(left: int, right: int) -> None:
    with pytest.raises(Overflow):
        add(left, right)


def test_an_overflow_is_an_arithmetic_error() -> None:
    assert issubclass(Overflow, ArithmeticError)
