"""The model of positions: short ledgers by hand, and random logs beside the product's rules."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pipeline.domain.positions import book
from pipeline.domain.positions import figures as arithmetic
from pipeline.domain.positions import stream as positions
from pipeline.verify.model.positions import PositionBranch
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import LONG_MAX, POSITIONS, TABLE
from tests.chaos.by_hand import NOW_US, Event, chance, envelope, in_order, quoted, settled, traded
from tests.chaos.side_by_side import first_difference

E8 = 10**8


def figures(log: list[Event], times_us: tuple[int, ...] = ()) -> list[Any]:
    """Return what comes out: (quantity, average, realised, unrealised) in whole units, or a code."""
    branch, said = PositionBranch(0, 1), list[Any]()
    for made in in_order(log, 0, times_us):
        dead, out = branch.apply(made)
        said += [dead] if dead else []
        for wanted in out:
            if wanted.topic == POSITIONS:
                names = ("quantity_e8", "average_cost_e8", "realised_pnl_e8", "unrealised_pnl_e8")
                values = [wanted.fields[name] for name in names]
                said.append(tuple(value if value is None else value / E8 for value in values))
    return said


BUY = traded("t1", 10, 100)
LEDGERS: list[tuple[str, list[Event], list[Any]]] = [
    ("a purchase is unpriced", [BUY], [(10, 100, 0, None)]),
    (
        "a second one joins at its price",
        [BUY, traded("t2", 30, 120)],
        [(10, 100, 0, None), (40, 115, 0, None)],
    ),
    ("a sale closes at the average", [BUY, traded("t2", -4, 130)], [(10, 100, 0, None), (6, 100, 120, None)]),
    ("all sold", [BUY, traded("t2", -10, 90)], [(10, 100, 0, None), (0, 0, -100, None)]),
    ("sold beyond zero", [BUY, traded("t2", -15, 90)], [(10, 100, 0, None), (-5, 90, -100, None)]),
    (
        "short, bought back",
        [traded("t1", -5, 50), traded("t2", 5, 40)],
        [(-5, 50, 0, None), (0, 0, 50, None)],
    ),
    ("a price marks what is open", [BUY, quoted("q", 110)], [(10, 100, 0, None), (10, 100, 0, 100)]),
    ("a price before the trade", [quoted("q", 90), BUY], [(10, 100, 0, -100)]),
    (
        "a price marks nothing that is closed",
        [BUY, traded("t2", -10, 90), quoted("q", 1)],
        [(10, 100, 0, None), (0, 0, -100, None)],
    ),
    ("an older price", [quoted("q", 90), quoted("r", 80, occurred_at=1), BUY], [(10, 100, 0, -100)]),
    (
        "of one time, the higher id",
        [quoted("q", 90), quoted("p", 80), quoted("r", 70), BUY],
        [(10, 100, 0, -300)],
    ),
    (
        "a price that came twice",
        [quoted("q", 90), quoted("q", 80, occurred_at=NOW_US - 1), BUY],
        [(10, 100, 0, -100)],
    ),
    ("a price in another currency", [BUY, quoted("q", 110, currency="USD")], [(10, 100, 0, None)]),
    ("a price of another tenant", [BUY, quoted("q", 110, tenant_id="south")], [(10, 100, 0, None)]),
    ("a trade that came twice", [BUY, BUY], [(10, 100, 0, None)]),
    (
        "its id for other content",
        [BUY, traded("t1", 11, 100)],
        [(10, 100, 0, None), "trade_exists_with_different_content"],
    ),
    (
        "another currency",
        [BUY, traded("t2", 1, 1, currency="USD")],
        [(10, 100, 0, None), "currency_mismatch"],
    ),
    ("nothing bought", [traded("t1", 0, 1)], ["quantity_must_be_positive"]),
    ("a negative price", [traded("t1", 1, -1), quoted("q", -1)], ["price_must_not_be_negative"] * 2),
    ("an id that no key can carry", [traded("t\0", 1, 1), quoted("q", 1, currency="")], ["malformed_id"] * 2),
    ("more than 64 bits", [BUY, traded("t2", 1, 0, quantity_e8=LONG_MAX)], [(10, 100, 0, None), "overflow"]),
    (
        "a price of more than 64 bits",
        [BUY, quoted("q", 0, price_e8=LONG_MAX)],
        [(10, 100, 0, None), "overflow"],
    ),
    ("settled", [BUY, settled("t1"), settled("t1")], [(10, 100, 0, None)]),
    ("settled at two times", [BUY, settled("t1"), settled("t1", 1)], [(10, 100, 0, None), "already_settled"]),
    ("an unknown trade", [settled("t1")], ["trade_not_found"]),
    (
        "another account's trade",
        [BUY, settled("t1", account_id="bob")],
        [(10, 100, 0, None), "trade_not_found"],
    ),
    ("another log's event", [("StatementLine", envelope("x", account_id="a"))], ["unexpected_event"]),
]


@pytest.mark.parametrize("log, said", [case[1:] for case in LEDGERS], ids=[case[0] for case in LEDGERS])
def test_a_position_stands_as_its_trades_and_prices_make_it(log: list[Event], said: list[Any]) -> None:
    assert figures(log) == said


def test_a_clock_that_runs_ahead_does_not_shut_out_later_prices() -> None:
    ahead = quoted("q", 90, occurred_at=NOW_US + 10**12)
    log = [ahead, quoted("r", 80, occurred_at=NOW_US + 1_000_000), BUY]
    assert figures(log, (NOW_US, NOW_US + 1_000_000)) == [(10, 100, 0, -200)]


def test_only_the_share_of_a_partial_close_is_rounded() -> None:
    branch = PositionBranch(0, 1)
    trades = [(3, 10), (1, 1), (-1, 7), (-1, 11), (-2, 5)]
    for made in in_order(traded(f"t{number}", *trade) for number, trade in enumerate(trades)):
        assert branch.apply(made)[0] is None
    (position,) = branch.view()
    cash = -sum(quantity * price for quantity, price in trades)
    assert (position["quantity_e8"], position["realised_pnl_e8"]) == (0, cash * E8)
    assert position["fees_minor"] == position["trades"] == 5


def test_a_view_shows_closed_positions_with_the_newest_price() -> None:
    branch = PositionBranch(0, 1)
    for made in in_order([BUY, traded("t2", -10, 90), quoted("q", 5)]):
        branch.apply(made)
    (position,) = branch.view()
    assert (position["quantity_e8"], position["last_price_e8"], position["unrealised_pnl_e8"]) == (
        0,
        5 * E8,
        0,
    )


def test_an_index_row_comes_and_goes_with_the_holding() -> None:
    branch = PositionBranch(0, 1)
    said = [branch.apply(made)[1] for made in in_order([BUY, traded("t2", -4, 1), traded("t3", -6, 1)])]
    rows = [{one.key: one.value for one in out if one.topic == TABLE} for out in said]
    index = b"i\0north\0ACME\0EUR\0alice"
    assert [out.get(index, "unchanged") for out in rows] == [b"\x01", "unchanged", None]


# --- beside the product


def random_log(source: random.Random, length: int) -> list[Record]:
    """Return a log of few ids and colliding times, with numbers of every size."""
    log: list[Event] = []
    for number in range(length):
        about = {
            "occurred_at": NOW_US + source.randrange(-50, 50) * 1000,
            "account_id": source.choice(["alice", "bob", "carol"]),
            "instrument_id": source.choice(["ACME", "ACME", "BOND", "a/b"]),
            "currency": source.choice(["EUR"] * 9 + ["USD", ""]),
        }
        size = source.choice([9, 10**6, 10**11, 10**14, 2**62 if number % 20 == 0 else 10**9])
        trade_id = f"t{source.randrange(length)}"
        kind = source.randrange(10)
        if kind < 6:
            quantity = source.choice([1, -1]) * source.randrange(size + 1)
            numbers = {"quantity_e8": abs(quantity), "price_e8": source.randrange(-1, size)}
            about |= numbers | {"fee_minor": source.randrange(-5, 500)}
            log.append(traded(trade_id, quantity, 0, event_id=f"e{number}", **about))
        elif kind < 9:
            del about["account_id"]
            event_id = f"q{source.randrange(number + 1)}"
            log.append(quoted(event_id, 0, price_e8=source.randrange(-1, size), **about))
        else:
            log.append(settled(trade_id, source.randrange(3), account_id=about["account_id"]))
        if source.random() < 0.1:
            log.append(source.choice(log))  # an upstream sends it again
    return in_order(log, times_us=[NOW_US + source.randrange(-60, 60) * 1000 for _ in log])


@pytest.mark.parametrize("seed", range(30))
def test_model_and_product_say_and_write_the_same_for_random_logs(seed: int) -> None:
    assert first_difference(PositionBranch(0, 1), positions, random_log(chance(seed), 100)) is None


def twice(fill: Any) -> Any:
    return lambda position, quantity, price: fill(fill(position, quantity, price), quantity, price)


def without_rounding(divide: Any) -> Any:
    return lambda dividend, divisor: dividend // divisor


def forgetting(rows: str) -> Any:
    """Return a break of `Book.load` after which none of these rows is known."""

    def broken(load: Any) -> Any:
        def loaded(book_: book.PositionBook, *keys: Any) -> None:
            load(book_, *keys)
            setattr(book_, rows, dict.fromkeys(getattr(book_, rows)))

        return loaded

    return broken


BROKEN = {
    "fill": (book, "fill", twice),
    "rounding": (arithmetic, "divide_half_even", without_rounding),
    "trades": (book.PositionBook, "load", forgetting("_trades")),
    "quotes": (book.PositionBook, "load", forgetting("_quotes")),
}


@pytest.mark.parametrize("owner, name, broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_product_differs_from_the_model(
    owner: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, broken(getattr(owner, name)))
    found = (first_difference(PositionBranch(0, 1), positions, random_log(chance(s), 100)) for s in range(5))
    assert any(found)
