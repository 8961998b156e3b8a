"""Positions: ledgers of trades and prices, and what each line makes of the position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import UnknownLayout
from pipeline.domain.kernel.money import INT64_MAX
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, derived_id
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.positions.figures import divide_half_even
from pipeline.domain.positions.rows import (
    Position,
    pack_position,
    position_key,
    read_position,
    read_trade,
    unpack_position,
)
from pipeline.domain.positions.stream import apply, keys

E8 = 10**8
LATER = 10**15


class Book:
    """One partition, fed line by line of a ledger; every line has its own event id and second."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self.number = 0

    def apply(self, event: Any, recorded_at: int = LATER) -> list[Any]:
        """Apply an event and return what it emits; the rows stay untouched by a refusal."""
        out, before = Outbox(), dict(self.rows.data)
        try:
            apply(event, Arrival(recorded_at, 0, 4), self.rows, out)
        except Reject:
            assert self.rows.data == before and out.items == []
            raise
        for topic, key, update in out.items:
            place = f"{update.tenant_id}/{update.account_id}/{update.instrument_id}"
            assert (topic, key) == ("positions", place)
        return [update for _, _, update in out.items]

    def _envelope(self, changes: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        return {
            "event_id": f"event-{self.number}",
            "tenant_id": "acme",
            "occurred_at": self.number * 1_000_000,
            "correlation_id": "order-1",
            "causation_id": None,
            **changes,
        }

    def trade(self, side: str, quantity: float, price: float, **changes: Any) -> ev.TradeExecuted:
        """Return a trade of A1 in ACME shares; quantity and price in whole units."""
        values = self._envelope(
            {
                "trade_id": f"trade-{self.number + 1}",
                "account_id": "A1",
                "instrument_id": "ACME",
                "side": side,
                "quantity_e8": round(quantity * E8),
                "price_e8": round(price * E8),
                "fee_minor": 0,
                "currency": "EUR",
            }
        )
        return ev.TradeExecuted(**{**values, **changes})

    def quote(self, price: float, **changes: Any) -> ev.PriceQuoted:
        """Return a price of ACME shares in whole units."""
        values = self._envelope(
            {"instrument_id": "ACME", "price_e8": round(price * E8), "currency": "EUR"},
        )
        return ev.PriceQuoted(**{**values, **changes})

    def settlement(self, trade_id: str, settled_at: int, **changes: Any) -> ev.TradeSettled:
        """Return the settlement of a trade of A1."""
        values = self._envelope({"trade_id": trade_id, "account_id": "A1", "settled_at": settled_at})
        return ev.TradeSettled(**{**values, **changes})

    def run(self, ledger: str) -> list[Any]:
        """Apply the lines of a ledger: `BUY 10 @ 100`, `SELL ...` or `PRICE 105`; return the updates."""
        updates = []
        for entry in ledger.strip().splitlines():
            verb, *rest = entry.split()
            if verb == "PRICE":
                updates += self.apply(self.quote(float(rest[0])))
            else:
                updates += self.apply(self.trade(verb, float(rest[0]), float(rest[2])))
        return updates


def _show(update: Any) -> str:
    """Return an update as `quantity average cost-basis realised unrealised` in whole units."""
    figures = (
        update.quantity_e8,
        update.average_cost_e8,
        update.cost_basis_e8,
        update.realised_pnl_e8,
        update.unrealised_pnl_e8,
    )
    return " ".join("unpriced" if figure is None else f"{figure / E8:g}" for figure in figures)


LEDGERS = {
    # each line: the trade or price, then quantity, average cost, cost basis, realised, unrealised
    "same side is weighted": """
        BUY  10 @ 100   | 10 100 1000 0 unpriced
        BUY  30 @ 120   | 40 115 4600 0 unpriced
    """,
    "opposite side closes at the average": """
        BUY  10 @ 100   | 10 100 1000 0 unpriced
        BUY  10 @ 120   | 20 110 2200 0 unpriced
        SELL  5 @ 130   | 15 110 1650 100 unpriced
        SELL 15 @ 100   | 0 0 0 -50 unpriced
    """,
    "a short earns when the price falls": """
        SELL 10 @ 100   | -10 100 -1000 0 unpriced
        SELL 10 @ 90    | -20 95 -1900 0 unpriced
        BUY   5 @ 85    | -15 95 -1425 50 unpriced
        PRICE 100       | -15 95 -1425 50 -75
        PRICE 80        | -15 95 -1425 50 225
    """,
    "a flip takes the crossing price as its average (nautilus_trader 963)": """
        BUY  10 @ 100   | 10 100 1000 0 unpriced
        SELL 15 @ 120   | -5 120 -600 200 unpriced
        BUY   5 @ 110   | 0 0 0 250 unpriced
    """,
    "a flip realises only what it closes (nautilus_trader 1083)": """
        SELL  4 @ 50    | -4 50 -200 0 unpriced
        BUY  10 @ 40    | 6 40 240 40 unpriced
        SELL  6 @ 40    | 0 0 0 40 unpriced
    """,
    "flat and again: the old average is forgotten, the realised P&L is not": """
        BUY  10 @ 100   | 10 100 1000 0 unpriced
        SELL 10 @ 101   | 0 0 0 10 unpriced
        BUY   1 @ 7     | 1 7 7 10 unpriced
    """,
    "no price is not a price of zero, and a price of zero is a price": """
        BUY  10 @ 100   | 10 100 1000 0 unpriced
        PRICE 0         | 10 100 1000 0 -1000
    """,
    "a known price values the next trade": """
        PRICE 105       |
        BUY  10 @ 100   | 10 100 1000 0 50
        SELL 10 @ 105   | 0 0 0 50 0
    """,
    "a price says nothing of a flat position": """
        BUY  10 @ 100   | 10 100 1000 0 unpriced
        SELL 10 @ 100   | 0 0 0 0 unpriced
        PRICE 105       |
    """,
    "shares bought for nothing": """
        BUY  10 @ 0     | 10 0 0 0 unpriced
        SELL  5 @ 3     | 5 0 0 15 unpriced
    """,
}


@pytest.mark.parametrize("ledger", LEDGERS.values(), ids=LEDGERS.keys())
def test_a_ledger_reads_line_by_line(ledger: str) -> None:
    book = Book()
    for entry in ledger.strip().splitlines():
        action, _, expected = entry.partition("|")
        assert [_show(update) for update in book.run(action)] == (
            [expected.strip()] if expected.strip() else []
        )


def test_partial_closes_do_not_drift() -> None:
    """A third of a cent in the average stays a third: closing 1 of 3 leaves the average where it was."""
    book = Book()
    updates = book.run("BUY 3 @ 0.00000001\nBUY 4 @ 0.00000002\n" + "SELL 1 @ 1\n" * 7)
    assert {update.average_cost_e8 for update in updates[1:-1]} == {2}  # 11/7 of 1e-8
    assert updates[-1].realised_pnl_e8 == 7 * E8 - 11 and updates[-1].cost_basis_e8 == 0


@pytest.mark.parametrize(
    ("dividend", "divisor", "quotient"),
    [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (10, 3, 3), (11, 3, 4), (-11, 3, -4), (0, 9, 0)],
)
def test_halves_are_rounded_to_even(dividend: int, divisor: int, quotient: int) -> None:
    assert divide_half_even(dividend, divisor) == quotient


def test_a_repeated_trade_has_no_effect() -> None:
    book = Book()
    trade = book.trade("BUY", 10, 100)
    assert len(book.apply(trade)) == 1
    before = dict(book.rows.data)
    retried = book.trade("BUY", 10, 100, trade_id=trade.trade_id)
    assert book.apply(trade) == [] and book.apply(retried) == []
    assert book.rows.data == before


@pytest.mark.parametrize(
    "change",
    [
        {"side": "SELL"},
        {"quantity_e8": 1},
        {"price_e8": 1},
        {"fee_minor": 1},
        {"instrument_id": "OTHER"},
        {"account_id": "A2"},
        {"currency": "USD"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_trade_id_with_other_content_is_refused(change: dict[str, Any]) -> None:
    book = Book()
    trade = book.trade("BUY", 10, 100)
    book.apply(trade)
    with pytest.raises(Reject) as refusal:
        book.apply(msgspec.structs.replace(trade, **change))
    assert refusal.value.code == "trade_exists_with_different_content"


def test_the_same_trade_id_of_another_tenant_is_another_trade() -> None:
    book = Book()
    book.apply(book.trade("BUY", 10, 100, trade_id="T1"))
    (update,) = book.apply(book.trade("BUY", 1, 100, trade_id="T1", tenant_id="beta"))
    assert update.quantity_e8 == E8


def test_arrival_order_rules_not_trade_time() -> None:
    in_order, swapped = Book(), Book()
    trades = [in_order.trade("BUY", 10, 100), in_order.trade("SELL", 4, 110)]
    for trade in trades:
        (last,) = in_order.apply(trade)
    for trade in reversed(trades):
        (late,) = swapped.apply(trade)
    assert _show(last) == "6 100 600 40 unpriced" and _show(late) == "6 100 600 40 unpriced"


def test_an_older_quote_is_ignored() -> None:
    book = Book()
    old, new = book.quote(90), book.quote(105)
    book.run("BUY 10 @ 100")
    (update,) = book.apply(new)
    assert (update.last_price_e8, update.last_price_at) == (105 * E8, new.occurred_at)
    assert book.apply(old) == [] and book.apply(new) == []
    (update,) = book.run("BUY 1 @ 100")
    assert update.last_price_e8 == 105 * E8


def test_a_quote_from_a_clock_ahead_does_not_shut_out_later_quotes() -> None:
    book = Book()
    book.run("BUY 10 @ 100")
    (update,) = book.apply(book.quote(105, occurred_at=2 * LATER), recorded_at=50)
    assert update.last_price_at == 50
    (update,) = book.apply(book.quote(106, occurred_at=60), recorded_at=70)
    assert (update.last_price_e8, update.last_price_at) == (106 * E8, 60)


def test_a_price_in_another_currency_leaves_the_position_unpriced() -> None:
    book = Book()
    book.run("BUY 10 @ 100")
    assert book.apply(book.quote(105, currency="USD")) == []
    (update,) = book.run("BUY 1 @ 100")
    assert (update.unrealised_pnl_e8, update.last_price_e8, update.last_price_at) == (None, None, None)


def test_a_price_updates_each_open_position_of_instrument_and_tenant_in_key_order() -> None:
    book = Book()
    for account, instrument, tenant in [
        ("B", "ACME", "acme"),
        ("A", "ACME", "acme"),
        ("AB", "ACME", "acme"),
        ("A", "ACMEX", "acme"),
        ("A", "ACME", "beta"),
    ]:
        names = {"account_id": account, "instrument_id": instrument, "tenant_id": tenant}
        book.apply(book.trade("BUY", 1, 100, **names))
    quote = book.quote(105)
    updates = book.apply(quote)
    assert [(u.tenant_id, u.account_id, u.instrument_id) for u in updates] == [
        ("acme", "A", "ACME"),
        ("acme", "AB", "ACME"),
        ("acme", "B", "ACME"),
    ]
    assert {u.causation_id for u in updates} == {quote.event_id}
    assert len({u.event_id for u in updates}) == 3


def test_fees_and_trades_are_counted_apart_from_the_profit() -> None:
    book = Book()
    book.apply(book.trade("BUY", 10, 100, fee_minor=150))
    (update,) = book.apply(book.trade("SELL", 10, 100, fee_minor=50))
    assert (update.fees_minor, update.trades, update.realised_pnl_e8) == (200, 2, 0)


def test_the_envelope_is_derived_from_the_cause() -> None:
    book = Book()
    trade = book.trade("BUY", 10, 100)
    (update,) = book.apply(trade)
    assert update.event_id == derived_id(cause_name(trade), "position_updated/A1")
    assert (update.occurred_at, update.correlation_id, update.causation_id) == (
        trade.occurred_at,
        trade.correlation_id,
        trade.event_id,
    )


def test_a_settlement_marks_its_trade_once() -> None:
    book = Book()
    book.apply(book.trade("BUY", 10, 100, trade_id="T1"))
    assert book.apply(book.settlement("T1", 77)) == []
    trade = read_trade(book.rows, "acme", "T1")
    assert trade is not None and trade.settled_at == 77
    assert book.apply(book.settlement("T1", 77)) == []
    assert book.apply(book.trade("BUY", 10, 100, trade_id="T1")) == []


REFUSALS: dict[str, tuple[str, Any]] = {
    "nothing traded": ("quantity_must_be_positive", lambda b: b.trade("BUY", 0, 1)),
    "a negative quantity": ("quantity_must_be_positive", lambda b: b.trade("SELL", -1, 1)),
    "a negative price": ("price_must_not_be_negative", lambda b: b.trade("BUY", 1, -1)),
    "a negative quote": ("price_must_not_be_negative", lambda b: b.quote(-1)),
    "another currency": ("currency_mismatch", lambda b: b.trade("BUY", 1, 1, currency="USD")),
    "an id with NUL": ("malformed_id", lambda b: b.trade("BUY", 1, 1, instrument_id="A\0B")),
    "an empty id": ("malformed_id", lambda b: b.trade("BUY", 1, 1, trade_id="")),
    "a quote of nothing": ("malformed_id", lambda b: b.quote(1, instrument_id="")),
    "cost beyond 64 bits": ("overflow", lambda b: b.trade("BUY", 1, 1, quantity_e8=2**62, price_e8=2**62)),
    "quantity beyond 64 bits": ("overflow", lambda b: b.trade("BUY", 1, 0, quantity_e8=INT64_MAX)),
    "fees beyond 64 bits": ("overflow", lambda b: b.trade("BUY", 1, 1, fee_minor=INT64_MAX)),
    "a valuation beyond 64 bits": ("overflow", lambda b: b.quote(1, price_e8=INT64_MAX)),
    "an unknown trade": ("trade_not_found", lambda b: b.settlement("T9", 1)),
    "the trade of another account": ("trade_not_found", lambda b: b.settlement("T1", 1, account_id="A2")),
    "settled at another time": ("already_settled", lambda b: b.settlement("T1", 6)),
    "no event of this log": ("unexpected_event", lambda b: object()),
}


@pytest.mark.parametrize(("code", "make"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_leaves_nothing_behind(code: str, make: Any) -> None:
    book = Book()
    book.apply(book.trade("BUY", 10, 100, trade_id="T1", fee_minor=1))
    book.apply(book.settlement("T1", 5))
    with pytest.raises(Reject) as refusal:
        book.apply(make(book))
    assert refusal.value.code == code


def test_a_position_in_usd_stays_in_usd_when_flat() -> None:
    book = Book()
    book.apply(book.trade("BUY", 1, 1, currency="USD"))
    book.apply(book.trade("SELL", 1, 1, currency="USD"))
    with pytest.raises(Reject, match="currency_mismatch"):
        book.apply(book.trade("BUY", 1, 1))


def test_rows_are_read_back_and_an_unknown_layout_is_an_error() -> None:
    rows, position = MemoryRows(), Position("EUR", -5, -(2**180), 2**181, -3, 9)
    assert read_position(rows, "acme", "A1", "ACME") is None
    rows.put(position_key("acme", "A1", "ACME"), pack_position(position))
    assert read_position(rows, "acme", "A1", "ACME") == position
    with pytest.raises(UnknownLayout, match="unknown layout 9"):
        unpack_position(b"\x09" + pack_position(position)[1:])


class WatchedRows(MemoryRows):
    """Rows that remember which keys were asked for."""

    def __init__(self, data: dict[bytes, bytes]) -> None:
        super().__init__()
        self.data = data
        self.asked: set[bytes] = set()

    def get(self, key: bytes) -> bytes | None:
        self.asked.add(key)
        return super().get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return list(map(self.get, keys))


def test_keys_names_rows_that_are_read() -> None:
    book = Book()
    book.run("BUY 1 @ 1")
    for event in (book.trade("BUY", 1, 1), book.quote(1), book.settlement("trade-1", 1)):
        rows = WatchedRows(dict(book.rows.data))
        apply(event, Arrival(LATER, 0, 4), rows, Outbox())
        assert set(keys(event)) <= rows.asked
    assert tuple(keys(object())) == ()
