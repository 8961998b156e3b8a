"""Rates between currencies: quoted by a rates desk, kept on every branch, found by the time of a payment.

    row `q` NUL tenant NUL base NUL quote NUL 2^63 - 1 - time    what counts for the pair from a time on

The time is turned round so that the first row from a key on is the newest one that has begun by then. A rate
moves no event time and answers nothing. What no payment can ask for any more is deleted: it is older than the
newest rate at the beginning of the window of ids, less the age that a rate may have.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.money import INT64_MAX
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rates import UNIT_E8
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.rows import RATE_ROW, read_watermark

FORGOTTEN_MAX = 3
"""The most old rates of a pair that a new one of it deletes: more than it adds."""


class RateRules(NamedTuple):
    """What the settings say of rates."""

    max_age: int
    """How long a rate counts, microseconds."""
    tolerance_bp: int
    """How far a named rate may be from the quoted one, in 1/10,000 of that."""


class Quote(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A rate as it was quoted."""

    rate_e8: int
    event_id: str
    occurred_at: int


class Rate(NamedTuple):
    """A rate by which a payment is converted: `rate_e8` units of the other currency for one of `currency`."""

    rate_e8: int
    currency: str
    event_id: str | None
    """The rate_quoted that it comes from; None: the payment named it."""


unpack_quote = unpacker(RATE_ROW, Quote)
"""Return the rate of a row. Raises UnreadableRow."""


def rate_key(tenant_id: str, base: str, quote: str, effective_from: int) -> bytes:
    """Return the row key of a rate; `effective_from`: microseconds UTC."""
    return row_key(RATE_ROW.family, tenant_id, base, quote, f"{INT64_MAX - effective_from:020}")


def quote_rate(window: int, max_age: int, event: ev.RateQuoted, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Keep a rate on this branch. Of two for one moment, the one that was quoted later counts.

    `window`: how long ids are remembered; `max_age`: as in `RateRules`; microseconds.
    """
    pair = (event.tenant_id, event.base_currency, event.quote_currency)
    key = rate_key(*pair, event.effective_from)
    row = rows.get(key)
    if row is not None and unpack_quote(row).occurred_at >= event.occurred_at:
        return
    rows.put(key, RATE_ROW.pack(Quote(event.rate_e8, event.event_id, event.occurred_at)))
    watermark = read_watermark(rows)
    if watermark is not None:
        # The first of them still counts at the beginning of the window, unless it is too old.
        for old, _ in islice(_since(rows, *pair, watermark - window - max_age), 1, 1 + FORGOTTEN_MAX):
            rows.delete(old)


def _since(rows: Rows, tenant_id: str, base: str, quote: str, time: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the rates of a pair that have begun by a time, the newest first."""
    prefix = row_key(RATE_ROW.family, tenant_id, base, quote, "")
    return rows.scan(prefix, rate_key(tenant_id, base, quote, time + 1))


def find(rows: Rows, tenant_id: str, pay: str, get: str, time: int, max_age: int) -> Rate | str:
    """Return the rate from one currency to another at a time (microseconds), or the result code without one.

    The rate that is quoted for the pair counts; where there is none that is new enough, that of the inverse.
    """
    code = "rate_not_found"
    for base, quote in ((pay, get), (get, pay)):
        found = next(_since(rows, tenant_id, base, quote, time), None)
        if found is None:
            continue
        key, row = found
        if time - (INT64_MAX - int(key[-20:])) <= max_age:
            known = unpack_quote(row)
            return Rate(known.rate_e8, base, known.event_id)
        code = "rate_too_old"
    return code


def differs(named_e8: int, quoted: Rate, pay: str, tolerance_bp: int) -> bool:
    """Whether a named rate, for one unit of `pay`, is further from a quoted one than it may be."""
    if quoted.currency == pay:
        named, known = named_e8, quoted.rate_e8
    else:  # the quoted one is 1 / rate
        named, known = named_e8 * quoted.rate_e8, UNIT_E8 * UNIT_E8
    return abs(named - known) * 10_000 > known * tolerance_bp
