"""The banks behind the nostro accounts: statements of the payments that crossed them, and planted breaks.

A bank closes a statement every 12 hours of event time and sends it an hour later: lines numbered from 1,
signed as the postings are (a credit of the nostro account is positive), with the payment's reference,
sometimes its id, sometimes none. Line by line it agrees with the payments, except where something is planted
(`planting`). Its statements are numbered.

An item that has no counterpart is a break once it is due. When that is follows from the account's pairs
before it: 31 days after it came while fewer than 200 pairs are known, and as long again where something is
suggested for it; then after the usual lag, two days and a day. The closing of the first statement behind
that carries the number of the planted item. In an endless run the accounts know as many pairs from the
beginning (`ordinary.OrdinaryPayments.known_before`).
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.loadgen.drafts import DraftLine, DraftStatement, Item
from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.journals import newest
from pipeline.loadgen.plan import (
    DAY_US,
    GRACE_US,
    HOUR_US,
    OPENS_WITHIN_US,
    SECOND_US,
    WAITS_US,
    Produce,
)
from pipeline.loadgen.planting import Planting
from pipeline.loadgen.world import Community

PERIOD_US = 12 * HOUR_US
SENT_AFTER_US = HOUR_US
LINES_PER_BREAK = 4
PLANTED_MAX = 6
"""Most of what is planted in one statement."""
BY_ID_SHARE = 0.15
"""Of the lines with a reference, those that carry the payment's id instead."""
LINE, CLOSED = "ledgerflow.StatementLine", "ledgerflow.StatementClosed"
LINE_VERSION, CLOSED_VERSION = 3, 3
"""Versions with all that a bank may say."""


class Bank:
    """One nostro account at its bank."""

    def __init__(
        self, community: Community, start: int, rng: Random, emitter: Emitter, endless: bool
    ) -> None:
        """`endless`: the account knows 200 pairs from the beginning."""
        self._community = community
        self._rng = rng
        self._emitter = emitter
        self._items: list[Item] = []
        self._planting = Planting(community, rng, emitter)
        self._opens_within = OPENS_WITHIN_US if endless else WAITS_US
        self._balance = 0
        self._ends = start + PERIOD_US
        self._statements = self._number = 0

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
        late = self._planting.late
        is_due = bool(late) and late[0][0].at + GRACE_US + DAY_US < self._ends
        yield from self._statement(booked, is_due, self._ends, breaks)
        self._ends += PERIOD_US * ((at - self._ends) // PERIOD_US or 1)

    def state_all(self, at: int) -> Iterator[Produce]:
        """Yield a statement of all payments before `at`, event time, with nothing planted."""
        items, self._items = self._items, []
        yield from self._statement(items, False, at, [])

    def finish(self, at: int, breaks: list[str]) -> Iterator[Produce]:
        """Yield the last two ordinary statements, half of the remaining payments each."""
        half = len(self._items) // 2
        yield from self._statement(self._items[:half], False, at, breaks)
        yield from self._statement(self._items[half:], False, at + SECOND_US, breaks)
        self._items = []

    def fall_due(self, at: int, is_last: bool) -> Iterator[Produce]:
        """Yield an empty statement, so that event time goes on; the last one has the late lines."""
        yield from self._statement([], is_last, at, [])

    def _statement(
        self, items: list[Item], with_late: bool, closed_at: int, breaks: list[str]
    ) -> Iterator[Produce]:
        self._statements += 1
        late: list[tuple[Item, int]] = []
        if with_late:
            late, self._planting.late = self._planting.late, []
        sheet = DraftStatement(
            f"{self._community.nostro}-{self._statements}",
            self._number + 1,
            closed_at,
            self._balance,
            [DraftLine(item) for item in items] + [DraftLine(item, is_planted=True) for item, _ in late],
            planted=[number for _, number in late],
        )
        room = min(1 + len(items) // LINES_PER_BREAK, PLANTED_MAX) if breaks else 0
        for kind in list(breaks):
            if room and self._planting.plant(kind, sheet):
                breaks.remove(kind)
                room -= 1
        yield from self._records(sheet)

    def _records(self, sheet: DraftStatement) -> Iterator[Produce]:
        last = len(sheet.lines)
        for place, line in enumerate(sheet.lines, 1):
            line_no = place + 1 if sheet.skips_line and place == last else place
            for expected in line.expected:
                expected |= {"statement_id": sheet.statement_id, "line_no": line_no}
            yield self._line(sheet, line_no, line)
        closing = sheet.opening + sum(line.item.amount for line in sheet.lines) + sheet.closing_error
        ripening, opened = self._planting.ripening, sheet.closed_at - self._opens_within
        self._planting.ripening = [(at, number) for at, number in ripening if at > opened]
        self._number = sheet.number + sheet.skips_statement
        fields: dict[str, Any] = newest(ev.StatementClosed) | {
            "statement_id": sheet.statement_id,
            "account_id": self._community.nostro,
            "currency": self._community.currency,
            "opening_balance_minor": sheet.opening,
            "closing_balance_minor": closing,
            "line_count": last,
            "closed_at": sheet.closed_at,
            "sequence_no": self._number,
            "from_at": sheet.begins_at,
        }
        self._balance = closing
        ripe = [number for at, number in ripening if at <= opened]
        yield self._event(CLOSED, CLOSED_VERSION, sheet.closed_at, fields, (*sheet.planted, *ripe))

    def _line(self, sheet: DraftStatement, line_no: int, line: DraftLine) -> Produce:
        item = line.item
        booked_at = item.at if line.booked_at is None else line.booked_at
        fields: dict[str, Any] = newest(ev.StatementLine) | line.more if line.more else {}
        fields |= {
            "statement_id": sheet.statement_id,
            "account_id": self._community.nostro,
            "line_no": line_no,
            "external_reference": item.reference,
            "amount_minor": item.amount,
            "currency": self._community.currency,
            "booked_at": booked_at,
            "value_date": booked_at // DAY_US,
            "description": line.description
            or ("incoming payment" if item.amount < 0 else "outgoing payment"),
        }
        return self._event(LINE, LINE_VERSION if line.more else 1, item.at, fields)

    def _event(
        self, record: str, version: int, at: int, fields: dict[str, Any], planted: tuple[int, ...] = ()
    ) -> Produce:
        nostro, tenant = self._community.nostro, self._community.tenant
        return self._emitter.event("statements", record, version, tenant, nostro, at, fields, planted)
