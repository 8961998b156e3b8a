"""Trades and prices handed to the positions stream, and the positions folded from the trades alone.

trades[p] -> position-commands[p], in order; each price -> position-commands on every partition
positions  -> quantity, number of trades and fees must be those of the distinct trade ids
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from pipeline.verify.branch import same_order
from pipeline.verify.dead import DeadLetters, digest
from pipeline.verify.reader import POSITION_COMMANDS, POSITIONS, Reader
from pipeline.verify.report import Check

TRADES = ("TradeExecuted", "TradeSettled")
PRICE = "PriceQuoted"


class Held:
    """A position as its trades make it."""

    __slots__ = ("fees_minor", "quantity_e8", "trades")

    def __init__(self) -> None:
        self.quantity_e8 = 0
        self.trades = 0
        self.fees_minor = 0

    def add(self, trade: dict[str, Any]) -> None:
        """Add a trade."""
        self.quantity_e8 += trade["quantity_e8"] if trade["side"] == "BUY" else -trade["quantity_e8"]
        self.trades += 1
        self.fees_minor += trade["fee_minor"]


def check_positions(reader: Reader, dead: DeadLetters) -> list[Check]:
    """Check the inputs of the positions stream and what it makes of them."""
    inputs = Check(
        "inputs_positions", "Each trade is applied once, each price on every partition, or a dead letter."
    )
    prices = _prices(reader, dead, inputs)
    folded: defaultdict[tuple[str, str], Held] = defaultdict(Held)
    for partition in range(reader.partitions(POSITION_COMMANDS)):
        passed: list[bytes] = []
        quoted: Counter[bytes] = Counter()
        seen: set[str] = set()
        for record, (name, fields) in reader.events(POSITION_COMMANDS, partition):
            if name == PRICE:
                quoted[digest(record)] += 1
            else:
                passed.append(digest(record))
            if dead.holds(record) or name != "TradeExecuted":
                continue
            trade = f"{fields['tenant_id']}/{fields['trade_id']}"
            if trade not in seen:
                seen.add(trade)
                folded[f"{fields['tenant_id']}/{fields['account_id']}", fields["instrument_id"]].add(fields)
        same_order(inputs, "trades", partition, _trades(reader, dead, partition, inputs), passed)
        if prices != quoted:
            missing, extra = (prices - quoted).total(), (quoted - prices).total()
            inputs.fail(f"position-commands[{partition}]: {missing} prices missing, {extra} too many")
    return [inputs, _compare(reader, folded)]


def _trades(reader: Reader, dead: DeadLetters, partition: int, check: Check) -> list[bytes]:
    applied = []
    if partition < reader.partitions("trades"):
        for record, event in reader.inputs("trades", partition):
            check.count()
            if dead.holds(record):
                continue
            if event is None or event.name not in TRADES:
                check.fail(f"{record.place} is no trade event and no dead letter")
                continue
            applied.append(digest(record))
    return applied


def _prices(reader: Reader, dead: DeadLetters, check: Check) -> Counter[bytes]:
    applied: Counter[bytes] = Counter()
    for partition in range(reader.partitions("prices")):
        for record, event in reader.inputs("prices", partition):
            check.count()
            if dead.holds(record):
                continue
            if event is None or event.name != PRICE:
                check.fail(f"{record.place} is no price and no dead letter")
                continue
            applied[digest(record)] += 1
    return applied


def _compare(reader: Reader, folded: dict[tuple[str, str], Held]) -> Check:
    check = Check("positions", "Quantity, fees and number of trades of each position follow from its trades.")
    latest: dict[tuple[str, str], tuple[int, int, int]] = {}
    for partition in range(reader.partitions(POSITIONS)):
        for _, event in reader.events(POSITIONS, partition):
            fields = event.fields
            key = (f"{fields['tenant_id']}/{fields['account_id']}", fields["instrument_id"])
            latest[key] = (fields["quantity_e8"], fields["trades"], fields["fees_minor"])
    for key, held in folded.items():
        expected = (held.quantity_e8, held.trades, held.fees_minor)
        check.expect(
            latest.get(key) == expected,
            f"{' '.join(key)}: quantity, trades, fees are {latest.get(key)}, the trades make {expected}",
        )
    for key in latest.keys() - folded.keys():
        check.fail(f"{' '.join(key)}: a position without a trade")
    return check
