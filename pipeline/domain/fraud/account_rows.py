"""What is known of accounts and currencies beside payments, as rows.

    A tenant account  -> when it was opened, and its segment
    z tenant currency -> its rates to EUR, of one day each

The rate of a day is the one that was quoted last for it so far. RATE_DAYS of them are kept: more than a
payment may be late. RATES_AHEAD of them may be later than their record: whoever quotes years ahead takes the
place of other rates ahead, never that of today's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

import msgspec

from pipeline.domain.fraud.expressions.rule_sets import RETAIL, SEGMENTS
from pipeline.domain.fraud.features.amounts import COMPARED_IN, RATE_MAX, Rate, Rates, rate
from pipeline.domain.kernel.currencies import EXPONENTS
from pipeline.domain.kernel.events import AccountOpened, RateQuoted
from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.kernel.rates import UNIT_E8
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.kernel.times import MICROSECONDS_PER_SECOND

ACCOUNT_ROW = RowKind("fraud", "account", "A")
RATES_ROW = RowKind("fraud", "rates", "z")
RATE_DAYS = 128
RATES_AHEAD = 32
SEGMENT = "segment"
"""The key of an account's metadata that names its segment."""
_DAY_S = 86_400
_E9_OF_E8 = 10
_KEPT_MAX = 256


class Account(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An account that was opened."""

    opened_s: int
    segment: str


class DayRate(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The rate of a day."""

    from_s: int
    """The first time of the day for which one was quoted."""
    eur_minor_e9: int
    """As `features.amounts.Rate` has it."""
    quoted_s: int
    """The latest time of the day for which one was quoted: that one counts."""


class _Days(msgspec.Struct, array_like=True, gc=False):
    days: list[DayRate]


UNKNOWN = Account(0, RETAIL)
_unpack_account = unpacker(ACCOUNT_ROW, Account)
_unpack_days = unpacker(RATES_ROW, _Days)


def account_key(tenant_id: str, account_id: str) -> bytes:
    """Return the row key of an account."""
    return f"{ACCOUNT_ROW.family}\0{tenant_id}\0{account_id}".encode()  # `row_key`, quicker


def read_account(row: bytes | None) -> Account:
    """Return what is known of an account. Raises UnreadableRow."""
    return UNKNOWN if row is None else _unpack_account(row)


def pack_account(account: Account) -> bytes:
    """Return the row of an account."""
    return ACCOUNT_ROW.pack(account)


def open_account(event: AccountOpened, rows: Rows) -> None:
    """Keep when an account was opened, and its segment; an account is opened once."""
    key = account_key(event.tenant_id, event.account_id)
    if rows.get(key) is None:
        opened_s = max(event.occurred_at // MICROSECONDS_PER_SECOND, 1)
        rows.put(key, pack_account(Account(opened_s, named_segment(event.metadata) or RETAIL)))


def named_segment(metadata: Mapping[str, str] | None) -> str | None:
    """Return the segment that an account's metadata name, None where they name none."""
    named = (metadata or {}).get(SEGMENT)
    return named if named in SEGMENTS else None


def rates_key(tenant_id: str, currency: str) -> bytes:
    """Return the row key of the rates of a currency."""
    return row_key(RATES_ROW.family, tenant_id, currency)


def read_days(row: bytes | None) -> list[DayRate]:
    """Return the rates of a currency, oldest first. Raises UnreadableRow."""
    return [] if row is None else _unpack_days(row).days


def pack_days(days: list[DayRate]) -> bytes:
    """Return the row of the rates of a currency."""
    return RATES_ROW.pack(_Days(days))


def eur_rate(base_currency: str, quote_currency: str, rate_e8: int, effective_from: int) -> Rate | None:
    """Return a quoted rate as amounts are compared by; None for one that says nothing about EUR.

    `effective_from`: microseconds UTC.
    """
    if quote_currency == COMPARED_IN:
        currency, eur_e9 = base_currency, rate_e8 * _E9_OF_E8
    elif base_currency == COMPARED_IN and rate_e8 > 0:
        currency, eur_e9 = quote_currency, UNIT_E8 * UNIT_E8 * _E9_OF_E8 // rate_e8
    else:
        return None
    if currency not in EXPONENTS:
        return None
    found = rate(currency, effective_from // MICROSECONDS_PER_SECOND, eur_e9)
    return found if 0 < found.eur_minor_e9 <= RATE_MAX else None


def quote(event: RateQuoted, recorded_at: int, rows: Rows) -> None:
    """Keep a rate between a currency and EUR; others say nothing about amounts here.

    `recorded_at`: Kafka's timestamp, microseconds UTC.
    """
    found = eur_rate(event.base_currency, event.quote_currency, event.rate_e8, event.effective_from)
    if found is None:
        return
    currency, at_s, per_minor = found
    key = rates_key(event.tenant_id, currency)
    days = read_days(rows.get(key))
    place = bisect_left(days, at_s // _DAY_S, key=lambda day: day.from_s // _DAY_S)
    known = days[place] if place < len(days) and days[place].from_s // _DAY_S == at_s // _DAY_S else None
    if known is None:
        days.insert(place, DayRate(at_s, per_minor, at_s))
    elif at_s >= known.quoted_s:
        days[place] = DayRate(known.from_s, per_minor, at_s)
    else:
        days[place] = DayRate(min(known.from_s, at_s), known.eur_minor_e9, known.quoted_s)
    if len(days) > RATE_DAYS:
        is_too_far = days[-RATES_AHEAD - 1].from_s > recorded_at // MICROSECONDS_PER_SECOND
        del days[-1 if is_too_far else 0]
    rows.put(key, pack_days(days))


class RatesOfTenants:
    """The rates of tenants by the rows of a partition; kept as long as their rows are the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[tuple[str, bytes | None], ...], Rates] = {}

    def of(self, currencies: Sequence[str], found: Sequence[bytes | None]) -> Rates:
        """Return the rates of some currencies of one tenant, whose rows are given. Raises UnreadableRow."""
        named = tuple(zip(currencies, found, strict=True))
        rates = self._kept.get(named)
        if rates is None:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            rates = self._kept[named] = Rates(
                Rate(currency, day.from_s, day.eur_minor_e9)
                for currency, row in named
                for day in read_days(row)
            )
        return rates
