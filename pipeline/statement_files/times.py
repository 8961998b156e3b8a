"""Days and times of statements."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta

from pipeline.domain.kernel.times import EPOCH, MICROSECONDS_PER_DAY
from pipeline.statement_files.form import refused

_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)
_FIRST_DAY = EPOCH.date()
YEARS = range(1970, 2200)


def day_number(day: date) -> int:
    """Return the days since 1970-01-01."""
    return (day - _FIRST_DAY).days


def begin_us(day: date) -> int:
    """Return the begin of a day, microseconds UTC."""
    return day_number(day) * MICROSECONDS_PER_DAY


def day_of_us(at_us: int) -> date:
    """Return the day, UTC, of a time."""
    return _FIRST_DAY + timedelta(days=at_us // MICROSECONDS_PER_DAY)


def iso_moment(text: str, place: str) -> tuple[int, date]:
    """Return an ISO 8601 day or time as microseconds UTC, and its own day. Raises FileRefused.

    A time without a zone is taken as UTC.
    """
    given = text.strip()
    found = _DAY.fullmatch(given)
    try:
        if found is not None:
            day = date(int(found[1]), int(found[2]), int(found[3]))
            if day.year in YEARS:
                return begin_us(day), day
        elif given.isascii() and 16 <= len(given) <= 40:
            moment = datetime.fromisoformat(given)
            if moment.year in YEARS:
                local = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
                return (local - EPOCH) // timedelta(microseconds=1), moment.date()
    except (ValueError, OverflowError):
        pass
    raise refused(place, f"{text[:40]!r} is no day or time of ISO 8601 between 1970 and 2199")


def short_day(text: str, place: str) -> date:
    """Return a day of six digits, YYMMDD. Raises FileRefused.

    Banks that count thirty days a month write 30 February: a day after its month's end is the month's last.
    """
    if not (len(text) == 6 and text.isascii() and text.isdigit()):
        raise refused(place, f"{text[:20]!r} is no day: six digits, YYMMDD, are expected")
    year = int(text[:2])
    return calendar_day(2000 + year if year < 70 else 1900 + year, int(text[2:4]), int(text[4:]), place)


def calendar_day(year: int, month: int, day: int, place: str) -> date:
    """Return a day, the last one of its month where it is after that. Raises FileRefused."""
    if year not in YEARS or not 1 <= month <= 12 or not 1 <= day <= 31:
        raise refused(place, f"{year:04}-{month:02}-{day:02} is no day of the calendar")
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def entry_day(value: date, month: int, day: int, place: str) -> date:
    """Return the day, given without its year, that is nearest to a value date. Raises FileRefused."""
    years = [year for year in (value.year - 1, value.year, value.year + 1) if year in YEARS]
    return min((calendar_day(year, month, day, place) for year in years), key=lambda one: abs(one - value))
