"""The view of positions, each with the last price that its partition knows."""

from __future__ import annotations

from pipeline.domain.kernel.views import (
    ACCOUNT,
    ACCOUNT_PAGE,
    TENANT_PAGE,
    Row,
    Tables,
    TableView,
    ViewPage,
    time_text,
)
from pipeline.domain.positions.figures import figures
from pipeline.domain.positions.rows import read_quote, unpack_position


def _position(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    tenant_id, account_id, instrument_id = key
    position = unpack_position(value)
    quote = read_quote(tables.rows("positions"), tenant_id, instrument_id, position.currency)
    shown = figures(position, quote)
    return {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "instrument_id": instrument_id,
        "currency": position.currency,
        "quantity_e8": position.quantity_e8,
        "average_cost_e8": shown.average_cost_e8,
        "cost_basis_e8": shown.cost_basis_e8,
        "realised_pnl_e8": shown.realised_pnl_e8,
        "unrealised_pnl_e8": shown.unrealised_pnl_e8,
        "last_price_e8": None if quote is None else quote.price_e8,
        "last_price_at": None if quote is None else time_text(quote.quoted_at),
        "fees_minor": position.fees_minor,
        "trades": position.trades,
    }


POSITIONS = TableView(
    name="positions",
    table="positions",
    family="p",
    key=(*ACCOUNT, "instrument_id"),
    columns=(
        *(*ACCOUNT, "instrument_id", "currency", "quantity_e8", "average_cost_e8", "cost_basis_e8"),
        *("realised_pnl_e8", "unrealised_pnl_e8", "last_price_e8", "last_price_at", "fees_minor", "trades"),
    ),
    show=_position,
    pages=(
        ViewPage(TENANT_PAGE, "Positions of a tenant's accounts"),
        ViewPage(ACCOUNT_PAGE, "Positions of one account"),
        ViewPage(f"{ACCOUNT_PAGE}/{{instrument}}", "One position"),
    ),
    marker="p",
)
VIEWS = (POSITIONS,)
