"""What the fraud stream knows of accounts and currencies beside payments: openings, segments, daily rates."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.verify.model.currencies import DIGITS
from pipeline.verify.model.fraud_payers import LATEST_S
from pipeline.verify.model.fraud_windows import DAY_S
from pipeline.verify.model.wire import LAYOUT, msgpack, row_key

if TYPE_CHECKING:
    from pipeline.verify.model.fraud_log import FraudBranch

SEGMENTS = ("payroll", "treasury", "retail")
RETAIL = "retail"
EUR = "EUR"
RATE_DAYS, RATES_AHEAD = 128, 32
RATE_MAX = 9 * 10**9
AMOUNT_MAX = 10**12
E8, E9 = 10**8, 10**9


class Account(NamedTuple):
    """An account that was opened."""

    opened_s: int | None
    segment: str

    def row(self) -> bytes:
        return bytes([LAYOUT]) + msgpack([self.opened_s or 0, self.segment])


UNKNOWN = Account(None, RETAIL)


def opened(event: dict[str, Any]) -> Account:
    """Return an account of the event that opened it."""
    named = (event.get("metadata") or {}).get("segment")
    return Account(max(event["occurred_at"] // 1_000_000, 1), named if named in SEGMENTS else RETAIL)


def seconds_of(at_us: int) -> int:
    """Return a time as states have it."""
    return min(max(at_us // 1_000_000, 1), LATEST_S)


@dataclass
class Day:
    """The rate of a day: of those that were quoted for it, the one for its latest time."""

    from_s: int
    worth_e9: int
    quoted_s: int


@dataclass
class Rates:
    """The rates of a currency to EUR: minor units of EUR for 10**9 of its own, a rate a day."""

    days: list[Day] = field(default_factory=list)

    def quote(self, at_s: int, worth_e9: int, now_s: int) -> None:
        """Keep a rate; `now_s`: when it came."""
        known = next((one for one in self.days if one.from_s // DAY_S == at_s // DAY_S), None)
        if known is None:
            self.days.append(Day(at_s, worth_e9, at_s))
        else:
            if at_s >= known.quoted_s:
                known.worth_e9, known.quoted_s = worth_e9, at_s
            else:
                known.from_s = min(known.from_s, at_s)
        self.days.sort(key=lambda one: one.from_s)
        if len(self.days) > RATE_DAYS:
            ahead = sum(one.from_s > now_s for one in self.days)
            self.days.pop(-1 if ahead > RATES_AHEAD else 0)

    def euros(self, minor: int, at_s: int) -> int | None:
        """Return an amount in EUR; None before the first rate."""
        place = bisect_right(self.days, at_s, key=lambda one: one.from_s)
        return min(minor * self.days[place - 1].worth_e9 // E9, AMOUNT_MAX) if place else None

    def row(self) -> bytes:
        days = [[one.from_s, one.worth_e9, one.quoted_s] for one in self.days]
        return bytes([LAYOUT]) + msgpack([days])


def quoted(event: dict[str, Any]) -> tuple[str, int, int] | None:
    """Return currency, time and worth that a rate says; None: it is none to EUR, or out of bounds."""
    base, quote, rate_e8 = event["base_currency"], event["quote_currency"], event["rate_e8"]
    if quote == EUR:
        currency, whole_e9 = base, rate_e8 * 10
    elif base == EUR:
        currency, whole_e9 = quote, E8 * E8 * 10 // rate_e8
    else:
        return None
    worth_e9 = whole_e9 * 100 // 10 ** DIGITS[currency]
    return (currency, event["effective_from"] // 1_000_000, worth_e9) if 0 < worth_e9 <= RATE_MAX else None


def open_account(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Keep when an account was opened, and its segment; it is opened once."""
    names = event["tenant_id"], event["account_id"]
    if names not in branch.accounts:
        branch.accounts[names] = opened(event)
        if branch.with_rows:
            branch.row(row_key("A", *names), branch.accounts[names].row())


def quote_rate(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Keep a rate to EUR."""
    said = quoted(event)
    if said is not None:
        currency, at_s, worth_e9 = said
        names = event["tenant_id"], currency
        now_s = branch.cause.timestamp_ms // 1_000
        branch.rates.setdefault(names, Rates()).quote(at_s, worth_e9, now_s)
        branch.row(row_key("z", *names), branch.rates[names].row())


def euros(branch: FraudBranch, tenant: str, currency: str, minor: int, at_s: int) -> int | None:
    """Return an amount in EUR by the rate of a time, as far as it is known now; None without one."""
    if currency == EUR:
        return min(minor, AMOUNT_MAX)
    rates = branch.rates.get((tenant, currency))
    return None if rates is None else rates.euros(minor, at_s)
