"""A single-threaded model of one partition of the positions stream: cash, cost and exact fractions.

    records of one partition of position-commands, in order -> PositionBranch.apply -> dead-letter code, or
    what must come out: positions (compacted, one key a position), table rows

A position is netted at its average cost: a trade on its side adds to the cost, one against it takes from the
cost the share that it closes, and what goes beyond zero is a new position at the trade's price. The profit is
not kept but follows: cash received - cash paid + cost of what is still held. Amounts are integers in units of
1e-32; only the share of a partial close is rounded, half to even, as every figure that is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

from pipeline.verify.model.retention import DUPLICATES_DAYS, REVERSALS_DAYS, Ended
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.wire import DAY_US, LAYOUT, LONG_MAX, LONG_MIN, POSITIONS, Dead, msgpack, row_key

E8 = 10**24
"""1e-8, in units of 1e-32."""
FILL = 10**16
"""What a quantity times a price, both in units of 1e-8, counts in units of 1e-32."""

TRADE = ("account_id", "instrument_id", "side", "quantity_e8", "price_e8", "fee_minor", "currency")
"""What makes two trades of one id the same."""
IDS = ("tenant_id", "account_id", "instrument_id", "trade_id", "currency")


@dataclass(frozen=True)
class Holding:
    """A position. Quantity in units of 1e-8, cost and cash of 1e-32; both negative where it is short."""

    currency: str
    quantity: int = 0
    cost: int = 0
    cash: int = 0
    """Received less paid, over all trades."""
    fees: int = 0
    trades: int = 0

    @property
    def realised(self) -> int:
        return self.cash + self.cost

    def trade(self, quantity: int, price: int, fee: int) -> Holding:
        """Return the position after a trade; a sale has a negative quantity."""
        after = self.quantity + quantity
        if self.quantity * quantity >= 0:
            cost = self.cost + quantity * price * FILL
        elif self.quantity * after > 0:
            cost = self.cost - round(Fraction(self.cost * abs(quantity), abs(self.quantity)))
        else:
            cost = after * price * FILL
        cash = self.cash - quantity * price * FILL
        return Holding(self.currency, after, cost, cash, self.fees + fee, self.trades + 1)


@dataclass(frozen=True)
class Quote:
    """The newest price of an instrument in a currency; of two of one time, the one with the higher id."""

    at: int
    event_id: str
    price: int


def shown(holding: Holding, quote: Quote | None) -> dict[str, Any]:
    """Return the figures of a position; raise `Dead` (overflow) if one of them is no Avro long."""
    unrealised = None
    if quote is not None:
        worth = holding.quantity * quote.price * FILL
        unrealised = round(Fraction(worth - holding.cost, E8))
    average = Fraction(abs(holding.cost), abs(holding.quantity) * FILL) if holding.quantity else 0
    fields = {
        "quantity_e8": holding.quantity,
        "average_cost_e8": round(average),
        "cost_basis_e8": round(Fraction(holding.cost, E8)),
        "realised_pnl_e8": round(Fraction(holding.realised, E8)),
        "unrealised_pnl_e8": unrealised,
        "fees_minor": holding.fees,
        "trades": holding.trades,
    }
    if any(value is not None and not LONG_MIN <= value <= LONG_MAX for value in fields.values()):
        raise Dead("overflow")
    prices = {
        "last_price_e8": None if quote is None else quote.price,
        "last_price_at": None if quote is None else quote.at,
        "currency": holding.currency,
    }
    return fields | prices


def signed(value: int) -> bytes:
    """Return an integer of any size, big-endian, with room for its sign."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def execute(book: PositionBranch, event: dict[str, Any]) -> None:
    tenant, account, instrument = event["tenant_id"], event["account_id"], event["instrument_id"]
    if event["quantity_e8"] <= 0:
        raise Dead("quantity_must_be_positive")
    if event["price_e8"] < 0:
        raise Dead("price_must_not_be_negative")
    at = min(event["occurred_at"], book.cause.timestamp_ms * 1000)
    newest = max(at, book.past.newest)
    if book.is_too_old(newest - at):
        raise Dead("too_old")
    trade = [event[name] for name in TRADE]
    known = book.known(event["trade_id"], newest)
    if known is not None:
        if known[:-1] != trade:
            raise Dead("trade_exists_with_different_content")
        return
    held = book.holdings[tenant, instrument].get(account, Holding(event["currency"]))
    if held.currency != event["currency"]:
        raise Dead("currency_mismatch")
    quantity = event["quantity_e8"] if event["side"] == "BUY" else -event["quantity_e8"]
    after = held.trade(quantity, event["price_e8"], event["fee_minor"])
    figures = shown(after, book.quote_of(tenant, instrument, after.currency))
    book.holdings[tenant, instrument][account] = after
    book.times[tenant, event["trade_id"]] = at
    book.remember(event["trade_id"], [*trade, None])
    book.forget(at, event["trade_id"])
    book.row(row_key("p", tenant, account, instrument), position_row(after))
    if bool(after.quantity) != bool(held.quantity):
        index = row_key("i", tenant, instrument, after.currency, account)
        book.row(index, bytes([LAYOUT]) if after.quantity else None)
    book.update(account, figures)


def settle(book: PositionBranch, event: dict[str, Any]) -> None:
    known = book.known(event["trade_id"], book.past.newest)
    if known is None or known[0] != event["account_id"]:
        raise Dead("trade_not_found")
    if known[-1] not in (None, event["settled_at"]):
        raise Dead("already_settled")
    if known[-1] is None:
        book.remember(event["trade_id"], [*known[:-1], event["settled_at"]])


def price(book: PositionBranch, event: dict[str, Any]) -> None:
    tenant, instrument, currency = event["tenant_id"], event["instrument_id"], event["currency"]
    if event["price_e8"] < 0:
        raise Dead("price_must_not_be_negative")
    at = min(event["occurred_at"], book.cause.timestamp_ms * 1000)  # a clock that runs ahead is not believed
    quote = Quote(at, event["event_id"], event["price_e8"])
    known = book.quote_of(tenant, instrument, currency)
    if known is not None and (
        known.event_id == quote.event_id or (quote.at, quote.event_id) < (known.at, known.event_id)
    ):
        return
    marked = {
        account: shown(holding, quote)
        for account, holding in sorted(book.holdings[tenant, instrument].items())
        if holding.quantity and holding.currency == currency
    }
    book.quotes[tenant, instrument, currency] = quote
    raw = msgpack([quote.at, quote.event_id, quote.price])
    book.row(row_key("q", tenant, instrument, currency), bytes([LAYOUT]) + raw)
    for account, figures in marked.items():
        book.update(account, figures)


def position_row(holding: Holding) -> bytes:
    """Return the row of a position; its cost and profit are wider than MessagePack's integers."""
    sums = (signed(holding.cost), signed(holding.realised))
    raw = msgpack([holding.currency, holding.quantity, *sums, holding.fees, holding.trades])
    return bytes([LAYOUT]) + raw


@dataclass
class PositionBranch(StreamModel):
    """The positions of one partition, as far as its log has been applied."""

    holdings: dict[tuple[str, str], dict[str, Holding]] = field(default_factory=lambda: defaultdict(dict))
    """By tenant and instrument, then by account."""
    trades: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    """By tenant and id: what the trade says (TRADE), and when it was settled or None."""
    quotes: dict[tuple[str, str, str], Quote] = field(default_factory=dict)
    """By tenant, instrument and currency."""
    times: dict[tuple[str, str], int] = field(default_factory=dict)
    """When each trade was executed, event time."""
    ended: dict[str, Ended] = field(default_factory=dict)
    """By tenant."""
    window_days: int = DUPLICATES_DAYS
    """How much older than the newest trade one may be."""
    keep_days: int = max(DUPLICATES_DAYS, REVERSALS_DAYS)
    """How long a trade is known."""
    rules: ClassVar = {"TradeExecuted": execute, "TradeSettled": settle, "PriceQuoted": price}

    def check_ids(self, event: dict[str, Any]) -> None:
        if any(not event[name] or "\0" in event[name] for name in IDS if name in event):
            raise Dead("malformed_id")

    def quote_of(self, tenant: str, instrument: str, currency: str) -> Quote | None:
        return self.quotes.get((tenant, instrument, currency))

    @property
    def past(self) -> Ended:
        """Return what the present tenant has traded."""
        tenant = self.cause.fields["tenant_id"]
        return self.ended.setdefault(tenant, Ended("ef", (tenant,)))

    def is_too_old(self, behind_us: int) -> bool:
        """Whether the present trade is too far behind the newest one; where settings are not judged: whether
        it is behind and a dead letter says so."""
        if self.letter is not None:
            return behind_us > 0 and self.letter(self.cause) == "too_old"
        return behind_us > self.window_days * DAY_US

    def known(self, trade_id: str, newest: int) -> list[Any] | None:
        """Return a trade that still counts."""
        names = self.cause.fields["tenant_id"], trade_id
        over = names in self.times and newest - self.times[names] > self.keep_days * DAY_US
        return None if over else self.trades.get(names)

    def forget(self, at: int, trade_id: str) -> None:
        """Let a trade be forgotten in time, and forget others."""
        key = row_key("t", self.cause.fields["tenant_id"], trade_id)
        keys, changes = self.past.add(at, key, self.keep_days * DAY_US)
        for old in dict.fromkeys(keys):
            tenant, trade = old.decode().split("\0")[1:]
            names = tenant, trade
            if names in self.times and self.past.newest - self.times[names] > self.keep_days * DAY_US:
                del self.trades[names], self.times[names]
                self.row(old, None)
        for change in (*changes, self.past.row()):
            self.row(*change)

    def remember(self, trade_id: str, trade: list[Any]) -> None:
        """Write what is known of a trade."""
        tenant = self.cause.fields["tenant_id"]
        self.trades[tenant, trade_id] = trade
        time = self.times[tenant, trade_id].to_bytes(8, "big", signed=True)
        self.row(row_key("t", tenant, trade_id), bytes([2]) + time + msgpack(trade))

    def update(self, account: str, figures: dict[str, Any]) -> None:
        """Expect a position of the present record's instrument as it stands now."""
        cause = self.cause.fields
        instrument = cause["instrument_id"]
        event_id = self.id_of(f"position_updated/{account}")
        about = {"account_id": account, "instrument_id": instrument}
        self.say(POSITIONS, f"{account}/{instrument}", "PositionUpdated", event_id, **about, **figures)

    def view(self) -> Iterable[dict[str, Any]]:
        """Yield every position with the newest price, those of which nothing is held any more included."""
        for (tenant, instrument), holdings in self.holdings.items():
            for account, holding in holdings.items():
                key = {"tenant_id": tenant, "account_id": account, "instrument_id": instrument}
                yield key | shown(holding, self.quote_of(tenant, instrument, holding.currency))
