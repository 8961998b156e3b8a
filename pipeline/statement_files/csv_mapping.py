"""What a CSV file's columns are: a TOML file, and a first guess of one.

delimiter = ";"          quote = '"'       encoding = "utf-8"      skip_lines = 0
decimal = ","            date = "%d.%m.%Y" currency = "EUR"        complete = false
credit = ["C"]           debit = ["D"]     turned = false

[columns]
booked = "Booking date"
amount = "Amount"        # or debit = "Out" and credit = "In"; sign = "C/D" where amounts have none
description = ["Type", "Purpose"]
"""

from __future__ import annotations

import codecs
import tomllib
from typing import Any

import msgspec

from pipeline.statement_files.form import FileRefused, refused

NEEDED = ("booked",)
MEANINGS = (
    *("account", "booked", "value", "amount", "sign", "debit", "credit", "balance", "currency", "reference"),
    *("end_to_end_id", "bank_reference", "counterparty", "counterparty_account", "kind", "description"),
)
MAPPING_BYTES_MAX = 64 * 1024
DATE_SIGNS = "dmyYbBHMSpIjfzZ"
CREDIT, DEBIT = ("C", "CR", "CRDT", "CREDIT", "H", "+"), ("D", "DR", "DBIT", "DEBIT", "S", "-")


class Mapping(msgspec.Struct, frozen=True):
    """How a file is written, and which column is what."""

    columns: dict[str, Any]
    """By meaning: the name of a column; of `description` several."""
    delimiter: str = ","
    quote: str = '"'
    encoding: str = ""
    skip_lines: int = 0
    decimal: str = "."
    date: str = "%Y-%m-%d"
    currency: str = ""
    credit: tuple[str, ...] = CREDIT
    debit: tuple[str, ...] = DEBIT
    is_turned: bool = False
    """Amounts have the bank's sign: a debit is positive."""
    is_complete: bool = False
    """The last day is whole."""

    @property
    def needed(self) -> frozenset[str]:
        """The columns without which a row cannot be read."""
        names = ("booked", "amount", "sign", "debit", "credit")
        return frozenset(str(self.columns[name]) for name in names if name in self.columns)


def mapping_of(data: bytes) -> Mapping:
    """Return the mapping that a TOML file has. Raises FileRefused."""
    if len(data) > MAPPING_BYTES_MAX:
        raise refused("", f"a mapping has at most {MAPPING_BYTES_MAX:,} bytes")
    try:
        given = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise refused("", f"it is no TOML: {error}") from None
    columns = given.pop("columns", None)
    if not isinstance(columns, dict):
        raise refused(
            "", "it has no [columns]: `ledgerflow statements preview FILE` writes a mapping to begin with"
        )
    known = {
        **{
            name: given.pop(name)
            for name in tuple(given)
            if name in ("delimiter", "quote", "encoding", "decimal")
        },
        **{name: given.pop(name) for name in tuple(given) if name in ("skip_lines", "date", "currency")},
        **{name: tuple(given.pop(name)) for name in ("credit", "debit") if isinstance(given.get(name), list)},
        **{f"is_{name}": given.pop(name) for name in ("turned", "complete") if name in given},
    }
    if given:
        raise refused("", f"{sorted(given)[0]!r} is no setting of a mapping")
    try:
        mapping = msgspec.convert({"columns": _columns(columns), **known}, Mapping)
    except msgspec.ValidationError as error:
        raise refused("", str(error)) from None
    _check(mapping)
    return mapping


def _columns(given: dict[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for meaning, column in given.items():
        if meaning not in MEANINGS:
            raise refused("", f"[columns] {meaning!r} is no meaning of a column: {', '.join(MEANINGS)}")
        names = column if isinstance(column, list) else [column]
        if not names or not all(isinstance(name, str) and name for name in names):
            raise refused("", f"[columns] {meaning}: the name of a column is expected")
        if meaning == "description":
            columns[meaning] = tuple(names)
        elif len(names) == 1:
            columns[meaning] = names[0]
        else:
            raise refused("", f"[columns] {meaning}: one column is expected")
    return columns


def _check(mapping: Mapping) -> None:
    columns = mapping.columns
    if "booked" not in columns:
        raise refused("", "[columns] booked is missing: the column of the booking date")
    if "amount" not in columns and not ("debit" in columns and "credit" in columns):
        raise refused("", "[columns] amount is missing, or both debit and credit")
    if "amount" in columns and ("debit" in columns or "credit" in columns):
        raise refused("", "[columns] amount excludes debit and credit: choose")
    if "currency" not in columns and not mapping.currency:
        raise refused("", "currency is missing: that of the account, or its column in [columns]")
    for name, text in {"delimiter": mapping.delimiter, "quote": mapping.quote}.items():
        if len(text) != 1 or text in "\r\n\0":
            raise refused("", f"{name}: one character is expected")
    if mapping.delimiter == mapping.quote:
        raise refused("", "delimiter and quote are the same")
    if mapping.decimal not in (".", ","):
        raise refused("", "decimal: a point or a comma is expected")
    if not 0 <= mapping.skip_lines <= 1_000:
        raise refused("", "skip_lines: 0 to 1,000")
    _check_date(mapping.date)
    if mapping.encoding:
        try:
            codecs.lookup(mapping.encoding)
            "a".encode(mapping.encoding)
        except (LookupError, TypeError, ValueError):
            raise refused("", f"encoding: {mapping.encoding[:40]!r} is not known") from None


def _check_date(form: str) -> None:
    signs = form.replace("%%", "").split("%")[1:]
    if not signs or len(form) > 40 or any(not sign or sign[0] not in DATE_SIGNS for sign in signs):
        raise FileRefused("date: a form such as %d.%m.%Y is expected")
