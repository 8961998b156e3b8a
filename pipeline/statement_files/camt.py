"""camt.053 (statements) and camt.054 (notifications) of ISO 20022, versions 02 to 13.

    Document -> BkToCstmrStmt -> Stmt -> Acct, Bal, Ntry -> NtryDtls -> TxDtls
    Document -> BkToCstmrDbtCdtNtfctn -> Ntfctn -> Ntry

Elements are found by their names, whatever the namespace: what is read is the same in every version, but for
Sts, Pty and the like, which later versions wrap once more.
"""

from __future__ import annotations

from datetime import date

import msgspec

from pipeline.statement_files.amounts import checked_currency, minor_of
from pipeline.statement_files.camt_entry import is_booked, line_of
from pipeline.statement_files.form import (
    LINES_MAX,
    STATEMENTS_MAX,
    FileRefused,
    Line,
    Notice,
    Read,
    Statement,
    refused,
    statement_id_of,
)
from pipeline.statement_files.times import day_of_us, iso_moment
from pipeline.statement_files.xml_tree import Element, read_xml

OPENING, CLOSING = ("OPBD", "PRCD"), ("CLBD",)
INTERIM_PAGE = "ITBD"
"""Of a page that is not the last, its balances: the first is the opening one."""


class _Whole(msgspec.Struct):
    """What has been read of the statement that is open."""

    lines: list[Line] = []
    waiting: int = 0
    entries: int = 0
    flaw: FileRefused | None = None


class _Document:
    def __init__(self) -> None:
        self.read = Read("camt.053")
        self.statement = _Whole()
        self.lines = 0
        self.messages = 0

    def entry(self, element: Element, around: list[Element]) -> None:
        """Take an entry as it ends. Raises FileRefused beyond a bound."""
        statement, container = self.statement, around[-1]
        statement.entries += 1
        self.lines += 1
        if self.lines > LINES_MAX:
            raise refused(f"line {element.line:,}", f"more than {LINES_MAX:,} entries: divide the file")
        if statement.flaw is not None:
            return
        place = f"line {element.line:,}, Ntry {statement.entries:,}"
        try:
            if not is_booked(element):
                statement.waiting += 1
                return
            line = line_of(element, place)
        except FileRefused as error:
            statement.flaw = error
            return
        if container.name == "Ntfctn":
            self.read.notices.append(Notice(place, _account(container), line))
        else:
            statement.lines.append(line)

    def closed(self, element: Element, _around: list[Element]) -> None:
        """Take a statement as it ends. Raises FileRefused beyond a bound."""
        whole, self.statement = self.statement, _Whole()
        self.messages += 1
        if len(self.read.statements) >= STATEMENTS_MAX:
            raise refused(
                f"line {element.line:,}", f"more than {STATEMENTS_MAX:,} statements: divide the file"
            )
        place = f"line {element.line:,}, {element.name} {(element.told('Id') or '')[:40]!r}"
        if whole.waiting:
            self.read.notes.append(
                f"{place}: {whole.waiting:,} entries are not booked yet (Sts), and are no lines"
            )
        try:
            if whole.flaw is not None:
                raise whole.flaw
            self.read.statements.append(_statement(element, whole.lines, place))
        except FileRefused as error:
            self.read.refused.append(str(error) if str(error).startswith(place) else f"{place}: {error}")

    def notified(self, element: Element, _around: list[Element]) -> None:
        """Take a notification as it ends."""
        whole, self.statement = self.statement, _Whole()
        self.messages += 1
        self.read.format = "camt.054"
        if whole.flaw is not None:
            self.read.refused.append(f"line {element.line:,}, Ntfctn: {whole.flaw}")


def read_camt(data: bytes) -> Read:
    """Read a document. Raises FileRefused where it is none of these."""
    found = _Document()
    read_xml(
        data,
        {"Ntry": found.entry, "Stmt": found.closed, "Ntfctn": found.notified, "Rpt": _no_report},
    )
    if not found.messages:
        raise refused(
            "", "it has neither a statement (Stmt) nor a notification (Ntfctn): this is no camt.053 or .054"
        )
    return found.read


def _no_report(element: Element, _around: list[Element]) -> None:
    raise refused(
        f"line {element.line:,}",
        "a camt.052 is a report within the day, and no statement: wait for the camt.053",
    )


def _account(element: Element) -> str:
    return (element.told("Acct/Id/IBAN", "Acct/Id/Othr/Id", "Acct/Id/PrtryAcct/Id") or "")[:128]


def _statement(element: Element, lines: list[Line], place: str) -> Statement:
    balances = [_balance(one, place) for one in element.all("Bal")]
    opening, closing = _first(balances, *OPENING), _last(balances, *CLOSING)
    interim = [one for one in balances if one[0] == INTERIM_PAGE]
    if interim and opening is None:
        opening = interim[0]
    if interim and closing is None and (len(interim) > 1 or opening is not interim[0]):
        closing = interim[-1]
    currency = _currency(element, balances, lines, place)
    for line in lines:
        if line.currency != currency:
            raise refused(line.place, f"the entry is in {line.currency}, the statement in {currency}")
    until, since = element.told("FrToDt/ToDtTm", "FrToDt/ToDt"), element.told("FrToDt/FrDtTm", "FrToDt/FrDt")
    closed = _closed(until, closing, lines, element, place)
    from_us = iso_moment(since, place)[0] if since else None if opening is None else opening[3]
    number = _number(element.told("ElctrncSeqNb") or element.told("LglSeqNb"))
    page = _number(element.told("StmtPgntn/PgNb", "RptPgntn/PgNb"))
    is_whole = page == 1 and element.told("StmtPgntn/LastPgInd") == "true"
    page = None if is_whole else page
    opening_minor = None if opening is None else opening[1]
    day = (day_of_us(closed[0]) if closed[1] is None else closed[1]).isoformat()
    return Statement(
        place=place,
        account=_account(element),
        currency=currency,
        statement_id=statement_id_of(element.told("Id") or "", day, number, page, opening_minor),
        lines=tuple(lines),
        opening_minor=opening_minor,
        closing_minor=None if closing is None else closing[1],
        from_us=from_us,
        closed_us=closed[0],
        sequence_no=number,
        page=page,
    )


def _balance(element: Element, place: str) -> tuple[str, int, str, int, date]:
    """Return a balance: its code, minor units, currency, time and day."""
    code = element.told("Tp/CdOrPrtry/Cd", "Tp/Cd", "Tp/CdOrPrtry/Prtry") or ""
    amount = element.first("Amt")
    if amount is None:
        raise refused(place, f"a balance ({code[:20]}) has no amount")
    place = f"line {element.line:,}, Bal {code[:20]}"
    currency = checked_currency(amount.attributes.get("Ccy", ""), place)
    minor = minor_of(amount.text, currency, place)
    sign = element.told("CdtDbtInd")
    if sign not in ("CRDT", "DBIT"):
        raise refused(place, "CdtDbtInd says neither CRDT nor DBIT")
    at_us, day = iso_moment(element.told("Dt/DtTm", "Dt/Dt") or "", place)
    return code, -minor if sign == "DBIT" else minor, currency, at_us, day


def _first(
    balances: list[tuple[str, int, str, int, date]], *codes: str
) -> tuple[str, int, str, int, date] | None:
    return next((one for code in codes for one in balances if one[0] == code), None)


def _last(
    balances: list[tuple[str, int, str, int, date]], *codes: str
) -> tuple[str, int, str, int, date] | None:
    return next((one for code in codes for one in reversed(balances) if one[0] == code), None)


def _currency(
    element: Element, balances: list[tuple[str, int, str, int, date]], lines: list[Line], place: str
) -> str:
    said = element.told("Acct/Ccy")
    if said is not None:
        return checked_currency(said, place)
    found = [one[2] for one in balances] or [line.currency for line in lines]
    if not found:
        raise refused(place, "nothing says its currency: no Acct/Ccy, no balance, no entry")
    return found[0]


def _closed(
    until: str | None,
    closing: tuple[str, int, str, int, date] | None,
    lines: list[Line],
    element: Element,
    place: str,
) -> tuple[int, date | None]:
    """Return when a statement ends, microseconds UTC, and the bank's day of it where it says one."""
    if closing is not None:
        end_us, day = closing[3], closing[4]
        if until is not None:
            said_us, said_day = iso_moment(until, place)
            return (said_us, day) if said_day == day else (max(end_us, said_us), day)
        return end_us, day
    if until is not None:
        return iso_moment(until, place)
    if lines:
        return max(line.booked_us for line in lines), None
    return iso_moment(element.told("CreDtTm") or "", place)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None
