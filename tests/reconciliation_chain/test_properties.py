"""Every chain: the order of arrival decides nothing, repeats do nothing, a fault gives its break."""

from __future__ import annotations

import random
from itertools import pairwise, permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.reconciliation.chain.inputs import Closing
from pipeline.domain.reconciliation.chain.line_numbers import Runs, has, with_number
from pipeline.domain.reconciliation.chain.order import in_order, rank
from pipeline.domain.reconciliation.chain.rows import RUNS_MAX, History, Link, history_key
from tests.reconciliation_chain.random_chains import (
    Said,
    arrivals,
    chain,
    copy_of,
    tell,
    told,
    with_figures,
    with_lines,
)
from tests.reconciliation_chain.stories import ACCOUNT, Bank

SEEDS = st.integers(0, 2**32)
FAULTS = ("none", "removed", "doubled", "closing", "opening", "amount", "line", "two removed")


def broken(rng: random.Random, said: list[Said], fault: str) -> tuple[list[Said], list[str]]:
    """Return a chain with a fault in it, not at its ends, and the breaks that it has to have."""
    place = rng.randrange(1, len(said) - 2)
    one, after = said[place], said[place + 1]
    closing, behind = one.closing, after.closing
    moved = closing.closing_minor - closing.opening_minor
    off = rng.randrange(1, 10**6)
    changed = [*said]
    match fault:
        case "removed":
            del changed[place]
            return changed, [f"GAP {moved} {behind.statement_id}"]
        case "two removed":
            del changed[place : place + 2]
            moved += behind.closing_minor - behind.opening_minor
            return changed, [f"GAP {moved} {said[place + 2].closing.statement_id}"]
        case "doubled":
            changed.insert(place + 1, copy_of(one, "COPY"))
            return changed, [f"OVERLAP {moved} COPY"]
        case "closing":
            changed[place] = with_figures(one, closing_minor=closing.closing_minor + off)
            mine = f"CLOSING_BALANCE {off} {closing.statement_id}"
            return changed, [mine, f"OPENING_BALANCE {-off} {behind.statement_id}"]
        case "opening":
            changed[place] = with_figures(one, opening_minor=closing.opening_minor + off)
            mine = f"CLOSING_BALANCE {-off} {closing.statement_id}"
            return changed, [mine, f"OPENING_BALANCE {off} {closing.statement_id}"]
        case "amount":
            first, *rest = one.lines
            wrong = msgspec.structs.replace(first, amount_minor=first.amount_minor + off)
            changed[place] = with_lines(one, (wrong, *rest))
            return changed, [f"CLOSING_BALANCE {-off} {closing.statement_id}"]
        case "line":
            changed[place] = with_lines(one, one.lines[:-1])
            return changed, [f"SEQUENCE_GAP 0 {closing.statement_id}"]
        case _:
            return changed, []


@pytest.mark.parametrize("fault", FAULTS)
@given(SEEDS, st.integers(4, 12), st.booleans())
def test_a_fault_gives_its_break_and_no_other_in_any_order_of_arrival(
    fault: str, seed: int, count: int, numbered: bool
) -> None:
    rng = random.Random(seed)
    said, expected = broken(rng, chain(rng, count, numbered=numbered), fault)
    events = arrivals(said)
    in_time = told(events)
    assert in_time.standing() == sorted(expected)
    rng.shuffle(events)
    shuffled = told(events)
    if fault == "doubled":  # which of two copies is named depends on which came first
        assert [text.split()[0] for text in shuffled.standing()] == ["OVERLAP"]
    else:
        assert shuffled.standing() == in_time.standing()
        assert shuffled.chain() == in_time.chain()
    assert shuffled.keys == in_time.keys


@given(SEEDS, st.integers(4, 12), st.sampled_from(FAULTS), st.booleans())
def test_repeats_have_no_effect(seed: int, count: int, fault: str, constant_id: bool) -> None:
    rng = random.Random(seed)
    said = chain(rng, count, numbered=False, constant_id=constant_id)
    if not constant_id:
        said, _ = broken(rng, said, fault)
    events = arrivals(said)
    once, bank = told(events), Bank()
    for place, event in enumerate(events):
        tell(bank, event)
        for again in rng.sample(events[: place + 1], min(place + 1, 3)):
            known = bank.standing()
            assert tell(bank, again) == "REPEAT"
            assert bank.standing() == known
    assert (bank.standing(), bank.chain(), bank.keys) == (once.standing(), once.chain(), once.keys)


@given(SEEDS, st.integers(1, 30), st.booleans())
def test_one_id_for_all_statements_is_as_good_as_an_id_for_each(
    seed: int, count: int, numbered: bool
) -> None:
    by_id = told(arrivals(chain(random.Random(seed), count, numbered=numbered)))
    rng = random.Random(seed)
    said = chain(rng, count, numbered=numbered, constant_id=True)
    bank = told(arrivals(said))
    assert bank.standing() == by_id.standing() == []
    assert len(bank.keys) == len(by_id.keys)
    assert len(bank.chain()) == count
    history = bank.rows.get(history_key(ACCOUNT, "EUR"), History)
    assert history is not None
    assert all(link.sound for link in history.links)


def joins(links: list[Link] | tuple[Link, ...], balance: int | None) -> int:
    """Return how many statements do not open with what the one before closed with."""
    number = 0
    for link in links:
        number += balance is not None and link.closing.opening_minor != balance
        balance = link.closing.closing_minor
    return number


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=6),
    st.none() | st.integers(0, 4),
)
def test_statements_of_a_day_are_in_an_order_that_none_is_better_than(
    figures: list[tuple[int, int]], balance: int | None
) -> None:
    closings = [Closing(f"S{place}", "EUR", *pair, 1, 0) for place, pair in enumerate(figures)]
    links = sorted((Link(closing, 1, 0) for closing in closings), key=rank)
    ordered = in_order(links, balance)
    assert sorted(ordered, key=rank) == links
    assert joins(ordered, balance) == min(joins(other, balance) for other in permutations(links))


@given(st.lists(st.integers(0, 40), unique=True))
def test_line_numbers_are_a_set(numbers: list[int]) -> None:
    runs: Runs = ()
    for place, number in enumerate(numbers):
        assert not has(runs, number)
        runs = with_number(runs, number)
        taken = {*numbers[: place + 1]}
        assert {n for n in range(-1, 43) if has(runs, n)} == taken
        assert [*runs] == sorted(runs)
        assert all(a[1] + 1 < b[0] for a, b in pairwise(runs))


def test_line_numbers_are_bounded() -> None:
    runs: Runs = ()
    for number in range(0, 4 * RUNS_MAX, 2):
        runs = with_number(runs, number)
    assert len(runs) == RUNS_MAX
    assert has(runs, 2 * RUNS_MAX - 2)
    assert not has(runs, 2 * RUNS_MAX)
