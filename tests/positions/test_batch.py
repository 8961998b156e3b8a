"""Positions by batches are positions by rows, whatever the log and its batches."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN
from pipeline.domain.positions import stream as positions
from pipeline.domain.positions.batch import PositionBatch
from tests.examples import examples
from tests.kernel.side_by_side import Log, assert_alike

E8 = 10**8
_tenants = st.sampled_from(["acme", "acme", "acme", "north", "ac"])
_accounts = st.sampled_from(["A", "A", "B", "AA"])
_instruments = st.sampled_from(["X", "X", "Y", "XY"])
_currencies = st.sampled_from(["EUR"] * 9 + ["USD"])
_rarely_bad = st.sampled_from([""] * 30 + ["\0", "none"])
_quantities = st.one_of(st.integers(1, 4).map(lambda units: units * E8), st.integers(1, 10**14))
_prices = st.one_of(st.integers(0, 9), st.integers(0, 10**12))
_large = st.sampled_from([0, -1, 2**61, 2**62, INT64_MAX, INT64_MIN])
_times = st.one_of(st.integers(0, 60), st.sampled_from([INT64_MIN, INT64_MAX]))


def _spoiled(draw: st.DrawFn, fields: dict[str, Any], names: list[str]) -> None:
    """Make an id malformed, seldom."""
    bad = draw(_rarely_bad)
    if bad:
        fields[draw(st.sampled_from(names))] = bad if bad == "\0" else ""


@st.composite
def _events(draw: st.DrawFn, number: int, extreme: bool) -> Any:
    fields = {
        "event_id": draw(st.sampled_from([f"event-{number}"] * 5 + ["event-0"])),
        "tenant_id": draw(_tenants),
        "occurred_at": draw(_times),
        "correlation_id": f"order-{number}",
        "causation_id": None,
    }
    numbers = _large if extreme and draw(st.booleans()) else None
    kind = draw(st.sampled_from(["trade"] * 6 + ["quote"] * 2 + ["settle", "other"]))
    if kind == "trade":
        fields |= {
            "trade_id": f"trade-{draw(st.one_of(st.just(number), st.integers(0, 8)))}",
            "account_id": draw(_accounts),
            "instrument_id": draw(_instruments),
            "side": draw(st.sampled_from(["BUY", "SELL"])),
            "quantity_e8": draw(_quantities if numbers is None else numbers),
            "price_e8": draw(_prices if numbers is None else numbers),
            "fee_minor": draw(st.integers(-5, 500) if numbers is None else numbers),
            "currency": draw(_currencies),
        }
        _spoiled(draw, fields, ["tenant_id", "account_id", "instrument_id", "trade_id", "currency"])
        return ev.TradeExecuted(**fields)
    if kind == "quote":
        price = draw(_prices if numbers is None else numbers)
        fields |= {"instrument_id": draw(_instruments), "price_e8": price, "currency": draw(_currencies)}
        _spoiled(draw, fields, ["tenant_id", "instrument_id", "currency"])
        return ev.PriceQuoted(**fields)
    if kind == "settle":
        fields |= {"trade_id": f"trade-{draw(st.integers(0, 8))}", "account_id": draw(_accounts)}
        _spoiled(draw, fields, ["tenant_id", "account_id", "trade_id"])
        return ev.TradeSettled(**fields, settled_at=draw(st.integers(0, 2)))
    return ev.AccountLimitSet(**fields, account_id=draw(_accounts), overdraft_limit_minor=None)


@st.composite
def _logs(draw: st.DrawFn, extreme: bool = False) -> tuple[Log, list[int]]:
    """Return a log, with repeats, and where it is cut into batches."""
    log: Log = []
    for number in range(draw(st.integers(1, 50))):
        again = bool(log) and draw(st.sampled_from([False] * 9 + [True]))
        event = draw(st.sampled_from(log))[0] if again else draw(_events(number, extreme))
        log.append((event, draw(st.integers(0, 60))))
    return log, sorted(draw(st.lists(st.integers(0, len(log)), max_size=4)))


@examples(100)
@given(st.one_of(_logs(), _logs(), _logs(extreme=True)))
def test_batches_and_rows_agree(drawn: tuple[Log, list[int]]) -> None:
    log, cuts = drawn
    replay = assert_alike(positions, PositionBatch(), log, cuts)
    assert replay.said == {}
