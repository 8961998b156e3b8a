"""BAI2, the cash management format of banks in the United States.

    01 file  02 group  03 account  (16 transaction)*  49 account's end  98 group's end  99 file's end
    88 goes on with the record before it

Amounts are whole minor units. A type code says which way: 100 to 399 credits, 400 to 699 debits. Sums and
counts of the trailers are checked: a file that was cut off or damaged says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from io import StringIO
from typing import NamedTuple

import msgspec

from pipeline.statement_files.amounts import checked_currency, whole_minor
from pipeline.statement_files.bai2_transaction import Record, as_line, day_of
from pipeline.statement_files.form import (
    LINES_MAX,
    STATEMENTS_MAX,
    FileRefused,
    Line,
    Read,
    Statement,
    refused,
    statement_id_of,
)
from pipeline.statement_files.times import begin_us

OPENING, CLOSING = "010", "015"
INTERIM = ("1", "3")
"""As-of-date modifiers of figures that are not final."""
RECORD_CHARS_MAX = 100_000
CODES = frozenset({"01", "02", "03", "16", "49", "98", "99"})


class _Group(NamedTuple):
    day: date
    currency: str
    is_final: bool
    sender: str


class _Account(msgspec.Struct):
    """An account's records, from 03 to 49."""

    head: Record
    group: _Group
    number: int
    """Which account of the group it is, by its own number: one may come twice."""
    lines: list[Line] = []
    total: int = 0
    """Of all amounts, as 49 has it."""
    records: int = 0
    flaw: FileRefused | None = None
    balances: dict[str, int] = {}
    currency: str = ""


def read_bai2(text: str) -> Read:
    """Read a file. Raises FileRefused where it is none of this format, or cut off."""
    read, reader = Read("BAI2"), _Reader()
    for record in _records(text):
        reader.take(record, read)
    if reader.last != "99":
        raise refused("", "it ends without a file trailer (99): it is cut off, ask for it again")
    return read


def _records(text: str) -> Iterator[Record]:
    """Yield records with their continuations."""
    record: Record | None = None
    for number, raw in enumerate(StringIO(text, newline=None), 1):
        line = raw.strip()
        if not line:
            continue
        code = line[:2]
        if code == "88" and line[2:3] in (",", "/", ""):
            if record is None:
                raise refused(f"line {number:,}", "a continuation (88) follows no record")
            record.physical += 1
            record.parts.append(line[3:])
            record.chars += len(line)
        elif code in CODES and line[2:3] in (",", "/", ""):
            if record is not None:
                yield record
            record = Record(number, code, [line[3:]], 1, len(line))
        elif record is not None and record.code == "16":
            record.parts.append(line)  # a text with line breaks
            record.chars += len(line)
        else:
            raise refused(
                f"line {number:,}",
                f"{line[:20]!r} begins with no record code of BAI2 (01, 02, 03, 16, 49, 88, 98, 99)",
            )
        if record.chars > RECORD_CHARS_MAX:
            raise refused(
                f"line {number:,}", f"a record has more than {RECORD_CHARS_MAX:,} characters: this is no BAI2"
            )
    if record is not None:
        yield record


class _Reader:
    """Takes the records of a file in their order."""

    def __init__(self) -> None:
        self.last = ""
        self._group: _Group | None = None
        self._account: _Account | None = None
        self._numbers: dict[str, int] = {}
        self._lines = self._accounts = 0

    def take(self, record: Record, read: Read) -> None:
        """Take the next record. Raises FileRefused for what no file of this format has."""
        if not self.last and record.code != "01":
            raise refused(record.place, "it does not begin with a file header (01): this is no BAI2")
        if self.last == "99":
            if record.code != "01":
                raise refused(record.place, "something follows the file trailer (99)")
            self._numbers = {}
        self.last = record.code
        if record.code == "02":
            self._group = _group(record)
        elif record.code == "03":
            self._open(record)
        elif record.code == "16":
            self._transaction(record)
        elif record.code == "49":
            self._end(record, read)
        elif record.code in ("98", "99") and self._account is not None:
            raise refused(
                record.place, "the account before has no trailer (49): the file is damaged, ask for it again"
            )

    def _open(self, record: Record) -> None:
        if self._group is None:
            raise refused(record.place, "an account (03) outside of a group (02)")
        if self._account is not None:
            raise refused(
                record.place, "the account before has no trailer (49): the file is damaged, ask for it again"
            )
        self._accounts += 1
        if self._accounts > STATEMENTS_MAX:
            raise refused(record.place, f"more than {STATEMENTS_MAX:,} accounts: divide the file")
        name = account_name(record)
        self._numbers[name] = self._numbers.get(name, 0) + 1
        account = _Account(record, self._group, self._numbers[name], records=record.physical)
        self._account = account
        try:
            _read_head(account)
        except FileRefused as error:
            account.flaw = error

    def _transaction(self, record: Record) -> None:
        account = self._account
        if account is None:
            raise refused(record.place, "a transaction (16) outside of an account (03)")
        self._lines += 1
        if self._lines > LINES_MAX:
            raise refused(record.place, f"more than {LINES_MAX:,} transactions: divide the file")
        account.records += record.physical
        if account.flaw is not None:
            return
        try:
            line, amount = as_line(record, account.currency, account.group.day)
        except FileRefused as error:
            account.flaw = error
            return
        account.total += amount
        if line is not None:
            account.lines.append(line)

    def _end(self, record: Record, read: Read) -> None:
        account = self._account
        if account is None:
            raise refused(record.place, "an account's trailer (49) without an account (03)")
        self._account = None
        place = f"line {account.head.line:,}, account {account_name(account.head)[:40]!r}"
        try:
            if account.flaw is not None:
                raise account.flaw
            statement = _statement(account, place)
            fields = [*record.fields, "", ""]
            if fields[0].strip() and whole_minor(fields[0], record.place) != account.total:
                read.problems.append(
                    f"{place}: its amounts make {account.total}, its trailer (49) says {fields[0][:40]}:"
                    " the file is damaged"
                )
            if fields[1].strip().isdigit() and int(fields[1]) != account.records + record.physical:
                read.problems.append(
                    f"{place}: it has {account.records + record.physical} records, its trailer (49) says"
                    f" {fields[1][:20]}"
                )
        except FileRefused as error:
            read.refused.append(f"{place}: {error}")
            return
        if not account.group.is_final:
            read.notes.append(
                f"{place}: its figures are not final (as-of-date modifier), so nothing is closed by it"
            )
        read.statements.append(statement)


def account_name(record: Record) -> str:
    """Return the bank's number of an account (03)."""
    return [*record.fields, ""][0].strip()


def _group(record: Record) -> _Group:
    """Return a group: 02,receiver,originator,status,as-of-date,time,currency,modifier/."""
    fields = [*record.fields, *[""] * 7]
    if fields[2].strip() in ("2", "4"):
        raise refused(
            record.place, "the group deletes another one, or is a test (status 2 or 4): it is not imported"
        )
    return _Group(
        day=day_of(fields[3], record.place),
        currency=fields[5].strip() or "USD",
        is_final=fields[6].strip() not in INTERIM,
        sender=fields[1].strip()[:40],
    )


def _read_head(account: _Account) -> None:
    """Read 03,account,currency,(type code,amount,items,funds type)*/. Raises FileRefused."""
    record = account.head
    fields = [*record.fields, "", ""]
    account.currency = checked_currency(fields[1].strip() or account.group.currency, record.place)
    at = 2
    balances: dict[str, int] = {}
    while at < len(fields) and fields[at].strip():
        code, amount = fields[at].strip(), (fields[at + 1 : at + 2] or [""])[0].strip()
        at = record.after_funds(at + 3, fields)
        if amount:
            minor = whole_minor(amount, record.place)
            balances.setdefault(code, minor)
            account.total += minor
    account.balances = balances


def _statement(account: _Account, place: str) -> Statement:
    name, group = account_name(account.head)[:128], account.group
    opening, closing = account.balances.get(OPENING), account.balances.get(CLOSING)
    if not group.is_final:
        closing = None
    page = account.number if account.number > 1 else None
    return Statement(
        place=place,
        account=name,
        currency=account.currency,
        statement_id=statement_id_of(f"BAI2 {group.sender}", group.day.isoformat(), None, page, opening),
        lines=tuple(account.lines),
        opening_minor=opening,
        closing_minor=closing,
        from_us=begin_us(group.day),
        closed_us=begin_us(group.day),
        page=page,
    )
