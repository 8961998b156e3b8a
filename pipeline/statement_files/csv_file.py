"""Lists of bookings as CSV, by a mapping that says which column is what.

A list is not a statement: two of them may have the same days. So every day is a statement of its own, its
lines numbered from its begin, and whoever imports a longer list later sends the same events again and the new
ones. A day is closed where the list has balances, but for the last one, which may go on (`complete` says that
it does not).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date, datetime
from io import StringIO
from itertools import pairwise

from pipeline.statement_files.amounts import checked_currency, minor_of
from pipeline.statement_files.csv_mapping import Mapping
from pipeline.statement_files.form import (
    DESCRIPTION_CHARS_MAX,
    FEE,
    INFORMATION,
    LINES_MAX,
    Line,
    Read,
    Statement,
    refused,
)
from pipeline.statement_files.references import (
    clean,
    creditor_reference,
    described,
    external_reference,
    keyed_parts,
    reference,
)
from pipeline.statement_files.times import YEARS, begin_us, day_number, day_of_us

COLUMNS_MAX = 200
CELL_CHARS_MAX = 20_000
_FEE_WORDS = frozenset({"FEE", "FEES", "CHARGE", "CHARGES"})
_BLANKS = re.compile(r"[\s\u00a0\u202f'’]")


def read_csv(text: str, mapping: Mapping) -> Read:
    """Read a file by a mapping. Raises FileRefused; a row that cannot be read refuses all of it."""
    read = Read("CSV")
    by_account: dict[tuple[str, str], list[tuple[Line, int | None]]] = {}
    for number, (place, cells) in enumerate(rows(text, mapping), 1):
        if number > LINES_MAX:
            raise refused(place, f"more than {LINES_MAX:,} rows: divide the file")
        account, line, balance = _line(cells, mapping, place)
        by_account.setdefault((account, line.currency), []).append((line, balance))
    for (account, currency), found in by_account.items():
        read.statements += _days(account, currency, _oldest_first(found), mapping, read)
    return read


def rows(text: str, mapping: Mapping) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows, as place and cells by column. Raises FileRefused."""
    csv.field_size_limit(CELL_CHARS_MAX)
    lines = list(StringIO(text, newline=None))[mapping.skip_lines :]
    reader = csv.reader(lines, delimiter=mapping.delimiter, quotechar=mapping.quote, strict=True)
    names: list[str] = []
    try:
        for cells in reader:
            place = f"line {mapping.skip_lines + reader.line_num:,}"
            if len(cells) > COLUMNS_MAX:
                raise refused(
                    place, f"more than {COLUMNS_MAX} columns: is the delimiter {mapping.delimiter!r} right?"
                )
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = [cell.strip() for cell in cells]
                _check_names(names, mapping, place)
                continue
            lacks_needed = any(name in mapping.needed for name in names[len(cells) :])
            if lacks_needed or any(cell.strip() for cell in cells[len(names) :]):
                raise refused(
                    place,
                    f"{len(cells)} cells, and there are {len(names)} columns: take out what is no booking",
                )
            yield place, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise refused(f"line {mapping.skip_lines + reader.line_num:,}", f"this is no CSV: {error}") from None
    if not names:
        raise refused("", "it has no line of column names")


def _check_names(names: list[str], mapping: Mapping, place: str) -> None:
    for column in mapping.columns.values():
        for name in column if isinstance(column, tuple) else (column,):
            if names.count(name) != 1:
                what = "there is no such column" if name not in names else "two columns have this name"
                raise refused(place, f"{name!r}: {what}; `ledgerflow statements preview` shows the columns")


def _line(cells: dict[str, str], mapping: Mapping, place: str) -> tuple[str, Line, int | None]:
    def cell(what: str) -> str:
        column = mapping.columns.get(what)
        return "" if column is None else cells.get(str(column), "").strip()

    currency = checked_currency(cell("currency") or mapping.currency, f"{place}, currency")
    minor = _amount(cell, mapping, currency, place)
    booked = _day(cell("booked"), mapping, f"{place}, booked")
    value = _day(cell("value"), mapping, f"{place}, value") if cell("value") else booked
    texts = mapping.columns.get("description", ())
    description = described(cells.get(name) for name in texts)[:DESCRIPTION_CHARS_MAX]
    end_to_end = reference(cell("end_to_end_id")) or reference(keyed_parts(description).get("EREF"))
    kind = INFORMATION if minor == 0 else FEE if cell("kind").upper() in _FEE_WORDS else None
    line = Line(
        place=place,
        amount_minor=minor,
        currency=currency,
        booked_us=begin_us(booked),
        value_day=day_number(value),
        description=description,
        external_reference=external_reference(
            minor >= 0, end_to_end, cell("reference"), creditor_reference(description)
        ),
        end_to_end_id=end_to_end,
        bank_reference=reference(cell("bank_reference")),
        transaction_code=clean(cell("kind"), 64),
        counterparty_name=clean(cell("counterparty")),
        counterparty_account=clean(cell("counterparty_account")),
        entry_kind=kind,
    )
    balance = cell("balance")
    after = _number(balance, mapping, currency, f"{place}, balance") if balance else None
    return cell("account")[:128], line, after


def _amount(cell: object, mapping: Mapping, currency: str, place: str) -> int:
    read = cell  # a function of a column's meaning
    assert callable(read)
    if "amount" in mapping.columns:
        minor = _number(read("amount"), mapping, currency, f"{place}, amount")
        sign = read("sign").upper()
        if "sign" in mapping.columns:
            if sign not in (*mapping.debit, *mapping.credit):
                said = f"{sign[:20]!r} is neither credit nor debit"
                raise refused(f"{place}, sign", f"{said}: name it in the mapping (credit, debit)")
            minor = -abs(minor) if sign in mapping.debit else abs(minor)
        return -minor if mapping.is_turned else minor
    out, into = read("debit"), read("credit")
    if bool(out) == bool(into) and not (_is_zero(out) or _is_zero(into)):
        raise refused(place, "one of debit and credit has an amount, the other is empty")
    paid = abs(_number(out, mapping, currency, f"{place}, debit")) if out else 0
    got = abs(_number(into, mapping, currency, f"{place}, credit")) if into else 0
    if paid and got:
        raise refused(place, "debit and credit have both an amount")
    return got - paid


def _is_zero(text: str) -> bool:
    return bool(text) and not text.strip("0., ")


def _number(text: str, mapping: Mapping, currency: str, place: str) -> int:
    """Return an amount as the mapping writes it: `1.234,56`, `-12.50`, `12.50-`, `(12.50)`."""
    given = _BLANKS.sub("", text).replace("−", "-")
    is_negative = (given.startswith("(") and given.endswith(")")) or given.endswith("-")
    given = given.strip("()") if given.startswith("(") else given.removesuffix("-")
    for sign in (currency, "€", "$", "£"):
        given = given.removeprefix(sign).removesuffix(sign)
    other = "." if mapping.decimal == "," else ","
    whole, point, part = given.partition(mapping.decimal)
    if other in part or not re.fullmatch(rf"[+-]?[0-9]*(?:\{other}[0-9]{{2,3}})*", whole, re.ASCII):
        raise refused(place, f"{text[:40]!r} is no amount with {mapping.decimal!r} before the decimals")
    minor = minor_of(whole.replace(other, "") + (f".{part}" if point else ""), currency, place)
    return -minor if is_negative else minor


def _day(text: str, mapping: Mapping, place: str) -> date:
    try:
        day = datetime.strptime(text[:40], mapping.date).date()
    except ValueError:
        day = None
    if day is None or day.year not in YEARS:
        raise refused(place, f"{text[:40]!r} is no day as {mapping.date!r} in the mapping says")
    return day


def _oldest_first(found: list[tuple[Line, int | None]]) -> list[tuple[Line, int | None]]:
    """Return bookings in the order of time: many lists begin with the newest."""
    first, last = found[0][0].booked_us, found[-1][0].booked_us
    return found[::-1] if first > last or (first == last and _is_descending(found)) else found


def _is_descending(found: list[tuple[Line, int | None]]) -> bool:
    """Return whether balances of one day show that the newest booking comes first."""
    pairs = list(pairwise(found))
    known = [(a, b) for a, b in pairs if a[1] is not None and b[1] is not None]
    return bool(known) and all(a[1] == b[1] + a[0].amount_minor for a, b in known if b[1] is not None)


def _days(
    account: str, currency: str, found: list[tuple[Line, int | None]], mapping: Mapping, read: Read
) -> Iterator[Statement]:
    days: dict[int, list[tuple[Line, int | None]]] = {}
    for one in found:
        days.setdefault(one[0].booked_us, []).append(one)
    has_balances = all(balance is not None for _, balance in found)
    if not has_balances:
        read.notes.append(
            "it has no balances, so no day is closed, and nothing shows whether lines are missing"
        )
    for at, (day_us, pairs) in enumerate(sorted(days.items()), 1):
        opening = closing = None
        if has_balances:
            first, after = pairs[0]
            opening, closing = (after or 0) - first.amount_minor, pairs[-1][1]
            if at == len(days) and not mapping.is_complete:
                closing = None
                read.notes.append(
                    f"the last day, {day_of_us(day_us)}, may go on, so it is not closed: `complete = true` in"
                    " the mapping says that it is whole"
                )
        yield Statement(
            place=f"day {day_of_us(day_us)}",
            account=account,
            currency=currency,
            statement_id=f"list {currency}@{day_of_us(day_us)}",
            lines=tuple(line for line, _ in pairs),
            opening_minor=opening,
            closing_minor=closing,
            from_us=day_us,
            closed_us=day_us,
            is_day=True,
        )
