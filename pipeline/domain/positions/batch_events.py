"""The outputs of a run of the positions stream: the last update of every position, as columns."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import astuple

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import Block, Run, derived_ids, joined
from pipeline.domain.positions.book import Update
from pipeline.domain.positions.figures import Figures
from pipeline.domain.positions.rows import Position
from pipeline.domain.positions.stream import TOPIC

_OF_CAUSE = (
    "event_id",
    "tenant_id",
    "occurred_at",
    "correlation_id",
    "account_id",
    "instrument_id",
    "trade_id",
)


def updates_block(run: Run, updates: Iterable[Update]) -> Block:
    """Return the last updates of positions, in the order of their causes."""
    ordered = sorted(updates, key=itemgetter(0))
    causes, accounts, positions, quotes, shown = zip(*ordered, strict=True)
    at = pa.array(causes, pa.int64())
    taken = {name: run.columns[name].take(at) for name in _OF_CAUSE}
    tenant, instrument, event_id = taken["tenant_id"], taken["instrument_id"], taken["event_id"]
    by_quote = joined("\0", tenant, instrument, event_id)
    by_trade = joined("\0", tenant, taken["account_id"], taken["trade_id"], event_id)
    named = pc.coalesce(by_trade, by_quote)  # as `routing.cause_name`; a quote has no trade
    account = pa.array(accounts, pa.string())
    held = dict(zip(Position.__struct_fields__, zip(*map(astuple, positions), strict=True), strict=True))
    longs = {
        **{name: held[name] for name in ("quantity_e8", "fees_minor", "trades")},
        **dict(zip(Figures._fields, zip(*shown, strict=True), strict=True)),
        "last_price_e8": [None if quote is None else quote.price_e8 for quote in quotes],
        "last_price_at": [None if quote is None else quote.quoted_at for quote in quotes],
    }
    columns = {
        **{name: taken[name] for name in ("tenant_id", "occurred_at", "correlation_id", "instrument_id")},
        "event_id": derived_ids(named, joined("/", "position_updated", account)),
        "causation_id": event_id,
        "account_id": account,
        "currency": pa.array(held["currency"], pa.string()),
        **{name: pa.array(values, pa.int64()) for name, values in longs.items()},
    }
    keys = joined("/", tenant, account, instrument)
    return Block(TOPIC, ev.PositionUpdated, at.to_numpy(), keys, columns)
