"""Learning of weights: what labels teach, what they do not, and thresholds that labels have to show."""

from __future__ import annotations

from random import Random

import msgspec
import numpy as np

from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.domain.reconciliation.scoring.features import AMOUNT, FEATURES, Evidence
from pipeline.domain.reconciliation.scoring.weights import Weights, from_json
from pipeline.training.matching.fitting import WEIGHT_MAX, _loss, _movable, fit
from pipeline.training.matching.groups import MISSING_COUNTS, groups
from pipeline.training.matching.thresholds import learn

_AMOUNT = FEATURES.index(AMOUNT)
_NEAR, _FAR = AMOUNT.at("within 5 %"), AMOUNT.at("within 8 %")

Pairs = list[tuple[bytes, bytes, Evidence]]


def pair(amount: int, days: int = 3, words: int = 0) -> Evidence:
    found = [0] * len(FEATURES)
    found[_AMOUNT], found[2] = amount, days
    found[5:8] = [words, min(words, 7), min(words, 6)]
    return tuple(found)


def world(labels: int, near_is_right: float, seed: int = 1) -> tuple[Pairs, dict[bytes, bytes]]:
    """Return candidates and labels: each line has a posting within 5 % and one within 8 %."""
    chance, pairs, partners = Random(seed), Pairs(), {}
    for number in range(labels):
        line, near, far = b"l%05d" % number, b"p%05d" % number, b"q%05d" % number
        pairs += [(near, line, pair(_NEAR)), (far, line, pair(_FAR))]
        partners[line] = near if chance.random() < near_is_right else far
    return pairs, partners


def difference(weights: Weights) -> int:
    return weights.tables[_AMOUNT][_NEAR] - weights.tables[_AMOUNT][_FAR]


def test_what_is_right_more_often_counts_more() -> None:
    always, often, seldom = (
        difference(fit(groups(*world(2_000, share)), DEFAULT_WEIGHTS)) for share in (1.0, 0.9, 0.1)
    )
    assert always > often > 2_197, "the logarithm of nine to one, in thousandths"
    assert seldom < -2_197


def test_a_few_labels_move_little_and_none_moves_nothing() -> None:
    before = difference(DEFAULT_WEIGHTS)
    few = difference(fit(groups(*world(4, 0.0)), DEFAULT_WEIGHTS))
    many = difference(fit(groups(*world(400, 0.0)), DEFAULT_WEIGHTS))
    assert before > few > many
    assert before - few < 2_000
    assert learn([], {}, DEFAULT_WEIGHTS) == DEFAULT_WEIGHTS
    assert learn(world(9, 0.9)[0], {}, DEFAULT_WEIGHTS) == DEFAULT_WEIGHTS


def test_buckets_that_were_never_seen_keep_their_weight() -> None:
    learned = fit(groups(*world(500, 0.9)), DEFAULT_WEIGHTS)
    for place, table in enumerate(DEFAULT_WEIGHTS.tables[1:], 1):
        for bucket, weight in enumerate(table):
            if (place, bucket) not in {(_AMOUNT, _NEAR), (_AMOUNT, _FAR)}:
                assert learned.tables[place][bucket] == weight


def test_the_weights_found_are_those_of_the_least_loss() -> None:
    found = groups(*world(300, 0.8))
    learned = fit(found, DEFAULT_WEIGHTS)
    start, here = (
        np.concatenate([np.array(table) / 1_000 for table in one.tables])
        for one in (DEFAULT_WEIGHTS, learned)
    )
    least, _ = _loss(found, here, start)
    for place in np.flatnonzero(_movable(found)):
        for step in (-0.05, 0.05):
            moved = here.copy()
            moved[place] += step
            assert _loss(found, moved, start)[0] > least


def test_the_order_of_candidates_and_labels_decides_nothing() -> None:
    pairs, partners = world(300, 0.8)
    shuffled = Random(5).sample(pairs, len(pairs))
    first, second = (
        fit(groups(pairs, partners), DEFAULT_WEIGHTS),
        fit(groups(shuffled, partners), DEFAULT_WEIGHTS),
    )
    assert all(
        abs(a - b) <= 1
        for left, right in zip(first.tables, second.tables, strict=True)
        for a, b in zip(left, right, strict=True)
    )


def test_each_labelled_pair_is_also_learned_from_as_if_its_partner_had_never_come() -> None:
    pairs = [(b"p", b"l", pair(_NEAR)), (b"q", b"l", pair(_FAR))]
    found = groups(pairs, {b"l": b"p"})
    assert found.counts.tolist() == [1.0, MISSING_COUNTS, 1.0]
    assert found.right.tolist() == [True, False, False, True]
    assert found.group.tolist() == [0, 0, 1, 2]


def test_pairs_that_people_turned_down_count_less() -> None:
    pairs, _ = world(200, 1.0)
    rejected = frozenset((b"p%05d" % number, b"l%05d" % number) for number in range(200))
    learned = learn(pairs, {}, DEFAULT_WEIGHTS, rejected)
    assert learned.score(pair(_NEAR)) < DEFAULT_WEIGHTS.score(pair(_NEAR)) - 1_000
    assert learned.tables[_AMOUNT][_FAR] == DEFAULT_WEIGHTS.tables[_AMOUNT][_FAR]


def test_weights_that_were_learned_can_be_published() -> None:
    learned = learn(*world(300, 1.0), DEFAULT_WEIGHTS)
    assert from_json(learned.canonical()) == learned
    assert all(abs(weight) <= WEIGHT_MAX for table in learned.tables for weight in table)


def clear_world(labels: int, wrong: int) -> tuple[Pairs, dict[bytes, bytes]]:
    """Return labels of pairs that words show clearly, some of which are wrong all the same."""
    pairs, partners = Pairs(), {}
    for number in range(labels):
        line, right, other = b"l%05d" % number, b"p%05d" % number, b"q%05d" % number
        pairs += [(right, line, pair(0, words=8)), (other, line, pair(_FAR, words=1))]
        partners[line] = other if number < wrong else right
    return pairs, partners


def test_thresholds_are_lowered_only_by_enough_labels_and_not_by_labels_that_prove_them_wrong() -> None:
    before = msgspec.structs.replace(DEFAULT_WEIGHTS, confirm_from=9_999, margin=9_999)
    assert learn(*clear_world(2_000, 0), before).margin < 9_999
    assert learn(*clear_world(300, 0), before).margin == 9_999
    assert learn(*clear_world(2_000, 40), before).margin == 9_999
