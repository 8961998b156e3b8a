"""Edges, components and outcomes: bounds, and that neither order nor a library decides."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.reconciliation.assigning.components import around, components
from pipeline.domain.reconciliation.assigning.edges import (
    EDGES_MAX,
    Edge,
    confirmable,
    link,
    strongest,
    unlink,
)
from pipeline.domain.reconciliation.assigning.outcomes import SUGGESTIONS_MAX, Decided, Outcome, decide
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.domain.reconciliation.scoring.features import AMOUNT, FEATURES, REFERENCE

_KEYS = st.integers(0, 9).map(lambda number: b"%d" % number)
_EDGES = st.lists(
    st.builds(
        Edge, _KEYS.map(lambda key: b"p" + key), _KEYS.map(lambda key: b"l" + key), st.integers(-3_000, 9_000)
    ),
    unique_by=lambda edge: edge[:2],
    max_size=40,
)

_MANY_EDGES = st.lists(
    st.builds(
        Edge,
        st.sampled_from([b"p1", b"p2", b"p3"]),
        st.integers(0, 30).map(lambda number: b"l%d" % number),
        st.integers(-9, 9),
    ),
    unique_by=lambda edge: edge[:2],
    max_size=60,
)


def shuffled(edges: list[Edge], seed: int) -> list[Edge]:
    return Random(seed).sample(edges, len(edges))


@given(_EDGES, st.integers(2, 12), st.integers(0, 10**6))
def test_components_are_bounded_and_no_order_decides_which(
    edges: list[Edge], items_max: int, seed: int
) -> None:
    found = components(edges, items_max)
    assert found == components(shuffled(edges, seed), items_max)
    for component in found:
        assert len({key for edge in component for key in (edge.posting, edge.line)}) <= items_max
    ends = [
        key for component in found for key in {end for edge in component for end in (edge.posting, edge.line)}
    ]
    assert len(ends) == len(set(ends)), "an item is in one component"


@given(_EDGES)
def test_without_need_no_edge_is_cut(edges: list[Edge]) -> None:
    assert sorted(edge for component in components(edges) for edge in component) == sorted(edges)


def test_the_weakest_edge_is_cut_and_of_equal_ones_the_one_with_the_later_key() -> None:
    chain = [
        Edge(b"p1", b"l1", 900),
        Edge(b"p2", b"l1", 500),
        Edge(b"p2", b"l2", 900),
        Edge(b"p3", b"l2", 500),
    ]
    assert [sorted(component) for component in components(chain, 4)] == [sorted(chain[:3])]


@given(_EDGES, _KEYS, st.integers(2, 12), st.integers(0, 10**6))
def test_what_is_around_an_item_is_bounded_and_no_order_decides_it(
    edges: list[Edge], key: bytes, items_max: int, seed: int
) -> None:
    start = b"l" + key
    found = around(start, lambda end: [edge for edge in edges if end in edge[:2]], items_max)
    mixed = shuffled(edges, seed)
    assert found == around(start, lambda end: [edge for edge in mixed if end in edge[:2]], items_max)
    assert len({end for edge in found for end in edge[:2]} | {start}) <= items_max
    own = [edge for edge in edges if edge.line == start]
    if len(own) < items_max:
        assert set(own) <= set(found), "its own edges come first"
    whole = [component for component in components(edges) if any(edge.line == start for edge in component)]
    if whole and items_max >= len({end for edge in whole[0] for end in edge[:2]}):
        assert sorted(found) == sorted(whole[0])


@given(_EDGES, st.integers(0, 10**6), st.booleans())
def test_outcomes_are_bounded_and_no_order_decides_them(edges: list[Edge], seed: int, early: bool) -> None:
    decided = decide(edges, DEFAULT_WEIGHTS, early)
    assert decided == decide(shuffled(edges, seed), DEFAULT_WEIGHTS, early)
    pairs = [one.edge for one in confirmed(decided)]
    claimed = Counter(key for edge in pairs for key in edge[:2])
    assert all(count == 1 for count in claimed.values()), "an item is claimed once"
    assert all(edge.score >= DEFAULT_WEIGHTS.confirm_from for edge in pairs)
    suggested = Counter(key for one in decided if one.outcome is Outcome.SUGGESTED for key in one.edge[:2])
    assert not suggested.keys() & claimed.keys(), "nothing is suggested for what is confirmed"
    assert all(count <= SUGGESTIONS_MAX for count in suggested.values())
    assert all(one.edge.score >= DEFAULT_WEIGHTS.suggest_from for one in decided)


@given(_EDGES)
def test_the_strongest_edges_are_kept_and_so_many_at_most_at_each_item(edges: list[Edge]) -> None:
    kept = strongest(edges, 2)
    count = Counter(key for edge in kept for key in edge[:2])
    assert all(number <= 2 for number in count.values())
    assert all(max(count[edge.posting], count[edge.line]) == 2 for edge in edges if edge not in kept)
    assert EDGES_MAX == 8


@given(_MANY_EDGES)
def test_an_edge_is_in_the_lists_of_both_its_ends_or_of_none(edges: list[Edge]) -> None:
    edges_of: dict[bytes, list[Edge]] = {key: [] for edge in edges for key in edge[:2]}
    for edge in edges:
        link(edges_of, edge)
        for key, kept in edges_of.items():
            assert len(kept) <= EDGES_MAX
            assert all(one in edges_of[one.other(key)] for one in kept)
    for edge in edges:
        unlink(edges_of, edge)
    assert not any(edges_of.values())


def test_an_edge_pushes_out_the_weakest_and_is_not_kept_if_it_is_the_weakest() -> None:
    edges_of: dict[bytes, list[Edge]] = {b"p": [], **{b"l%d" % number: [] for number in range(10)}}
    for number in range(EDGES_MAX):
        link(edges_of, Edge(b"p", b"l%d" % number, 100 + number))
    link(edges_of, Edge(b"p", b"l8", 50))
    assert edges_of[b"l8"] == []
    link(edges_of, Edge(b"p", b"l9", 200))
    assert edges_of[b"l0"] == [] and edges_of[b"p"][0].line == b"l9"


def test_on_arrival_more_has_to_speak_for_a_pair_than_when_it_is_due() -> None:
    weights = msgspec.structs.replace(
        DEFAULT_WEIGHTS, confirm_from=0, suggest_from=0, margin=1_000, early_margin=2_000
    )
    pair = [Edge(b"p", b"l", 1_500)]
    assert [one.outcome for one in decide(pair, weights)] == [Outcome.CONFIRMED]
    assert [one.outcome for one in decide(pair, weights, early=True)] == [Outcome.SUGGESTED]


def test_of_two_that_want_one_line_the_better_total_is_confirmed_not_the_better_pair() -> None:
    edges = [Edge(b"p1", b"l1", 9_000), Edge(b"p1", b"l2", 8_500), Edge(b"p2", b"l1", 8_000)]
    assert [one.edge for one in confirmed(decide(edges, DEFAULT_WEIGHTS))] == [edges[1], edges[2]]


def test_what_may_not_be_confirmed_is_suggested_and_disputes_nothing() -> None:
    edges = [
        Edge(b"p", b"fee", 20_000, confirmable=False),
        Edge(b"p", b"l", 5_000),
        Edge(b"q", b"fee", 4_000, False),
    ]
    decided = {one.edge: one.outcome for one in decide(edges, DEFAULT_WEIGHTS)}
    assert decided == {edges[1]: Outcome.CONFIRMED, edges[2]: Outcome.SUGGESTED}


def test_other_amounts_under_other_references_are_two_payments() -> None:
    def found(amount: str, reference: str) -> bool:
        buckets = {AMOUNT: amount, REFERENCE: reference}
        return confirmable(tuple(one.at(buckets[one]) if one in buckets else 0 for one in FEATURES))

    fee, none, others = "less by what looks like a fee", "a side has none", "different references"
    assert not found(fee, others) and not found("within 1 %", others)
    assert found(fee, none) and found(fee, "the same reference") and found("equal", others)


@given(_EDGES, st.booleans())
def test_what_is_decided_about_an_item_alone_is_what_is_decided_of_all(
    edges: list[Edge], early: bool
) -> None:
    whole = confirmed(decide(edges, DEFAULT_WEIGHTS, early))
    for key in {key for edge in edges for key in edge[:2]}:
        alone = decide(edges, DEFAULT_WEIGHTS, early, key)
        assert confirmed(alone) == [one for one in whole if key in one.edge[:2]]
        assert all(key in one.edge[:2] for one in alone)
        assert len(alone) <= SUGGESTIONS_MAX


def confirmed(decided: list[Decided]) -> list[Decided]:
    return [one for one in decided if one.outcome is Outcome.CONFIRMED]
