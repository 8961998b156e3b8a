"""Columns of a block as numbers: what each may be, and where it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.backtest.problems import refused
from pipeline.domain.fraud.features.amounts import NUMBER
from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.domain.kernel.money import INT64_MAX
from pipeline.domain.kernel.routing import INTERNAL_PREFIX

Integers = np.ndarray
TIME_END_US = 7_258_118_400_000_000
"""2200-01-01: what is later is no time of a payment."""
SHOWN_MAX = 40
_UNITS_US = {"s": 1_000_000, "ms": 1_000, "us": 1}
"""Microseconds of a unit; nanoseconds are less than one."""
_DIGITS = r"^[+-]?[0-9]{1,19}$"
_ISO = "2026-03-01T09:30:00Z"


class Place(NamedTuple):
    """Where a column of a block stands."""

    file: str
    column: str
    first_row: int

    def fail(self, offset: int, what: str) -> NoReturn:
        """Raise FileRefused for a row of the block."""
        raise refused(self.file, what, self.column, self.first_row + offset)


class Words:
    """Different texts by number, over all blocks."""

    def __init__(self, check: Callable[[str], str | None] = lambda text: None) -> None:
        """`check` returns what is wrong with a text, None for nothing; it is asked once for each."""
        self._check = check
        self._numbers: dict[str, int] = {}

    def numbers(self, array: Any, place: Place, *, nullable: bool = False) -> Integers:
        """Return the number of each text; -1 where there is none. Raises FileRefused."""
        coded = _as_texts(array, place)
        if pa.types.is_null(coded.type):
            coded = coded.cast(pa.string())
        if not pa.types.is_dictionary(coded.type):
            coded = coded.dictionary_encode()
        # A dictionary may have words of other blocks: only those that this one uses are looked at.
        there = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        used, codes = np.unique(there, return_inverse=True)
        texts: list[str | None] = [None] if len(used) and used[0] < 0 else []
        texts += coded.dictionary.take(pa.array(used[used >= 0])).to_pylist()
        found = np.full(len(texts), -1, np.int64)
        wrong: dict[int, str] = {}
        for number, text in enumerate(texts):
            if text:
                problem = None if text in self._numbers else self._check(text)
                if problem is not None:
                    wrong[number] = problem
                else:
                    found[number] = self._numbers.setdefault(text, len(self._numbers))
        if wrong:
            offset = int(np.argmax(np.isin(codes, np.array(list(wrong), np.int64))))
            place.fail(offset, wrong[int(codes[offset])])
        numbers: Integers = found[codes]
        if not nullable and (numbers < 0).any():
            place.fail(int(np.argmax(numbers < 0)), "is empty")
        return numbers

    def words(self) -> list[str]:
        """Return all texts, by number."""
        return list(self._numbers)


def check_id(text: str) -> str | None:
    """Return what is wrong with an id, as the streams would say it."""
    if len(text) > ID_CHARS_MAX:
        return f"has {len(text):,} characters, at most {ID_CHARS_MAX}"
    if "/" in text or "\0" in text:
        return f"{shown(text)} has a character that an id cannot have: / or NUL"
    return None


def check_account(text: str) -> str | None:
    """Return what is wrong with an account that pays or is paid."""
    if text.startswith(INTERNAL_PREFIX):
        return f"{shown(text)} is an internal account: the ledger refuses payments of it and to it"
    return check_id(text)


def check_currency(text: str) -> str | None:
    """Return what is wrong with a currency."""
    return None if text in NUMBER else f"{shown(text)} is no active ISO 4217 code, such as EUR"


def check_text(text: str) -> str | None:
    """Return what is wrong with a device, a country and the like."""
    if len(text) > ID_CHARS_MAX:
        return f"has {len(text):,} characters, at most {ID_CHARS_MAX}"
    return f"{shown(text)} has a NUL" if "\0" in text else None


def one_of(known: tuple[str, ...]) -> Callable[[str], str | None]:
    """Return a check for one of a few words."""
    return lambda text: None if text in known else f"{shown(text)} is none of {', '.join(known)}"


def ids(array: Any, place: Place) -> Any:
    """Return ids as an Arrow array of strings. Raises FileRefused."""
    found = _as_texts(array, place)
    if pa.types.is_dictionary(found.type):
        found = found.cast(pa.string())
    if pa.types.is_null(found.type):
        place.fail(0, "is empty")
    lengths = pc.utf8_length(found).fill_null(0).to_numpy(zero_copy_only=False)
    wrong = (lengths == 0) | (lengths > ID_CHARS_MAX)
    for sign in ("/", "\0"):
        wrong |= pc.match_substring(found, sign).fill_null(True).to_numpy(zero_copy_only=False)
    if wrong.any():
        offset = int(np.argmax(wrong))
        text = found[offset].as_py()
        place.fail(offset, (check_id(text) or "is empty") if text else "is empty")
    return found.cast(pa.large_string())


def check_once(found: Any, file: str, column: str) -> None:
    """Check that no id of a whole file is there twice. Raises FileRefused."""
    if pc.count_distinct(found).as_py() == len(found):
        return
    order = pc.sort_indices(found).to_numpy()
    ranked = found.take(pa.array(order))
    same = pc.equal(ranked[1:], ranked[:-1]).to_numpy(zero_copy_only=False)
    # Of equal ids the sort keeps the order of the file.
    again = np.flatnonzero(same)
    place = again[np.argmin(order[again + 1])]
    first, row = int(order[place]) + 1, int(order[place + 1]) + 1
    raise refused(file, f"{shown(found[row - 1].as_py())} is in row {first:,} already", column, row)


def amounts(array: Any, place: Place) -> Integers:
    """Return amounts in minor units, 1 or more. Raises FileRefused."""
    found = integers(array, place, "an integer of minor units, such as 1250 for 12.50 EUR")
    if (found < 1).any():
        offset = int(np.argmax(found < 1))
        place.fail(offset, f"{found[offset]} is not above 0")
    return found


def times(array: Any, place: Place) -> Integers:
    """Return times in microseconds UTC. Raises FileRefused."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            place.fail(0, "times without a zone: which time was it in UTC?")
        _no_gaps(array, place)
        found = _as_int64(array.cast(pa.int64()))
        unit = _UNITS_US.get(kind.unit)
        if unit is not None:
            wrong = (found < 0) | (found >= TIME_END_US // unit)  # before it is more than 64 bits hold
            if wrong.any():
                offset = int(np.argmax(wrong))
                place.fail(offset, f"{found[offset]} ({kind.unit} since 1970) is not from 1970 to 2199")
            found = found * unit
        else:
            found = found // 1_000
    elif pa.types.is_integer(kind):
        found = integers(array, place, "microseconds since 1970")
    elif pa.types.is_floating(kind) or pa.types.is_temporal(kind) or pa.types.is_boolean(kind):
        raise refused(
            place.file,
            f"is {kind}, and must be a timestamp with a zone, or text such as {_ISO}",
            place.column,
        )
    else:
        found = _written_times(_as_texts(array, place), place)
    wrong = (found < 0) | (found >= TIME_END_US)
    if wrong.any():
        offset = int(np.argmax(wrong))
        place.fail(offset, f"{found[offset]} microseconds are not from 1970 to 2199")
    return found


def _written_times(array: Any, place: Place) -> Integers:
    """Return times that are written: ISO 8601 with a zone, or digits of microseconds."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    array = array.cast(pa.string())
    _no_gaps(array, place)
    digits = pc.match_substring_regex(array, _DIGITS)
    if not pc.any(digits).as_py():
        return _iso_times(array, place)
    numbers = integers(pc.if_else(digits, array, "0"), place, "microseconds since 1970")
    if pc.all(digits).as_py():
        return numbers
    return np.where(
        digits.to_numpy(zero_copy_only=False), numbers, _iso_times(pc.if_else(digits, _ISO, array), place)
    )


def _iso_times(array: Any, place: Place) -> Integers:
    try:
        return _as_int64(array.cast(pa.timestamp("us", "UTC")).cast(pa.int64()))
    except pa.ArrowInvalid:
        offset = _first_wrong(array, pa.timestamp("us", "UTC"))
        text = array[offset].as_py()
        try:
            pa.array([text]).cast(pa.timestamp("us"))
        except pa.ArrowInvalid:
            place.fail(offset, f"{shown(text)} is no time, such as {_ISO}")
        place.fail(offset, f"{shown(text)} has no zone, such as {_ISO} or +01:00 at its end")


def integers(array: Any, place: Place, meant: str) -> Integers:
    """Return whole numbers of 64 bits; `meant` says what they are. Raises FileRefused."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type)
        kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        _no_gaps(array, place)
        wrong = pc.invert(pc.match_substring_regex(array, _DIGITS)).to_numpy(zero_copy_only=False)
        if wrong.any():
            offset = int(np.argmax(wrong))
            place.fail(offset, f"{shown(array[offset].as_py())} is not {meant}")
        array = pc.replace_substring_regex(array, r"^\+", "")
    elif pa.types.is_null(kind):
        place.fail(0, "is empty")
    elif not pa.types.is_integer(kind) and not (pa.types.is_decimal(kind) and kind.scale == 0):
        raise refused(place.file, f"is {kind}, and must be {meant}", place.column)
    _no_gaps(array, place)
    try:
        return _as_int64(array.cast(pa.int64()))
    except pa.ArrowInvalid:
        offset = _first_wrong(array, pa.int64())
        place.fail(offset, f"{shown(str(array[offset].as_py()))} is above {INT64_MAX}")


def _as_texts(array: Any, place: Place) -> Any:
    """Return an array of texts; numbers serve as texts, since ids are often such."""
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_integer(kind) or pa.types.is_string_view(kind):
        return array.cast(kind).cast(pa.string())
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise refused(place.file, f"is {kind}, and must be text", place.column)
    return array


def _no_gaps(array: Any, place: Place) -> None:
    missing = array.is_null()
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        missing = pc.or_(missing, pc.equal(array, "").fill_null(False))
    if pc.any(missing).as_py():
        place.fail(int(np.argmax(missing.to_numpy(zero_copy_only=False))), "is empty")


def _first_wrong(array: Any, kind: Any) -> int:
    """Return the first place that cannot be cast, by halves; there is one."""
    begin, end = 0, len(array)
    while end - begin > 1:
        middle = (begin + end) // 2
        try:
            array.slice(begin, middle - begin).cast(kind)
            begin = middle
        except pa.ArrowInvalid:
            end = middle
    return begin


def _as_int64(array: Any) -> Integers:
    return np.asarray(array.to_numpy(zero_copy_only=False), np.int64)


def shown(text: str) -> str:
    """Return a text from a file for an error: quoted, and cut."""
    return repr(text[:SHOWN_MAX]) + ("..." if len(text) > SHOWN_MAX else "")
