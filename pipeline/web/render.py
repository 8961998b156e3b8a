"""Renders answers as JSON or CSV. Amounts are integers (minor units, or units of 1e-8); texts beside them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from pipeline.domain.kernel.amounts import amount_columns, with_amounts
from pipeline.domain.kernel.views import Row


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return a JSON response; structs and 64-bit integers are written as they are."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json", headers=headers
    )


def csv_response(columns: Sequence[str], rows: Iterable[Row], headers: dict[str, str]) -> web.Response:
    """Return rows as CSV (RFC 4180) with a header line; null is an empty field.

    Beside minor units stands the decimal number.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    names = amount_columns(columns)
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in map(with_amounts, rows))
    return web.Response(
        body=text.getvalue().encode(), content_type="text/csv", charset="utf-8", headers=headers
    )


def _cell(value: Any) -> Any:
    """Return a field of a CSV line; lists and objects as JSON."""
    return msgspec.json.encode(value).decode() if isinstance(value, list | tuple | dict) else value
