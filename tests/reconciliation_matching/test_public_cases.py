"""Right answers for public cases: bug stories of other products, worked out by hand."""

from __future__ import annotations

from itertools import permutations

import pytest

from pipeline.domain.reconciliation.assigning.outcomes import Outcome
from pipeline.domain.reconciliation.scoring.item import Item
from tests.reconciliation_matching.account import Account
from tests.reconciliation_matching.items import line, posting

ORDERS = list(permutations(range(3)))


def settled(*items: Item, wait_days: int = 10) -> Account:
    """Return the account after some items have come in this order and all of them have been due."""
    account = Account(wait_days=wait_days)
    for item in items:
        account.arrive(item)
    account.end()
    return account


def pairs(account: Account) -> set[tuple[str, str]]:
    return {(match.posting.decode(), match.line.decode()) for match in account.matches}


def test_weekly_equal_amounts_go_to_their_own_week() -> None:
    account = settled(
        posting("p10", 10, -500), line("l12", 12, -500), posting("p13", 13, -500), line("l16", 16, -500)
    )
    assert pairs(account) == {("p10", "l12"), ("p13", "l16")}
    assert account.breaks == []


def test_weekly_equal_amounts_are_told_apart_also_where_the_books_come_first() -> None:
    account = settled(
        posting("p10", 10, -500), posting("p13", 13, -500), line("l12", 12, -500), line("l16", 16, -500)
    )
    assert pairs(account) == {("p10", "l12"), ("p13", "l16")}


def test_a_placeholder_binds_nothing() -> None:
    account = settled(
        posting("p1", 1, -70, "NOTPROVIDED"),
        line("l1", 2, -125, "NOTPROVIDED"),
        posting("p3", 2, -125),
        line("l2", 3, -70),
    )
    assert pairs(account) == {("p1", "l2"), ("p3", "l1")}
    assert account.breaks == []


@pytest.mark.parametrize("order", ORDERS)
def test_a_fee_that_shares_its_payments_reference_stays_open_and_does_not_bind_it(
    order: tuple[int, ...],
) -> None:
    items = (posting("p", 5, -10_000, "R1"), line("fee", 5, -350, "R1"), line("payment", 5, -10_000))
    account = settled(*(items[at] for at in order))
    assert pairs(account) == {("p", "payment")}
    assert set(account.open) == {b"fee"}


def test_a_line_booked_on_the_postings_day_with_an_earlier_value_day_is_its_match() -> None:
    assert pairs(settled(posting("p", 5, -500), line("l", 5, -500, value_day=1))) == {("p", "l")}


def test_a_line_long_before_its_posting_is_no_match() -> None:
    account = settled(
        line("l", 1, -500, text="RENT SMITH"), posting("p", 9, -500, text="RENT SMITH"), wait_days=30
    )
    assert pairs(account) == set()
    assert not any(one.outcome is Outcome.CONFIRMED for found in account.suggested.values() for one in found)


def test_a_creditor_reference_in_groups_is_the_compact_one() -> None:
    account = settled(posting("p", 1, 9_900, "RF18 5390 0754 7034"), line("l", 6, 9_900, "RF18539007547034"))
    assert [(match.tier, match.day) for match in account.matches] == [("REFERENCE", 6)]


def test_a_creditor_reference_is_found_inside_the_text_of_a_line() -> None:
    account = settled(
        posting("p", 1, 9_900, "RF18 5390 0754 7034"),
        line("l", 6, 9_900, text="Ihre Rechnung RF18 5390 0754 7034"),
    )
    assert [match.tier for match in account.matches] == ["REFERENCE"]


def test_equal_twins_of_one_day_are_suggested_and_not_confirmed() -> None:
    account = settled(
        posting("p1", 5, -500), posting("p2", 5, -500), line("l1", 6, -500), line("l2", 6, -500)
    )
    assert pairs(account) == set()
    suggested = {(one.edge.posting, one.edge.line) for one in account.suggested[b"l1"]}
    assert suggested == {(b"p1", b"l1"), (b"p2", b"l1")}


def test_a_sign_that_was_turned_is_suggested_and_not_confirmed() -> None:
    account = settled(posting("p", 5, -12_345, text="ACME"), line("l", 6, 12_345, text="ACME"))
    assert pairs(account) == set()
    assert [one.edge.posting for one in account.suggested[b"l"]] == [b"p"]


def test_an_equal_amount_alone_does_not_confirm_what_references_and_texts_deny() -> None:
    account = settled(
        posting("p", 5, -500, "INV-100001", text="acme tools"),
        line("l", 6, -500, "INV-200002", text="river foods"),
    )
    assert pairs(account) == set()
    assert [one.edge.posting for one in account.suggested[b"l"]] == [b"p"]


def test_clean_references_are_confirmed_on_arrival_whatever_else_is_open() -> None:
    account = Account()
    for number in range(50):
        account.arrive(posting(f"p{number:02}", 5, -500, f"INV-{number:04}"))
    for number in reversed(range(50)):
        account.arrive(line(f"l{number:02}", 6, -500, f"inv {number:04}"))
        assert account.matches[-1].tier == "REFERENCE"
    assert pairs(account) == {(f"p{number:02}", f"l{number:02}") for number in range(50)}
    assert account.figures["scored"] == 0


def test_two_payments_of_one_reference_and_amount_go_by_their_days() -> None:
    account = settled(
        posting("p1", 1, -500, "RENT-7"), posting("p2", 31, -500, "RENT-7"), line("l1", 2, -500, "RENT-7"),
        line("l2", 32, -500, "RENT-7"), wait_days=31,
    )  # fmt: skip
    assert pairs(account) == {("p1", "l1"), ("p2", "l2")}


def test_a_payment_abroad_is_found_by_its_instructed_amount() -> None:
    account = settled(
        posting("p", 5, -10_000, text="ACME INC", currency="USD"),
        line("l", 7, -9_312, text="ACME INC", original=(10_000, "USD")),
    )
    assert pairs(account) == {("p", "l")}


def test_a_constant_where_a_reference_should_be_stops_to_bind() -> None:
    account = Account()
    for day in range(40):
        account.arrive(posting(f"p{day:02}", day, -1_000 - day, "RENT-OFFICE"))
        account.arrive(line(f"l{day:02}", day + 1, -1_000 - day, "rent office"))
    tiers = {match.posting: match.tier for match in account.matches}
    assert tiers[b"p01"] == "REFERENCE"
    assert "REFERENCE" not in {tiers[b"p%02d" % day] for day in range(10, 40) if b"p%02d" % day in tiers}
