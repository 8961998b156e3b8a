"""Traders and prices: fills on both sides, some sent twice, settled a day later; random prices."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from random import Random

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.plan import DAY_US, Produce
from pipeline.loadgen.world import INSTRUMENTS, Community, World

E8 = 100_000_000
TWICE_EVERY = 10
"""One trade in so many is sent twice."""
START_PRICE_E8 = 100 * E8


class Markets:
    """Every tenth payment comes with a price, every twentieth with a trade."""

    def __init__(self, world: World, rng: Random, emitter: Emitter) -> None:
        self._communities = world.communities
        self._rng = rng
        self._emitter = emitter
        self._prices: dict[tuple[str, str], int] = {}
        self._unsettled: deque[tuple[int, Community, str, str]] = deque()
        self._steps = self._trades = 0

    def step(self, at: int) -> Iterator[Produce]:
        """Yield what happens on the markets at this moment."""
        self._steps += 1
        if self._steps % 10 == 0:
            yield self._quote(at)
        if self._steps % 20 == 7:
            yield from self._trade(at)
        while self._unsettled and self._unsettled[0][0] <= at:
            due, community, trader, trade_id = self._unsettled.popleft()
            fields = {"trade_id": trade_id, "account_id": trader, "settled_at": due}
            record = "ledgerflow.TradeSettled"
            yield self._emitter.event("trades", record, 1, community.tenant, trader, due, fields)

    def _quote(self, at: int) -> Produce:
        community = self._rng.choice(self._communities)
        instrument = f"{self._rng.choice(INSTRUMENTS)}.{community.currency}"
        price = self._prices.get((community.tenant, instrument), START_PRICE_E8)
        price = max(E8, price + int(price * self._rng.uniform(-0.01, 0.01)))
        self._prices[community.tenant, instrument] = price
        fields = {"instrument_id": instrument, "price_e8": price, "currency": community.currency}
        record = "ledgerflow.PriceQuoted"
        return self._emitter.event("prices", record, 1, community.tenant, instrument, at, fields)

    def _trade(self, at: int) -> Iterator[Produce]:
        rng = self._rng
        community = rng.choice(self._communities)
        trader = rng.choice(community.traders)
        instrument = f"{rng.choice(INSTRUMENTS)}.{community.currency}"
        price = self._prices.get((community.tenant, instrument), START_PRICE_E8)
        trade_id = self._emitter.name("d")
        fields = {
            "trade_id": trade_id,
            "account_id": trader,
            "instrument_id": instrument,
            "side": "BUY" if rng.random() < 0.55 else "SELL",
            "quantity_e8": rng.randrange(1, 200) * E8 // 2,
            "price_e8": price + rng.randrange(-price // 1_000, price // 1_000 + 1),
            "fee_minor": rng.randrange(50, 500),
            "currency": community.currency,
        }
        record = "ledgerflow.TradeExecuted"
        fill = self._emitter.event("trades", record, 1, community.tenant, trader, at, fields)
        yield fill
        self._trades += 1
        if self._trades % TWICE_EVERY == 2:
            yield fill
        self._unsettled.append((at + DAY_US, community, trader, trade_id))
