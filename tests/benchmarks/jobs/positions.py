"""The positions job: fills and quotes in position-commands -> quantity, average cost, profit of positions.

20,000 positions, of 5,000 accounts in 4 of 200 instruments each; buys and sales on both sides of zero; one
quote in a thousand fills, which revalues every open position of its instrument (a hundred or so).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from pipeline.domain.kernel import events as ev
from tests.benchmarks.bench import Bench, rated
from tests.benchmarks.exactness import Offsets, expect
from tests.benchmarks.inputs import TENANT, envelope, now_us
from tests.benchmarks.jobs.shape import Run

SOURCE = "position-commands"
ACCOUNTS, INSTRUMENTS, INSTRUMENTS_PER_ACCOUNT = 5_000, 200, 4
FILLS_PER_QUOTE = 1_000
E8 = 10**8
HOUR_US = 3_600 * 1_000_000

Place = tuple[str, str]
"""Account and instrument."""


@dataclass
class Holding:
    """A position by the book: averages are cost divided by quantity, sold at average cost."""

    quantity_e8: int = 0
    cost: Fraction = Fraction(0)
    """Signed as the quantity is, in units of 1e-16 of the currency."""
    realised: Fraction = Fraction(0)
    fees_minor: int = 0
    trades: int = 0
    last_price_e8: int | None = None
    """The instrument's latest price when the position was last said."""

    def fill(self, quantity_e8: int, price_e8: int, fee_minor: int) -> None:
        """Apply a trade; the quantity is negative for a sale."""
        self.trades += 1
        self.fees_minor += fee_minor
        held = self.quantity_e8
        if held and (held > 0) != (quantity_e8 > 0):
            closing = min(abs(held), abs(quantity_e8)) * (1 if held > 0 else -1)
            average = self.cost / held
            self.realised += closing * (price_e8 - average)
            self.cost -= closing * average
            self.quantity_e8 -= closing
            quantity_e8 += closing
        self.quantity_e8 += quantity_e8
        self.cost += quantity_e8 * price_e8

    @property
    def figures(self) -> tuple[Any, ...]:
        """What must be exactly so in the last position_updated."""
        return self.quantity_e8, self.fees_minor, self.trades, self.last_price_e8

    @property
    def rounded(self) -> tuple[Fraction, Fraction]:
        """Average cost and realised profit in units of 1e-8, not rounded."""
        average = abs(self.cost / self.quantity_e8) if self.quantity_e8 else Fraction(0)
        return average, self.realised / E8


@dataclass
class PositionsInput:
    """The fills and quotes of a round, and every position at their end."""

    seed: str
    fills: int
    positions: dict[Place, Holding] = field(default_factory=dict)
    updates: int = 0
    """Fills, and positions revalued by quotes; filled while `events` is read."""

    def events(self) -> Iterator[tuple[str, Any]]:
        """Yield (key, trade_executed or price_quoted)."""
        rng, start = random.Random(self.seed), now_us() - HOUR_US
        accounts = min(ACCOUNTS, max(8, self.fills // 20))
        prices = dict.fromkeys(range(INSTRUMENTS), 100 * E8)
        quoted: dict[str, int] = {}
        for number in range(self.fills):
            if number % FILLS_PER_QUOTE == FILLS_PER_QUOTE // 2:
                place = rng.randrange(INSTRUMENTS)
                prices[place] += rng.randrange(-E8, E8)
                instrument = f"{self.seed}-I{place:03d}"
                quoted[instrument] = prices[place]
                self._revalue(instrument, prices[place])
                yield f"{TENANT}/{instrument}", self._quote(instrument, prices[place], start + number)
            account = rng.randrange(accounts)
            place = (account * 7 + rng.randrange(INSTRUMENTS_PER_ACCOUNT)) % INSTRUMENTS
            fields = (
                *(f"{self.seed}-A{account:05d}", f"{self.seed}-I{place:03d}"),
                *("BUY" if rng.random() < 0.55 else "SELL", rng.randrange(1, 400) * E8 // 4),
                *(prices[place] + rng.randrange(-E8 // 10, E8 // 10), rng.randrange(50, 500)),
            )
            trade = ev.TradeExecuted(
                *envelope(f"fill-{self.seed}-{number}", start + number),
                *(f"trade-{self.seed}-{number}", *fields, "EUR"),
            )
            self._fill(trade, quoted.get(trade.instrument_id))
            yield f"{TENANT}/{trade.account_id}", trade

    def _quote(self, instrument: str, price_e8: int, at: int) -> ev.PriceQuoted:
        return ev.PriceQuoted(*envelope(f"quote-{instrument}-{at}", at), instrument, price_e8, "EUR")

    def _fill(self, trade: ev.TradeExecuted, price_e8: int | None) -> None:
        held = self.positions.setdefault((trade.account_id, trade.instrument_id), Holding())
        quantity = trade.quantity_e8 if trade.side == "BUY" else -trade.quantity_e8
        held.fill(quantity, trade.price_e8, trade.fee_minor)
        held.last_price_e8 = price_e8
        self.updates += 1

    def _revalue(self, instrument: str, price_e8: int) -> None:
        for (_, held_of), held in self.positions.items():
            if held_of == instrument and held.quantity_e8:
                held.last_price_e8 = price_e8
                self.updates += 1


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who keeps positions; every round has accounts and instruments of its own."""

    def ours(number: int) -> dict[str, Any]:
        app_id = f"positions-{number}"
        start = bench.ends(SOURCE, "positions")
        bench.start_at(app_id, {SOURCE: start[SOURCE]})
        job = PositionsInput(f"p{number}", bench.sizes.payments)
        records = bench.produce(SOURCE, job.events())
        found = bench.run_ours("positions", app_id, records)
        check(bench, start, job)
        return rated(found, job.fills, positions=len(job.positions), updates=job.updates)

    return {"positions": ours}


def check(bench: Bench, start: Offsets, job: PositionsInput) -> None:
    """Raise Inexact unless the last position_updated of every position says what plain arithmetic does.

    Average cost and profit may differ by one unit of 1e-8: the stream rounds, the generator does not.
    """
    last = {(event.account_id, event.instrument_id): event for event in bench.read("positions", start)}
    expect("positions", last.keys() == job.positions.keys(), True)
    wrong = sum(not _agree(last[place], held) for place, held in job.positions.items())
    expect("positions with wrong figures", wrong, 0)


def _agree(said: ev.PositionUpdated, held: Holding) -> bool:
    exact = (said.quantity_e8, said.fees_minor, said.trades, said.last_price_e8)
    rounded = zip((said.average_cost_e8, said.realised_pnl_e8), held.rounded, strict=True)
    return exact == held.figures and all(abs(one - other) <= 1 for one, other in rounded)
