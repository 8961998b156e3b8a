"""Digits that others wrote: what is no number, or too long a one, is a finding, never the verifier's end."""

from __future__ import annotations

import pytest

from pipeline.verify.dead_ranges import HEADER, Ranges
from pipeline.verify.model.record import Record
from pipeline.verify.numbers import number_in
from pipeline.verify.reader import _owner_of
from tests.chaos.judge import Problems

LONG = b"9" * 5_000
"""More digits than Python reads as a number."""


@pytest.mark.parametrize("digits", [b"", b"x", b"-1", b"1.0", b" 1", "²".encode(), LONG])
def test_what_is_no_number_is_none(digits: bytes) -> None:
    assert number_in(digits) is None


def test_an_offset_is_a_number() -> None:
    assert (number_in(b"0"), number_in(b"9223372036854775807")) == (0, 2**63 - 1)


def test_a_branch_with_too_long_a_number_is_on_no_partition() -> None:
    assert _owner_of(b"north/$clearing:" + LONG, True, 4) == -1


@pytest.mark.parametrize("last", [b"x", LONG])
def test_a_dead_letter_of_a_range_without_an_end_is_a_finding(last: bytes) -> None:
    problems = Problems()
    letter = Record("dead-letters", 0, 0, 0, b"k", b"v", {HEADER + "last-offset": last}, None, {}, None)
    Ranges(problems).add("payments", 0, 3, letter)
    (found,) = problems.new
    assert "names no range of payments[0]" in found.text and len(found.text) < 200
