"""The best assignment: its total is the best there is, and margins are what is lost without a pair."""

from __future__ import annotations

from functools import cache
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.reconciliation.assigning.best import best_pairs

Gains = dict[tuple[bytes, bytes], int]

_KEYS = st.integers(0, 5).map(lambda number: b"%d" % number)
_GAINS = st.dictionaries(st.tuples(_KEYS, _KEYS), st.integers(0, 30) | st.integers(0, 100_000), max_size=20)


@given(_GAINS)
def test_no_assignment_gains_more_and_a_margin_is_what_is_lost_without_the_pair(gains: Gains) -> None:
    pairs = best_pairs(gains)
    best = _by_trying_all(gains)
    assert sum(gains[pair.posting, pair.line] for pair in pairs) == best
    for pair in pairs:
        without = {ends: gain for ends, gain in gains.items() if ends != (pair.posting, pair.line)}
        assert pair.margin == best - _by_trying_all(without)


@given(_GAINS)
def test_each_posting_and_each_line_is_in_one_pair_at_most_and_each_pair_was_possible(gains: Gains) -> None:
    pairs = best_pairs(gains)
    assert {(pair.posting, pair.line) for pair in pairs} <= set(gains)
    assert len(pairs) == len({pair.posting for pair in pairs}) == len({pair.line for pair in pairs})


@given(_GAINS, st.integers(0, 10**6))
def test_the_order_in_which_pairs_are_given_decides_nothing(gains: Gains, seed: int) -> None:
    shuffled = list(gains.items())
    Random(seed).shuffle(shuffled)
    assert best_pairs(dict(shuffled)) == best_pairs(gains)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 60))
def test_its_total_is_that_of_scipy_on_larger_graphs(seed: int, postings: int, lines: int) -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="scipy comes with the extra `train`")
    chance = np.random.default_rng(seed)
    matrix = chance.integers(0, 12_000, (postings, lines)) * (chance.random((postings, lines)) < 0.2)
    gains = {
        (b"p%03d" % at, b"l%03d" % to): int(matrix[at, to])
        for at, to in zip(*np.nonzero(matrix), strict=True)
    }
    rows, columns = optimize.linear_sum_assignment(matrix, maximize=True)
    assert sum(gains[pair.posting, pair.line] for pair in best_pairs(gains)) == matrix[rows, columns].sum()


def test_a_later_line_gives_way_where_the_total_is_better() -> None:
    gains = {(b"p1", b"l1"): 100, (b"p1", b"l2"): 90, (b"p2", b"l1"): 80}
    assert [(pair.posting, pair.line, pair.margin) for pair in best_pairs(gains)] == [
        (b"p1", b"l2", 70),
        (b"p2", b"l1", 70),
    ]


def test_equal_twins_have_no_margin() -> None:
    twins = {(posting, line): 9_000 for posting in (b"p1", b"p2") for line in (b"l1", b"l2")}
    assert [pair.margin for pair in best_pairs(twins)] == [0, 0]


def _by_trying_all(gains: Gains) -> int:
    postings = sorted({posting for posting, _ in gains})
    lines = sorted({line for _, line in gains})

    @cache
    def best(at: int, taken: frozenset[bytes]) -> int:
        if at == len(postings):
            return 0
        totals = [best(at + 1, taken)]
        for line in lines:
            gain = gains.get((postings[at], line))
            if gain is not None and line not in taken:
                totals.append(gain + best(at + 1, taken | {line}))
        return max(totals)

    return best(0, frozenset())
