"""The banks behind the nostro accounts: statements of the payments that crossed them, and planted breaks.

A bank closes a statement every 12 hours of event time and sends it an hour later: lines numbered from 1,
signed as the postings are (a credit of the nostro account is positive), with the payment's reference,
sometimes its id, sometimes none. Line by line it agrees with the payments, except where a break is planted.

Some breaks open only after the grace period. Such a break is due once a later statement has moved the
account's event time past that, so the closing of that statement carries the number of the planted item.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.plan import DAY_US, GRACE_US, HOUR_US, SECOND_US, Produce
from pipeline.loadgen.world import Community

PERIOD_US = 12 * HOUR_US
SENT_AFTER_US = HOUR_US
ON_A_LINE = ("AMOUNT", "MISSING_EXTERNAL", "DUPLICATE", "LATE_LINE")
BREAKS = (*ON_A_LINE, "MISSING_INTERNAL", "SEQUENCE_GAP", "CLOSING_BALANCE", "OPENING_BALANCE")
"""What is planted, in turn: every break type, and LATE_LINE, a line that comes much later."""
LINES_PER_BREAK = 4
BY_ID_SHARE = 0.15
"""Of the lines with a reference, those that carry the payment's id instead."""
LINE, CLOSED = "ledgerflow.StatementLine", "ledgerflow.StatementClosed"


class Item(NamedTuple):
    """A payment over the nostro account, as the bank saw it; `at` microseconds UTC, signed minor units."""

    at: int
    amount: int
    payment_id: str
    reference: str | None


@dataclass
class DraftLine:
    """A line of a statement that is being written."""

    item: Item
    expected: dict[str, Any] | None = None
    """The expectation of the break that is planted on it; its line number is filled in later."""


@dataclass
class DraftStatement:
    """A statement that is being written."""

    statement_id: str
    closed_at: int
    opening: int
    lines: list[DraftLine]
    closing_error: int = 0
    gap: bool = False
    """Whether the number before the last is left out."""
    kinds: set[str] = field(default_factory=set)
    planted: tuple[int, ...] = ()
    """Numbers of the planted items that are complete when this statement is closed."""


class Bank:
    """One nostro account at its bank."""

    def __init__(self, community: Community, start: int, rng: Random, emitter: Emitter) -> None:
        self._community = community
        self._rng = rng
        self._emitter = emitter
        self._items: list[Item] = []
        self._late: list[tuple[Item, int]] = []
        self._balance = 0
        self._ends = start + PERIOD_US
        self._ripening: list[tuple[int, int]] = []
        self._statements = 0

    def book(self, item: Item) -> None:
        """Keep a payment over the account, for the next statement."""
        if item.reference is not None and self._rng.random() < BY_ID_SHARE:
            item = item._replace(reference=item.payment_id)
        self._items.append(item)

    def statements(self, at: int, breaks: list[str]) -> Iterator[Produce]:
        """Yield the statement that is due at event time `at`, if any; remove from `breaks` what it plants."""
        if at < self._ends + SENT_AFTER_US:
            return
        booked = [item for item in self._items if item.at <= self._ends]
        self._items = [item for item in self._items if item.at > self._ends]
        late: list[tuple[Item, int]] = []
        if self._late and self._late[0][0].at + GRACE_US + DAY_US < self._ends:
            late, self._late = self._late, []
        yield from self._statement(booked, late, self._ends, breaks)
        self._ends += PERIOD_US * ((at - self._ends) // PERIOD_US or 1)

    def finish(self, at: int, breaks: list[str]) -> Iterator[Produce]:
        """Yield the last two ordinary statements, half of the remaining payments each."""
        half = len(self._items) // 2
        yield from self._statement(self._items[:half], [], at, breaks)
        yield from self._statement(self._items[half:], [], at + SECOND_US, breaks)
        self._items = []

    def fall_due(self, at: int) -> Iterator[Produce]:
        """Yield two statements after the grace period: an empty one, then one with the late lines."""
        yield from self._statement([], [], at - HOUR_US, [])
        late, self._late = self._late, []
        yield from self._statement([], late, at, [])

    def _statement(
        self, items: list[Item], late: list[tuple[Item, int]], closed_at: int, breaks: list[str]
    ) -> Iterator[Produce]:
        self._statements += 1
        name = f"{self._community.nostro}-{self._statements}"
        lines = [DraftLine(item) for item in items] + [DraftLine(item) for item, _ in late]
        sheet = DraftStatement(name, closed_at, self._balance, lines)
        sheet.planted = tuple(number for _, number in late)
        room = 1 + len(items) // LINES_PER_BREAK if breaks else 0
        for kind in list(breaks):
            if room and self._plant(kind, sheet):
                breaks.remove(kind)
                room -= 1
        yield from self._records(sheet)

    # --- planting

    def _plant(self, kind: str, sheet: DraftStatement) -> bool:
        """Plant a break in a statement; return False if the statement cannot hold it."""
        if kind in ON_A_LINE:
            free = [line for line in sheet.lines if line.item.reference and line.expected is None]
            return bool(free) and self._plant_on(kind, sheet, self._rng.choice(free))
        if kind in sheet.kinds or (kind == "OPENING_BALANCE" and self._statements == 1):
            return False
        sheet.kinds.add(kind)
        if kind == "MISSING_INTERNAL":
            amount = 60_000_00 + int(self._rng.random() * 1_000_00)
            stray = DraftLine(Item(sheet.closed_at - SECOND_US, amount, "", self._emitter.name("BANK-")))
            number, stray.expected = self._note(kind, statement_id=sheet.statement_id)
            sheet.lines.append(stray)
            self._ripening.append((stray.item.at + GRACE_US, number))
            return True
        if kind == "OPENING_BALANCE":
            sheet.opening += 5_00
        elif kind == "CLOSING_BALANCE":
            sheet.closing_error = 7_00
        else:
            sheet.gap = True
            if not sheet.lines:  # a gap needs a line: one with amount 0
                sheet.lines.append(DraftLine(Item(sheet.closed_at - SECOND_US, 0, "", None)))
        number, _ = self._note(kind, statement_id=sheet.statement_id)
        sheet.planted += (number,)
        return True

    def _plant_on(self, kind: str, sheet: DraftStatement, line: DraftLine) -> bool:
        item = line.item
        if kind == "AMOUNT":
            line.item = item._replace(amount=item.amount + (1 if item.amount > 0 else -1))
            number, line.expected = self._note(kind, statement_id=sheet.statement_id)
            sheet.planted += (number,)
        elif kind == "DUPLICATE":
            number, _ = self._note(kind, statement_id=sheet.statement_id)
            line.expected = {}  # either of the two lines may be reported as the duplicate
            sheet.lines.append(DraftLine(item, {}))
            self._ripening.append((item.at + GRACE_US, number))
        elif kind == "MISSING_EXTERNAL":
            sheet.lines.remove(line)
            number, _ = self._note(kind, payment_id=item.payment_id)
            self._ripening.append((item.at + GRACE_US, number))
        else:
            sheet.lines.remove(line)
            expected = {"matched": {"account_id": self._community.nostro, "payment_id": item.payment_id}}
            number = self._emitter.plant(
                "break", "late_line", self._community.tenant, expected, payment_id=item.payment_id
            )
            self._late.append((item, number))
        return True

    def _note(
        self, kind: str, statement_id: str | None = None, payment_id: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Note a planted break; return its number and its expectation."""
        expected: dict[str, Any] = {
            "type": kind,
            "account_id": self._community.nostro,
            "statement_id": statement_id,
            "line_no": None,
            "payment_id": payment_id,
        }
        tenant = self._community.tenant
        number = self._emitter.plant(
            "break",
            kind.lower(),
            tenant,
            {"break": expected},
            account_id=self._community.nostro,
            statement_id=statement_id,
            payment_id=payment_id,
        )
        return number, expected

    # --- records

    def _records(self, sheet: DraftStatement) -> Iterator[Produce]:
        last = len(sheet.lines)
        for place, line in enumerate(sheet.lines, 1):
            line_no = place + 1 if sheet.gap and place == last else place
            if line.expected:
                line.expected["line_no"] = line_no
            yield self._line(sheet, line_no, line.item)
        closing = sheet.opening + sum(line.item.amount for line in sheet.lines) + sheet.closing_error
        ripe = tuple(number for due, number in self._ripening if due + HOUR_US <= sheet.closed_at)
        self._ripening = [(due, number) for due, number in self._ripening if number not in ripe]
        fields: dict[str, Any] = {
            "statement_id": sheet.statement_id,
            "account_id": self._community.nostro,
            "currency": self._community.currency,
            "opening_balance_minor": sheet.opening,
            "closing_balance_minor": closing,
            "line_count": last,
            "closed_at": sheet.closed_at,
        }
        self._balance = closing
        yield self._event(CLOSED, sheet.closed_at, fields, sheet.planted + ripe)

    def _line(self, sheet: DraftStatement, line_no: int, item: Item) -> Produce:
        fields: dict[str, Any] = {
            "statement_id": sheet.statement_id,
            "account_id": self._community.nostro,
            "line_no": line_no,
            "external_reference": item.reference,
            "amount_minor": item.amount,
            "currency": self._community.currency,
            "booked_at": item.at,
            "value_date": item.at // DAY_US,
            "description": "incoming payment" if item.amount < 0 else "outgoing payment",
        }
        return self._event(LINE, item.at, fields)

    def _event(self, record: str, at: int, fields: dict[str, Any], planted: tuple[int, ...] = ()) -> Produce:
        nostro, tenant = self._community.nostro, self._community.tenant
        return self._emitter.event("statements", record, 1, tenant, nostro, at, fields, planted)
