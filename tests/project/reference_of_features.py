"""The reference of the features of fraud decisions, as Markdown: from their catalogue."""

from __future__ import annotations

from pipeline.domain.fraud.expressions.catalogue import Feature
from pipeline.domain.fraud.expressions.units import DURATION, shown
from pipeline.domain.fraud.features import layout
from pipeline.domain.fraud.features.catalogue import CATALOGUE
from tests.project.markdown import table


def block() -> str:
    """Return the table of all features."""
    titles = ("feature", "unit", "window", "where it is not known", "meaning")
    return table(titles, (_line(one) for one in CATALOGUE))


def _line(one: Feature) -> tuple[str, ...]:
    window = "" if one.window_s is None else shown(one.window_s, DURATION)
    unit = one.unit.currency or one.unit.kind
    return f"`{one.name}`", unit, window, "unknown" if one.nullable else "", one.meaning


def states_block() -> str:
    """Return the table of states: what has one, and its size."""
    rows = (
        ("payer", "account that pays", "windows, payees, devices, countries, habits", layout.PAYER_WIDTH),
        (
            "receiver",
            "account that is paid",
            "inflow, payers, origins, days with frauds",
            layout.RECEIVER_WIDTH,
        ),
        ("card", "payee, on every partition", "what the payee's partition last told", layout.CARD_WIDTH),
        ("pair", "debtor and payee", "first and last time, count, sum, approved", layout.PAIR_WIDTH),
        ("device", "device", "accounts that used it", layout.DEVICE_WIDTH),
    )
    return table(("state", "of", "what", "bytes"), [(*row[:3], f"{row[3] * 8:,}") for row in rows])
