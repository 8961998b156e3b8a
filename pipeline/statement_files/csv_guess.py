"""A first guess of a CSV file's mapping, for a person to check: dialect, columns, dates and decimals.

A guess is shown and never imported by: a wrong one would turn signs or swap day and month.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from datetime import datetime
from io import StringIO
from itertools import islice
from typing import NamedTuple

from pipeline.statement_files.csv_file import CELL_CHARS_MAX, COLUMNS_MAX
from pipeline.statement_files.form import refused

LOOKED_AT = 200
"""Lines that a guess looks at."""
DELIMITERS = ";,\t|"
DATES = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%Y%m%d",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
)
_WORDS = {
    "booked": "booking date|buchungstag|buchungsdatum|date de comptabilisation|posting date|booked|date",
    "value": "value date|valutadatum|valuta|wertstellung|date de valeur|value",
    "debit": "debit|soll|paid out|withdrawal|out|belastung|débit",
    "credit": "credit|haben|paid in|deposit|in|gutschrift|crédit",
    "amount": "amount|betrag|montant|importe|umsatz",
    "sign": "credit debit|debit credit|soll haben|cr dr|dr cr|c d|type of amount",
    "balance": "balance|saldo|solde|kontostand",
    "currency": "currency|währung|waehrung|devise|ccy",
    "end_to_end_id": "end to end|endtoend|e2e|kundenreferenz|end to end reference",
    "bank_reference": "bank reference|transaction id|transaction reference|bankreferenz",
    "reference": "reference|referenz|référence|ref",
    "counterparty": "counterparty|beneficiary|begünstigter|payee|name|auftraggeber|empfänger|merchant",
    "counterparty_account": "counterparty account|iban|kontonummer|counterparty iban|beneficiary account",
    "account": "account|own account|konto|auftragskonto",
    "description": "description|purpose|verwendungszweck|memo|details|text|narrative|libellé|concepto",
}
_AMOUNT = re.compile(r"[+-]?[(]?[0-9][0-9.,' ]*[)]?-?")


class Guess(NamedTuple):
    """What a file seems to be."""

    delimiter: str
    skip_lines: int
    names: list[str]
    columns: dict[str, str]
    date: str
    decimal: str
    doubts: list[str]
    rows: list[list[str]]


def guess(text: str) -> Guess:
    """Guess a mapping. Raises FileRefused where there are no rows and columns."""
    lines = [line[:CELL_CHARS_MAX] for line in islice(StringIO(text, newline=None), LOOKED_AT)]
    delimiter, skip = _dialect(lines)
    try:
        rows = [row[:COLUMNS_MAX] for row in csv.reader(lines[skip:], delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise refused("", f"this is no CSV: {error}") from None
    if len(rows) < 2 or len(rows[0]) < 2:
        raise refused("", "no columns are found: is this a CSV file, with a line of column names?")
    names, body = [name.strip() for name in rows[0]], [row for row in rows[1:] if len(row) == len(rows[0])]
    columns = _columns(names)
    doubts = [f"no column for {what} is found" for what in ("booked",) if what not in columns]
    if "amount" not in columns and not {"debit", "credit"} <= columns.keys():
        doubts.append("no column for the amount is found, and no two for debit and credit")
    date, doubt = _date([row[names.index(columns["booked"])] for row in body] if "booked" in columns else [])
    doubts += doubt
    money = [columns[name] for name in ("amount", "debit", "credit", "balance") if name in columns]
    decimal, doubt = _decimal([row[names.index(name)] for row in body for name in money])
    return Guess(delimiter, skip, names, columns, date, decimal, doubts + doubt, body[:5])


def as_toml(found: Guess) -> str:
    """Return a guess as a mapping's file."""

    def quoted(text: str) -> str:
        escaped = "".join(f"\\u{ord(c):04x}" if c in '"\\' or not c.isprintable() else c for c in text)
        return f'"{escaped}"'

    lines = [f"# {doubt}" for doubt in found.doubts]
    lines += [f"delimiter = {quoted(found.delimiter)}", f"decimal = {quoted(found.decimal)}"]
    lines += [f"date = {quoted(found.date)}", f"skip_lines = {found.skip_lines}"]
    if "currency" not in found.columns:
        lines.append('currency = ""  # that of the account, such as "EUR"')
    lines.append("\n[columns]")
    lines += [f"{what} = {quoted(name)}" for what, name in found.columns.items() if what != "description"]
    if "description" in found.columns:
        lines.append(f"description = [{quoted(found.columns['description'])}]")
    unused = [name for name in found.names if name not in found.columns.values()]
    return "\n".join([*lines, *(f"# not used: {quoted(name)}" for name in unused)]) + "\n"


def _dialect(lines: list[str]) -> tuple[str, int]:
    """Return the delimiter, and how many lines come before that of the column names."""
    best = (0, 0, ",", 0)
    for delimiter in DELIMITERS:
        counts = [line.count(delimiter) for line in lines]
        usual = Counter(count for count in counts if count).most_common(1)
        if usual:
            count, times = usual[0]
            best = max(best, (times, count, delimiter, counts.index(count)), key=lambda one: one[:2])
    return best[2], best[3]


def _columns(names: list[str]) -> dict[str, str]:
    plain = {name: " ".join(re.split(r"[^0-9a-zà-ÿ]+", name.lower())).strip() for name in names}
    columns: dict[str, str] = {}
    for is_exact in (True, False):
        for what, words in _WORDS.items():
            for word in words.split("|"):
                for name, text in plain.items():
                    fits = text == word if is_exact else f" {word} " in f" {text} "
                    if what not in columns and name not in columns.values() and name and fits:
                        columns[what] = name
    if "amount" in columns:
        columns.pop("debit", None)
        columns.pop("credit", None)
    return columns


def _date(cells: list[str]) -> tuple[str, list[str]]:
    fitting = [form for form in DATES if cells and all(_is_day(cell.strip(), form) for cell in cells[:50])]
    if not fitting:
        return DATES[0], ["no form of dates fits: write it as in %d.%m.%Y"]
    others = ", ".join(fitting[1:])
    return fitting[0], [f"dates fit {others}, too: check day and month"] if others else []


def _is_day(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _decimal(cells: list[str]) -> tuple[str, list[str]]:
    points = commas = 0
    for cell in cells:
        text = cell.strip()
        if not _AMOUNT.fullmatch(text):
            continue
        tail = re.search(r"([.,])[0-9]{1,2}[)]?-?$", text)
        if tail is not None:
            points, commas = points + (tail[1] == "."), commas + (tail[1] == ",")
    if points and commas:
        return ".", ["some amounts have a point before the decimals, some a comma"]
    return ("," if commas else "."), []
