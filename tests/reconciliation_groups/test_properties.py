"""What holds for all desks: exact sums, one answer for every order, brute force where it can judge."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pipeline.domain.reconciliation.groups import search as search_module
from pipeline.domain.reconciliation.groups.around import Around, nearest
from pipeline.domain.reconciliation.groups.batches import find_batch
from pipeline.domain.reconciliation.groups.bounds import (
    CANDIDATES_MAX,
    DETAILS_MAX,
    SUGGESTIONS_MAX,
    VISITS_MAX,
)
from pipeline.domain.reconciliation.groups.fees import is_fee
from pipeline.domain.reconciliation.groups.found import CONFIRMED, OPEN, Found
from pipeline.domain.reconciliation.groups.kinds import KINDS, name_kind
from pipeline.domain.reconciliation.groups.likeness import Likeness
from pipeline.domain.reconciliation.groups.partial import find_partial
from pipeline.domain.reconciliation.groups.reversals import find_reversal
from pipeline.domain.reconciliation.groups.search import find_group
from pipeline.domain.reconciliation.groups.sums import Budget
from pipeline.domain.reconciliation.groups.worth import COUNTERPARTY, RULES_WORTH, WINDOW
from pipeline.domain.reconciliation.scoring.item import Item
from tests.reconciliation_groups.tales import Account

KNOWN = Account()
KNOWN.quote("EUR", "USD", Decimal("1.08"))
PARTIES = st.sampled_from([(), ("acme",), ("bolt", "steel")])
REFERENCES = st.sampled_from([(), (), ("R1",), ("R2",), ("R1", "R3")])
KINDS_OF_LINES = st.sampled_from(["", "", "", "FEE", "REVERSAL", "BATCH", "INFORMATION"])


@st.composite
def desks(draw: st.DrawFn) -> list[Item]:
    """Return up to twelve items of few amounts, so that much fits."""
    items = []
    for number in range(draw(st.integers(1, 12))):
        is_line = draw(st.booleans())
        day = draw(st.integers(0, 6))
        items.append(
            Item(
                key=b"%d" % number,
                is_line=is_line,
                currency=draw(st.sampled_from(["EUR", "EUR", "EUR", "USD"])),
                amount_minor=draw(st.integers(-6, 6)) * draw(st.sampled_from([100, 1_000, 1_003])),
                day=day,
                booked_day=day + draw(st.integers(0, 1)) if is_line else day,
                references=draw(REFERENCES),
                words=draw(PARTIES),
                counterparty=draw(PARTIES),
                kind=draw(KINDS_OF_LINES) if is_line else "",
            )
        )
    return items


def around(due: Item, items: list[Item], settled: tuple[Item, ...] = ()) -> Around:
    same = tuple(item for item in items if item.is_line == due.is_line and item is not due)
    return Around(KNOWN, same, tuple(item for item in items if item.is_line != due.is_line), settled)


@given(desks())
def test_the_sums_of_a_group_agree_exactly_and_a_fee_is_one(items: list[Item]) -> None:
    by_key = {item.key: item for item in items}
    for due in items:
        for group in find_group(due, around(due, items)).groups:
            bank = sum(by_key[key].amount_minor for key in group.lines)
            books = sum(by_key[key].amount_minor for key in group.postings)
            assert bank == books - group.fee_minor
            assert not group.fee_minor or is_fee(group.fee_minor, books, due.currency)
            assert due.key in group.keys and len(set(group.keys)) == len(group.keys)
            assert group.lines and group.postings
            assert {by_key[key].currency for key in group.keys} == {due.currency}
            assert group.score == sum(worth for _, worth in group.parts)


@given(desks())
def test_a_reversal_is_of_one_side_and_cancels(items: list[Item]) -> None:
    by_key = {item.key: item for item in items}
    for due in items:
        for group in find_reversal(due, around(due, items)).groups:
            one, two = (by_key[key] for key in group.keys)
            assert one.amount_minor == -two.amount_minor != 0
            assert one.is_line == two.is_line and one.currency == two.currency and due in (one, two)


@given(desks())
def test_what_is_confirmed_is_one_and_what_is_suggested_a_few(items: list[Item]) -> None:
    for due in items:
        for found in (find_group(due, around(due, items)), find_reversal(due, around(due, items))):
            assert len(found.groups) == (1 if found.outcome == CONFIRMED else len(found.groups))
            assert (found.outcome == OPEN) == (not found.groups) and len(found.groups) <= SUGGESTIONS_MAX
            assert list(found.groups) == sorted(found.groups, key=lambda group: -group.score)


@given(desks(), desks(), st.randoms(use_true_random=False))
def test_no_answer_depends_on_the_order_of_anything(
    items: list[Item], matched: list[Item], chance: random.Random
) -> None:
    settled = tuple(structs.replace(item, key=b"m" + item.key) for item in matched)
    shuffled, turned = list(items), list(settled)
    chance.shuffle(shuffled)
    chance.shuffle(turned)
    for due in items:
        one, two = around(due, items, settled), around(due, shuffled, tuple(turned))
        assert find_group(due, one) == find_group(due, two)
        assert find_reversal(due, one) == find_reversal(due, two)
        assert find_partial(due, one) == find_partial(due, two)
        assert name_kind(due, one) == name_kind(due, two)
        assert find_batch(due, one.same, one.other, KNOWN) == find_batch(due, one.same, two.other, KNOWN)


@given(desks(), desks())
def test_every_item_that_moves_money_has_a_kind_and_a_text(items: list[Item], matched: list[Item]) -> None:
    settled = tuple(structs.replace(item, key=b"m" + item.key) for item in matched)
    known = {item.key for item in (*items, *settled)}
    for due in items:
        named = name_kind(due, around(due, items, settled))
        assert (named is None) == (due.amount_minor == 0 or due.kind == "INFORMATION")
        if named is not None:
            assert named.kind in KINDS and named.text and due.key not in named.others
            assert set(named.others) <= known


@given(desks())
def test_a_partial_payment_lacks_what_it_says(items: list[Item]) -> None:
    by_key = {item.key: item for item in items}
    for due in items:
        found = find_partial(due, around(due, items))
        if found is not None:
            total, paid = by_key[found.total], sum(by_key[key].amount_minor for key in found.parts)
            assert (paid, paid + found.left_minor) == (found.paid_minor, total.amount_minor)
            assert 0 < abs(paid) < abs(total.amount_minor) and paid * total.amount_minor > 0


@given(st.lists(st.integers(1, 40), min_size=2, max_size=9), st.integers(1, 160))
def test_brute_force_finds_what_the_search_finds(amounts: list[int], total: int) -> None:
    """Of one day and without any text, the search finds a set exactly where there is one."""
    postings = [Item(b"p%d" % at, False, "EUR", -7 * one, 1, 1, ()) for at, one in enumerate(amounts)]
    line = Item(b"line", True, "EUR", -7 * total, 1, 1, ())
    parts = [posting for posting in postings if posting.amount_minor != line.amount_minor]
    right = {
        tuple(item.key for item in chosen)
        for chosen in chain.from_iterable(combinations(parts, size) for size in range(2, len(parts) + 1))
        if sum(item.amount_minor for item in chosen) == line.amount_minor
    }
    everything = _all_groups(line, postings)
    assert everything == right
    found = find_group(line, Around(KNOWN, other=tuple(postings)))
    assert {group.postings for group in found.groups} <= right
    assert found.outcome != CONFIRMED or len(right) == 1 or found.groups[0].rule == "DAY"


def _all_groups(line: Item, postings: list[Item]) -> set[tuple[bytes, ...]]:
    """Return all sets that the search looks at, before it decides."""
    alike = Likeness(KNOWN)
    near = nearest(line, Around(KNOWN, other=tuple(postings)), alike)
    groups = search_module._Search(near, alike).parts_of(line, near.other, ())
    return {group.postings for group in groups}


def _crowd(amounts: list[int], *, lines: bool) -> tuple[Item, ...]:
    side = b"l" if lines else b"p"
    return tuple(
        Item(side + b"%03d" % at, lines, "EUR", amount, at % 3, at % 3, (), words=("pay",))
        for at, amount in enumerate(amounts)
    )


CROWDS = {
    "equal": [-1_000] * 64,
    "powers of two": [-(2**power) for power in range(60)],
    "in a row": [-one for one in range(1, 65)],
    "both signs": [-1_000, 1_000] * 32,
    "many": [-(one * one) for one in range(1, 400)],
}


@pytest.mark.parametrize("amounts", CROWDS.values(), ids=CROWDS)
def test_a_search_looks_at_no_more_sums_than_its_bound(
    amounts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets: list[Budget] = []

    class Counted(Budget):
        def __init__(self) -> None:
            super().__init__()
            budgets.append(self)

    monkeypatch.setattr(search_module, "Budget", Counted)
    postings, lines = _crowd(amounts, lines=False), _crowd(amounts, lines=True)
    for due in (lines[0], lines[-1], Item(b"x", True, "EUR", sum(amounts[:9]) or -7_777, 2, 2, ())):
        beside = tuple(line for line in lines if line.key != due.key)
        found = find_group(due, Around(KNOWN, beside, postings))
        assert len(found.groups) <= SUGGESTIONS_MAX
    assert len(budgets) == 3 and all(0 <= budget.visits <= VISITS_MAX for budget in budgets)


def test_of_more_sets_than_are_kept_the_same_are_suggested_in_every_order() -> None:
    postings = [Item(b"p%02d" % at, False, "EUR", -1_000, 1, 1, ("R1",)) for at in range(20)]
    line = Item(b"line", True, "EUR", -4_000, 1, 1, ("R1",), kind="BATCH")
    found = find_group(line, Around(KNOWN, other=tuple(postings)))
    assert (found.outcome, found.complete, len(found.groups)) == ("SUGGESTED", False, SUGGESTIONS_MAX)
    assert find_group(line, Around(KNOWN, other=tuple(postings[::-1]))) == found
    assert find_group(line, Around(KNOWN, other=tuple(postings[7:] + postings[:7]))) == found


def test_more_items_than_a_search_looks_at_make_no_sum_sure_but_of_a_reference_or_a_day() -> None:
    parts = (
        Item(b"a", False, "EUR", -12_037, 1, 1, ("R1",)),
        Item(b"b", False, "EUR", -8_815, 2, 2, ("R1",)),
    )
    more = tuple(Item(b"m%03d" % at, False, "EUR", -999_999, 9, 9, ()) for at in range(CANDIDATES_MAX))
    line = Item(b"line", True, "EUR", -20_852, 2, 2, ())
    assert find_group(line, Around(KNOWN, other=parts)).outcome == CONFIRMED
    found = find_group(line, Around(KNOWN, other=parts + more))
    assert (found.outcome, found.complete) == ("SUGGESTED", False)
    assert find_group(line, Around(KNOWN, other=parts, unknown=RULES_WORTH[WINDOW])).outcome == "SUGGESTED"
    one_day = (parts[0], structs.replace(parts[1], day=1, booked_day=1))
    assert find_group(line, Around(KNOWN, other=one_day + more)).outcome == CONFIRMED
    named = structs.replace(line, references=("R1",))
    assert find_group(named, Around(KNOWN, other=parts + more)).outcome == CONFIRMED


def test_of_too_many_items_those_like_the_due_one_and_whole_days_are_looked_at() -> None:
    due = Item(b"due", True, "EUR", -100, 0, 0, (), counterparty=("acme",))
    like = [Item(b"a%02d" % at, False, "EUR", -1, 30, 30, (), counterparty=("acme",)) for at in range(3)]
    days = [Item(b"d%03d" % at, False, "EUR", -1, at // 20, at // 20, ()) for at in range(100)]
    near = nearest(due, Around(KNOWN, other=(*days, *like)), Likeness(KNOWN))
    assert [item.key for item in near.other] == [item.key for item in (*like, *days[:60])]
    assert near.unknown == RULES_WORTH[WINDOW]
    many = tuple(structs.replace(like[0], key=b"m%03d" % at) for at in range(CANDIDATES_MAX + 1))
    assert nearest(due, Around(KNOWN, other=many), Likeness(KNOWN)).unknown == RULES_WORTH[COUNTERPARTY]


def test_a_thousand_details_are_found_and_a_thousand_and_one_are_not_taken_apart() -> None:
    details = [
        Item(b"", True, "EUR", -(100 + at % 7), 1, 1, (f"E{at}",) if at % 2 else ())
        for at in range(DETAILS_MAX)
    ]
    postings = [
        structs.replace(detail, key=b"p%04d" % at, is_line=False) for at, detail in enumerate(details)
    ]
    line = Item(b"line", True, "EUR", sum(detail.amount_minor for detail in details), 1, 1, (), kind="BATCH")
    batch = find_batch(line, details, postings, KNOWN)
    assert (
        batch.sure and batch.found.outcome == CONFIRMED and len(batch.found.groups[0].postings) == DETAILS_MAX
    )
    too_many = find_batch(line, [*details, details[0]], postings, KNOWN)
    assert too_many.found == Found(OPEN) and too_many.postings == (None,) * (DETAILS_MAX + 1)


def test_groups_that_share_an_item_are_decided_alike_from_each_of_their_items() -> None:
    """What one item's search confirms, no other item's search contradicts."""
    chance = random.Random(20)
    for _ in range(60):
        postings = [
            Item(b"p%d" % at, False, "EUR", -chance.randrange(1_000, 9_000), chance.randrange(4), 0, ())
            for at in range(9)
        ]
        chosen = chance.sample(postings, 3)
        line = Item(b"line", True, "EUR", sum(item.amount_minor for item in chosen), 4, 4, ())
        found = find_group(line, Around(KNOWN, other=tuple(postings)))
        if found.outcome == CONFIRMED:
            keys = found.groups[0].postings
            for posting in postings:
                same = tuple(item for item in postings if item is not posting)
                its = find_group(posting, Around(KNOWN, same, (line,)))
                if posting.key in keys:
                    assert its == found
                else:
                    assert its.outcome != CONFIRMED
