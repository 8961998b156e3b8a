"""Amounts of money for people: minor units as a decimal number of their currency; never to compute with.

    amount_text(1250, "EUR") == "12.50"
    with_amounts({"amount_minor": 1250, "currency": "EUR"})["amount"] == "12.50"

The decimals are those of ISO 4217 (`currencies.EXPONENTS`). A currency that is not in the table, such as one
of an account that an earlier version opened, has no decimal number: its amounts stay minor units.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.domain.kernel.currencies import EXPONENTS

MINOR = "_minor"
"""The end of the name of what is in minor units."""


def amount_text(minor: int, currency: str | None) -> str | None:
    """Return an amount as a decimal number, exactly, without its currency; None for an unknown currency."""
    digits = EXPONENTS.get(currency or "")
    if digits is None:
        return None
    whole, part = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}" + (f".{part:0{digits}}" if digits else "")


def with_amounts(row: dict[str, Any], currency: str | None = None) -> dict[str, Any]:
    """Return a row that has beside each `..._minor` the decimal number, under the name without `_minor`.

    Rows within it are completed as well. `currency`: of a row that does not name its own.
    """
    currency = row.get("currency", currency)
    shown: dict[str, Any] = {}
    for name, value in row.items():
        shown[name] = _completed(value, currency)
        if name.endswith(MINOR):
            shown[name.removesuffix(MINOR)] = None if value is None else amount_text(value, currency)
    return shown


def _completed(value: Any, currency: str | None) -> Any:
    if isinstance(value, dict):
        return with_amounts(value, currency)
    return [_completed(one, currency) for one in value] if isinstance(value, list) else value


def amount_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of rows that `with_amounts` has completed."""
    return tuple(
        name
        for column in columns
        for name in ((column, column.removesuffix(MINOR)) if column.endswith(MINOR) else (column,))
    )
