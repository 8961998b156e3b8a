"""Cells that only postings and bank lines have: amounts with a sign, dates, free texts."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.backtest.problems import refused
from pipeline.backtest.values import TIME_END_US, Place, integers, shown, times
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.bounds import AMOUNT_LIMIT

Integers = np.ndarray
TEXT_CHARS_MAX = 4_000
"""Of a reference or a description."""
EARLIEST_NUMBER_US = 100_000_000_000_000
"""1973-03-03: a smaller number is one of seconds, of milliseconds, or a date such as 20260301."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ISO = "2026-03-01T09:30:00Z"
_MINOR = (
    "an integer of minor units, with a minus and without decimals, blanks and separators, such as -1250 for"
    " 12.50 EUR that go out"
)
_DAYS_END = TIME_END_US // MICROSECONDS_PER_DAY


def signed_amounts(array: Any, place: Place) -> Integers:
    """Return amounts in minor units with their sign. Raises FileRefused."""
    found = integers(array, place, _MINOR)
    wrong = (found > AMOUNT_LIMIT) | (found < -AMOUNT_LIMIT)
    if wrong.any():
        offset = int(np.argmax(wrong))
        place.fail(offset, f"{found[offset]} is more than the stream takes, {AMOUNT_LIMIT}")
    return found


def moments(array: Any, place: Place) -> Integers:
    """Return times in microseconds UTC. Raises FileRefused, also for numbers of another unit."""
    found = times(array, place)
    early = found < EARLIEST_NUMBER_US
    if early.any():
        plain = _plain(array)
        if _is_text(plain.type):
            early &= pc.match_substring_regex(plain, r"^[+-]?\d+$").to_numpy(zero_copy_only=False)
        elif not pa.types.is_integer(plain.type):
            early[:] = False
        if early.any():
            offset = int(np.argmax(early))
            place.fail(
                offset,
                f"{found[offset]} is no number of microseconds since 1970: write such a one, or {_ISO}",
            )
    return found


def times_or_dates(array: Any, place: Place) -> Integers:
    """Return times in microseconds UTC; a date alone, whatever is beside it, is the end of its day.

    Raises FileRefused.
    """
    array = _plain(array)
    if pa.types.is_date(array.type):
        if array.null_count:
            place.fail(int(np.argmax(array.is_null().to_numpy(zero_copy_only=False))), "is empty")
        found = _typed_days(array, place, np.zeros(len(array), np.int64))
        return (found + 1) * MICROSECONDS_PER_DAY - 1
    if not _is_text(array.type):
        return moments(array, place)
    alone = pc.match_substring_regex(array, f"^{_DATE.pattern}$").fill_null(False)
    found = moments(pc.if_else(alone, pa.scalar(_ISO, array.type), array), place).copy()
    there = np.flatnonzero(alone.to_numpy(zero_copy_only=False))
    ends: dict[str, int] = {}
    for offset, text in zip(there.tolist(), array.take(pa.array(there)).to_pylist(), strict=True):
        if text not in ends:
            ends[text] = (_day(text, offset, place) + 1) * MICROSECONDS_PER_DAY - 1
        found[offset] = ends[text]
    return found


def days(array: Any, place: Place, or_else: Integers) -> Integers:
    """Return days since 1970-01-01 of dates; `or_else` where there is none. Raises FileRefused."""
    array = _plain(array)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        return _typed_days(array, place, or_else)
    empty = array.is_null()
    if _is_text(array.type):
        empty = pc.or_kleene(empty, pc.equal(array, "")).fill_null(True)
    gaps = empty.to_numpy(zero_copy_only=False)
    if gaps.all():
        return or_else
    if not gaps.any():
        return _days(array, place)
    found = or_else.copy()
    there = np.flatnonzero(~gaps)
    for offset, text in zip(there.tolist(), array.take(pa.array(there)).to_pylist(), strict=True):
        found[offset] = _day(text, offset, place)
    return found


def texts(array: Any, place: Place) -> Any:
    """Return texts as an Arrow array, null where there is none. Raises FileRefused."""
    array = _plain(array)
    if not (_is_text(array.type) or pa.types.is_integer(array.type) or pa.types.is_null(array.type)):
        raise refused(place.file, f"is {array.type}, and must be text", place.column)
    found = array.cast(pa.string()).cast(pa.large_string())
    lengths = pc.utf8_length(found).fill_null(0).to_numpy(zero_copy_only=False)
    if (lengths > TEXT_CHARS_MAX).any():
        offset = int(np.argmax(lengths > TEXT_CHARS_MAX))
        place.fail(offset, f"has {int(lengths[offset]):,} characters, at most {TEXT_CHARS_MAX:,}")
    return found


def _typed_days(array: Any, place: Place, or_else: Integers) -> Integers:
    """Return the days of dates or timestamps by their numbers: no calendar has some of them."""
    numbers = array.cast(pa.date32(), safe=False).cast(pa.int32())
    there = numbers.is_valid().to_numpy(zero_copy_only=False)
    found = np.asarray(numbers.fill_null(0).to_numpy(zero_copy_only=False), np.int64)
    wrong = (found < 0) | (found >= _DAYS_END)
    if wrong.any():
        offset = int(np.argmax(wrong))
        place.fail(offset, f"{found[offset]} days since 1970 are not from 1970 to 2199")
    return np.where(there, found, or_else)


def _days(array: Any, place: Place) -> Integers:
    known: dict[Any, int] = {}
    numbers = np.empty(len(array), np.int64)
    for offset, value in enumerate(array.to_pylist()):
        if value not in known:
            known[value] = _day(value, offset, place)
        numbers[offset] = known[value]
    return numbers


def _day(value: Any, offset: int, place: Place) -> int:
    """Return the day of a date, a time or the text of a date."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            place.fail(offset, f"{shown(value)} is no day of the calendar")
    if not isinstance(value, date):
        said = "is empty" if value is None or value == "" else f"{shown(str(value))} is no date"
        place.fail(offset, f"{said}, such as 2026-03-01")
    found = value.toordinal() - _EPOCH
    if not 0 <= found < _DAYS_END:
        place.fail(offset, f"{value} is not from 1970 to 2199")
    return found


_EPOCH = date(1970, 1, 1).toordinal()


def _plain(array: Any) -> Any:
    """Return an array without a dictionary, of texts as strings."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    return array.cast(pa.string()) if pa.types.is_string_view(array.type) else array


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
