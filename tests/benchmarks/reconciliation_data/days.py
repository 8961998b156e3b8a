"""The calendar of a data set: days are numbered from its first, a Monday; banks work Monday to Friday."""

from __future__ import annotations

from datetime import date

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
FIRST = (date(2026, 1, 5) - date(1970, 1, 1)).days
"""The first day, in days since 1970-01-01."""
DAYS = 120
LAST = DAYS - 1


def is_business(day: int) -> bool:
    """Return whether banks work on a day."""
    return day % 7 < 5


def business_day(day: int) -> int:
    """Return the day, or the next one on which banks work."""
    while not is_business(day):
        day += 1
    return day


def later(day: int, business_days: int) -> int:
    """Return the business day so many business days after the first one at or after `day`."""
    day = business_day(day)
    for _ in range(business_days):
        day = business_day(day + 1)
    return day


def is_month_end(day: int) -> bool:
    """Return whether a day is one of the last two business days of its month."""
    month = date.fromordinal(date(2026, 1, 5).toordinal() + day).month
    after = later(day + 1, 1)
    return date.fromordinal(date(2026, 1, 5).toordinal() + after).month != month


def at(day: int, seconds: int) -> int:
    """Return microseconds UTC of a second of a day."""
    return (FIRST + day) * DAY_US + seconds * SECOND_US


def day_of(at_us: int) -> int:
    """Return the day of a time."""
    return at_us // DAY_US - FIRST
