"""The profile of a debtor: windows, memories and statistics under late, many and extreme payments."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.domain.fraud.profile import (
    AMOUNT_MAX,
    Attempt,
    Memory,
    Profile,
    empty_ring,
    pack_profile,
    read_profile,
)
from pipeline.domain.kernel.layouts import UnknownLayout
from pipeline.domain.kernel.money import INT64_MAX

NOON_S = 1_767_268_800
"""2026-01-01 12:00 UTC."""
HOUR_S = 3600


def attempt(at_s: int = NOON_S, amount_minor: int = 10_00, country: str | None = "FR") -> Attempt:
    return Attempt(at_s, amount_minor, 1, 2, country)


def profile_of(*attempts: Attempt) -> Profile:
    profile = Profile()
    for one in attempts:
        profile.roll(one.at_s)
        profile.add(one, near_threshold=False, probe=False)
        profile.learn(one)
    return profile


def test_late_payments_land_in_their_bucket_and_leave_shorter_windows_alone() -> None:
    profile = profile_of(attempt(NOON_S), attempt(NOON_S - 2 * HOUR_S))
    assert [sum(ring.counts) for ring in profile.rings] == [1, 1, 2, 2]
    profile.roll(NOON_S + 23 * HOUR_S)
    assert [sum(ring.counts) for ring in profile.rings] == [0, 0, 1, 2]


def test_a_ring_keeps_as_many_buckets_as_it_has() -> None:
    ring = empty_ring(12)
    ring.roll(20, 12)
    assert [ring.holds(bucket, 12) for bucket in (8, 9, 20)] == [False, True, True]
    for bucket in (8, 9, 10, 20):
        ring.add(bucket, 12, 100)
    assert (sum(ring.counts), sum(ring.sums)) == (3, 300)
    ring.roll(21, 12)
    assert (sum(ring.counts), sum(ring.sums)) == (2, 200)
    ring.roll(5, 12)
    assert (ring.newest, sum(ring.counts)) == (21, 2)


@pytest.mark.parametrize("size", [12, 24, 28])
def test_one_payment_in_an_empty_ring_stands_in_the_row_as_any_other(size: int) -> None:
    for bucket in range(size):
        quick, plain = empty_ring(size), empty_ring(size)
        assert plain.counts == plain.sums == [0] * size
        for ring in (quick, plain):
            ring.roll(size - 1, size)
            ring.add(bucket, size, 10**12)
        assert msgspec.msgpack.encode(quick) == msgspec.msgpack.encode(plain)
        assert (quick.counts, quick.sums) == (plain.counts, plain.sums)


def test_sums_stop_at_64_bits() -> None:
    profile = profile_of(*[attempt(amount_minor=INT64_MAX)] * 300)
    assert max(profile.rings[0].sums) == INT64_MAX
    assert pack_profile(read_profile(pack_profile(profile))) == pack_profile(profile)


def test_a_memory_forgets_the_id_used_longest_ago() -> None:
    memory = Memory([], [], [], [])
    for key, at_s in ((7, 10), (8, 20), (9, 30)):
        memory.see(key, at_s, 3)
        memory.learn(key)
    memory.see(7, 40, 3)
    memory.see(5, 15, 3)
    assert memory.ids == [7, 8, 9], "one that is older than all makes no room for itself"
    memory.see(5, 35, 3)
    assert memory.ids == [7, 5, 9]
    assert [memory.knows(key) for key in (5, 7, 8)] == [False, True, False]


def test_a_late_payment_moves_the_first_time_back_and_not_the_last() -> None:
    memory = Memory([], [], [], [])
    for at_s in (20, 10, 30, 25):
        memory.see(7, at_s, 3)
    assert (memory.first_s, memory.last_s) == ([10], [30])


def test_a_late_payment_does_not_become_the_latest_habit() -> None:
    profile = profile_of(attempt(country="BR"), attempt(NOON_S - HOUR_S, country="FR"))
    assert (profile.country, profile.country_s, profile.approved_s) == ("BR", NOON_S, NOON_S)


def test_mean_and_deviation_outlive_the_halving_of_the_sums() -> None:
    profile = profile_of(*[attempt(amount_minor=300), attempt(amount_minor=100)] * 300)
    assert 128 <= profile.amounts < 256
    assert abs(profile.amounts_sum * 100 // profile.amounts - 200_00) <= 1_00
    variance = profile.squares // profile.amounts - (profile.amounts_sum // profile.amounts) ** 2
    assert 9_500 <= variance <= 10_500


def test_an_extreme_amount_counts_as_the_largest() -> None:
    profile = profile_of(attempt(amount_minor=INT64_MAX))
    assert (profile.amounts_sum, profile.squares) == (AMOUNT_MAX, AMOUNT_MAX**2)


def test_a_row_of_a_layout_to_come_is_not_guessed_at() -> None:
    with pytest.raises(UnknownLayout, match="layout 9"):
        read_profile(b"\x09" + pack_profile(Profile())[1:])
