"""How well small businesses are matched by default and by learned weights: `business.py` has the truth.

The bounds are below what is reached (said beside them), so that they say when something broke, not
when a bucket was moved.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.domain.reconciliation.scoring.weights import Weights
from pipeline.training.matching.thresholds import learn
from tests.reconciliation_matching.account import Account
from tests.reconciliation_matching.business import Business, business

WAIT_DAYS = 22


class Quality(NamedTuple):
    precision: float
    recall: float
    recall_with_suggestions: float


@pytest.mark.parametrize("seed", [1, 2])
def test_the_default_weights_find_most_pairs_and_confirm_hardly_any_wrong_one(seed: int) -> None:
    facts = business(seed, 1_500)
    quality = quality_of(facts, settled(facts, DEFAULT_WEIGHTS))
    assert quality.precision >= 0.99, "reached: 0.998"
    assert quality.recall >= 0.82, "reached: 0.88"
    assert quality.recall_with_suggestions >= 0.95, "reached: 0.98"


def test_weights_that_were_learned_from_a_fifth_of_the_pairs_do_not_confirm_more_wrong_ones() -> None:
    facts = business(3, 1_500)
    labels = {
        line: posting for line, posting in facts.posting_of.items() if posting and int(line[1:]) % 5 == 0
    }
    before = settled(facts, DEFAULT_WEIGHTS, frozenset(labels) | frozenset(labels.values()))
    pairs = [(posting, line, found) for (posting, line), found in before.pairs_seen.items()]
    learned = quality_of(facts, settled(facts, learn(pairs, labels, DEFAULT_WEIGHTS)))
    first = quality_of(facts, before)
    assert learned.precision >= first.precision - 0.001
    assert learned.recall >= first.recall - 0.01
    assert learned.recall_with_suggestions >= first.recall_with_suggestions - 0.02


def test_the_same_arrivals_give_the_same_matches_and_suggestions() -> None:
    facts = business(4, 400)
    first, second = settled(facts, DEFAULT_WEIGHTS), settled(facts, DEFAULT_WEIGHTS)
    assert first.matches == second.matches
    assert first.suggested == second.suggested
    claimed = [key for match in first.matches for key in (match.posting, match.line)]
    assert len(claimed) == len(set(claimed))


def settled(facts: Business, weights: Weights, keep_evidence: frozenset[bytes] = frozenset()) -> Account:
    account = Account(weights, WAIT_DAYS)
    account.keep_evidence = keep_evidence
    for item in facts.arrivals:
        account.arrive(item)
    account.end()
    return account


def quality_of(facts: Business, account: Account) -> Quality:
    to_find = {(posting, line) for line, posting in facts.posting_of.items() if posting}
    confirmed = {(match.posting, match.line) for match in account.matches}
    suggested = {(one.edge.posting, one.edge.line) for found in account.suggested.values() for one in found}
    right = confirmed & to_find
    return Quality(
        len(right) / len(confirmed),
        len(right) / len(to_find),
        len((confirmed | suggested) & to_find) / len(to_find),
    )
