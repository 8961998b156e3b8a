"""Positions against a naive model in fractions, for random fills."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.positions.rows import read_position
from pipeline.domain.positions.stream import apply

E8 = 10**8
_ENVELOPE: dict[str, Any] = {"tenant_id": "acme", "correlation_id": "c", "causation_id": None}

_sizes = st.one_of(st.integers(1, 9), st.integers(1, 10**6), st.integers(1, 10**14))
_prices = st.one_of(st.integers(0, 9), st.integers(0, 10**6), st.integers(0, 10**12))
_accounts = st.sampled_from(["A", "B"])


@st.composite
def _logs(draw: st.DrawFn) -> list[Any]:
    """Return a log of trades, settlements and quotes of two accounts in one instrument, with bad ones."""
    log: list[Any] = []
    for number in range(draw(st.integers(1, 25))):
        envelope = {**_ENVELOPE, "event_id": f"e{number}", "occurred_at": draw(st.integers(0, 50))}
        kind = draw(st.sampled_from(["trade", "trade", "trade", "quote", "settle"]))
        currency = draw(st.sampled_from(["EUR", "EUR", "EUR", "USD"]))
        if kind == "trade":
            log.append(
                ev.TradeExecuted(
                    **envelope,
                    trade_id=f"t{draw(st.integers(0, 30))}",
                    account_id=draw(_accounts),
                    instrument_id="ACME",
                    side=draw(st.sampled_from(["BUY", "SELL"])),
                    quantity_e8=draw(_sizes | st.just(0) | st.just(2**62)),
                    price_e8=draw(_prices),
                    fee_minor=draw(st.integers(-5, 500)),
                    currency=currency,
                )
            )
        elif kind == "quote":
            log.append(
                ev.PriceQuoted(**envelope, instrument_id="ACME", price_e8=draw(_prices), currency=currency)
            )
        else:
            trade_id = f"t{draw(st.integers(0, 30))}"
            log.append(
                ev.TradeSettled(**envelope, trade_id=trade_id, account_id=draw(_accounts), settled_at=number)
            )
    return log


def _play(log: list[Any], rows: MemoryRows, recorded_at: int = 1000) -> list[Any]:
    out = Outbox()
    for event in log:
        before, emitted = dict(rows.data), len(out.items)
        try:
            apply(event, Arrival(recorded_at, 0, 4), rows, out)
        except Reject:
            assert rows.data == before and len(out.items) == emitted
    return out.items


def _near(value_e8: int, exact: Fraction) -> bool:
    """Whether a figure is the exact one, rounded; a tie may be seen from either side."""
    return abs(value_e8 - exact * E8) <= Fraction(1, 2) + Fraction(1, 10**6)


_fills = st.lists(st.tuples(st.sampled_from([1, -1]), _sizes, _prices), min_size=1, max_size=30)


@given(_fills)
def test_positions_equal_a_model_in_fractions(fills: list[tuple[int, int, int]]) -> None:
    rows = MemoryRows()
    held, average, realised, cash = Fraction(0), Fraction(0), Fraction(0), Fraction(0)
    for number, (sign, quantity_e8, price_e8) in enumerate(fills):
        quantity, price = Fraction(sign * quantity_e8, E8), Fraction(price_e8, E8)
        if held * quantity >= 0:
            average = (held * average + quantity * price) / (held + quantity)
        else:
            closed = min(abs(held), abs(quantity)) * (1 if held > 0 else -1)
            realised += closed * (price - average)
            if abs(quantity) > abs(held):
                average = price
            elif abs(quantity) == abs(held):
                average = Fraction(0)
        held += quantity
        cash -= quantity * price
        trade = ev.TradeExecuted(
            **_ENVELOPE,
            event_id=f"e{number}",
            occurred_at=number,
            trade_id=f"t{number}",
            account_id="A",
            instrument_id="ACME",
            side="BUY" if sign > 0 else "SELL",
            quantity_e8=quantity_e8,
            price_e8=price_e8,
            fee_minor=0,
            currency="EUR",
        )
        ((_, _, update),) = _play([trade], rows)
        assert update.quantity_e8 == held * E8
        assert _near(update.average_cost_e8, average)
        assert _near(update.cost_basis_e8, held * average)
        assert _near(update.realised_pnl_e8, realised)
        row = read_position(rows, "acme", "A", "ACME")
        assert row is not None
        # No cent is made or lost, whatever was rounded: exact at every step, in units of 1e-32.
        assert row.realised_e32 == cash * 10**32 + row.cost_e32
        if held == 0:
            assert row.cost_e32 == 0 and update.average_cost_e8 == 0


@given(_logs())
def test_a_replay_gives_the_same_bytes(log: list[Any]) -> None:
    first, second = MemoryRows(), MemoryRows()
    assert _play(log, first) == _play(log, second)
    assert list(first.data.items()) == list(second.data.items())


@given(_logs(), st.data())
def test_redelivery_changes_nothing(log: list[Any], data: st.DataObject) -> None:
    rows = MemoryRows()
    applied = [event for event in log if _applies(event, rows)]
    before = dict(rows.data)
    again = data.draw(st.lists(st.sampled_from(applied), max_size=10)) if applied else []
    assert _play(again, rows, recorded_at=2000) == []
    assert rows.data == before


def _applies(event: Any, rows: MemoryRows) -> bool:
    try:
        apply(event, Arrival(1000, 0, 4), rows, Outbox())
    except Reject:
        return False
    return True


@given(_logs())
def test_the_index_holds_exactly_the_open_positions(log: list[Any]) -> None:
    rows = MemoryRows()
    _play(log, rows)
    held = set()
    for account in ("A", "B"):
        position = read_position(rows, "acme", account, "ACME")
        if position is not None and position.quantity_e8:
            held.add((position.currency, account))
    indexed = {tuple(key.decode().split("\0")[3:]) for key, _ in rows.scan(b"i\0")}
    assert indexed == held
