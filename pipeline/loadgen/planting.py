"""Breaks that are planted in a bank's statements, one of each kind that reconciliation names.

Whatever is planted must have one possible outcome. So a break is planted on a payment whose amount no other
planted one of the account has, and within a range: no two of these amounts add up to a third one, so no sum
of planted lines explains another break. A line that must not be matched by its reference differs from its
posting by more than scoring forgives.

| planted | what the bank does |
|---|---|
| AMOUNT | states 18 % too much |
| FEE | takes a fee of its own for a payment, with the payment's reference |
| SIGN | states the amount with the other sign |
| DATE | books the line six days before the payment was made |
| PARTIAL | states 78 % of the amount; the rest never comes |
| REFERENCE | states a reference of its own |
| DUPLICATE | states the line twice |
| MISSING_EXTERNAL | never states the payment |
| MISSING_INTERNAL | states a line of which nobody knows |
| SEQUENCE_GAP | leaves out the number of a line |
| CLOSING_BALANCE | closes with a balance that the lines do not make |
| OPENING_BALANCE | opens with another balance than it closed with |
| GAP | the same, and leaves out the number of a statement |
| OVERLAP | the same, and tells of days that were told before |
| LATE_LINE | states the line days later: matched in the end |
| SPLIT | states the payment as two lines: matched as a group |
| REVERSAL | states a line of which nobody knows, and takes it back: both are netted |
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

from pipeline.loadgen.drafts import DraftLine, DraftStatement, Item
from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.plan import DAY_US, SECOND_US
from pipeline.loadgen.world import Community

RANGES = {
    "AMOUNT": (260_00, 430_00),
    "SIGN": (260_00, 495_00),
    "DATE": (260_00, 495_00),
    "REFERENCE": (260_00, 495_00),
    "DUPLICATE": (260_00, 495_00),
    "MISSING_EXTERNAL": (260_00, 495_00),
    "LATE_LINE": (260_00, 495_00),
    "FEE": (260_00, 495_00),
    "PARTIAL": (340_00, 495_00),
    "SPLIT": (260_00, 495_00),
}
"""What is planted on a payment, and of which amounts, minor units: what the bank then states of it is large
enough, too, that two of them make no third one, or is no more than a fee."""
OF_STATEMENTS = ("SEQUENCE_GAP", "CLOSING_BALANCE", "OPENING_BALANCE", "GAP", "OVERLAP")
"""Planted on a statement as a whole, one on a statement."""
OF_CHAINS = ("OPENING_BALANCE", "GAP", "OVERLAP")
"""Of these, what needs a statement before."""
STRAYS = ("MISSING_INTERNAL", "REVERSAL")
"""Lines of which nobody knows."""
BREAKS = (
    *("REFERENCE", "FEE", "SIGN", "MISSING_EXTERNAL", "DUPLICATE", "LATE_LINE", "DATE", "PARTIAL"),
    *("MISSING_INTERNAL", "AMOUNT", "SEQUENCE_GAP", "SPLIT", "CLOSING_BALANCE", "REVERSAL"),
    *("OPENING_BALANCE", "GAP", "OVERLAP"),
)
"""What is planted, in turn."""
APART = 256
"""So many planted amounts of an account are remembered, so that none comes again."""
EARLY_US = 6 * DAY_US
STRAY_MINOR = 60_000_00
"""The smallest amount of a line of which nobody knows; no payment is so large."""


class Planting:
    """What one bank plants."""

    def __init__(self, community: Community, rng: Random, emitter: Emitter) -> None:
        self._community = community
        self._rng = rng
        self._emitter = emitter
        self._amounts: deque[int] = deque(maxlen=APART)
        self._strays = 0
        self.ripening: list[tuple[int, int]] = []
        """When a planted item is due at the earliest (event time, microseconds UTC), and its number."""
        self.late: list[tuple[Item, int]] = []
        """Payments whose lines come later, and the numbers of the planted items."""

    def plant(self, kind: str, sheet: DraftStatement) -> bool:
        """Plant something in a statement; return False if the statement cannot hold it."""
        if kind in RANGES:
            line = self._free_line(kind, sheet)
            return line is not None and self._on_line(kind, sheet, line)
        if kind in STRAYS:
            return self._stray(kind, sheet)
        if sheet.kind is not None or (kind in OF_CHAINS and sheet.number == 1):
            return False
        self._on_statement(kind, sheet)
        return True

    def _free_line(self, kind: str, sheet: DraftStatement) -> DraftLine | None:
        """Return a line on which something can be planted, by chance; None if there is none."""
        low, high = RANGES[kind]
        free = [
            line
            for line in sheet.lines
            if line.item.reference
            and not line.is_planted
            and low <= abs(line.item.amount) < high
            and abs(line.item.amount) not in self._amounts
        ]
        if not free:
            return None
        line = self._rng.choice(free)
        line.is_planted = True
        self._amounts.append(abs(line.item.amount))
        return line

    def _on_line(self, kind: str, sheet: DraftStatement, line: DraftLine) -> bool:
        item = line.item
        if kind in ("MISSING_EXTERNAL", "LATE_LINE"):
            sheet.lines.remove(line)
            if kind == "LATE_LINE":
                self.late.append((item, self._matched(kind, item.payment_id)))
            else:
                self._break(kind, item.at, None, payment_id=item.payment_id)
            return True
        if kind == "SPLIT":
            first = item.amount * 2 // 5
            line.item = item._replace(amount=first)
            self._add(sheet, line, item._replace(amount=item.amount - first))
            self.ripening.append((item.at, self._matched(kind, item.payment_id, tier="GROUP")))
            return True
        if kind == "DUPLICATE":
            self._add(sheet, line, item)
            self._break(kind, item.at, None, statement_id=sheet.statement_id)
            return True
        if kind == "FEE":
            fee = self._add(sheet, line, item._replace(amount=-(2_51 + self._rng.randrange(200) * 2)))
            fee.description = "charge for a payment"
            self._break(kind, item.at, fee)
            return True
        changed = {
            "AMOUNT": item._replace(amount=_too_much(item.amount)),
            "SIGN": item._replace(amount=-item.amount),
            "PARTIAL": item._replace(amount=item.amount * 78 // 400 * 4),
            "REFERENCE": item._replace(reference=self._emitter.name("BANK-")),
        }
        line.item = changed.get(kind, item)
        if kind == "DATE":
            line.booked_at = item.at - EARLY_US
        self._break(kind, item.at, line)
        self._break(kind, item.at, None, payment_id=item.payment_id)  # both sides are open
        return True

    def _add(self, sheet: DraftStatement, after: DraftLine, item: Item) -> DraftLine:
        """Add a line after another one."""
        line = DraftLine(item, is_planted=True)
        sheet.lines.insert(next(n for n, one in enumerate(sheet.lines, 1) if one is after), line)
        return line

    def _stray(self, kind: str, sheet: DraftStatement) -> bool:
        self._strays += 1
        amount = STRAY_MINOR + self._strays * 1_00 + self._rng.randrange(1, 100)
        item = Item(sheet.closed_at - SECOND_US, amount, "", self._emitter.name("BANK-"))
        line = DraftLine(item, is_planted=True)
        sheet.lines.append(line)
        if kind == "MISSING_INTERNAL":
            self._break(kind, item.at, line)
            return True
        back = DraftLine(item._replace(amount=-amount), is_planted=True, description="booking taken back")
        back.more = {"is_reversal": True, "entry_kind": "REVERSAL"}
        sheet.lines.append(back)
        self.ripening.append((item.at, self._matched(kind, None, back, tier="REVERSAL")))
        return True

    def _on_statement(self, kind: str, sheet: DraftStatement) -> None:
        sheet.kind = kind
        if kind == "CLOSING_BALANCE":
            sheet.closing_error = 7_00
        elif kind == "SEQUENCE_GAP":
            sheet.skips_line = True
            if not sheet.lines:  # one is needed: with amount 0
                sheet.lines.append(DraftLine(Item(sheet.closed_at - SECOND_US, 0, "", None)))
        else:
            sheet.opening += 5_00
            sheet.skips_statement = kind == "GAP"
            sheet.begins_at = sheet.closed_at - 4 * DAY_US if kind == "OVERLAP" else None
        sheet.planted.append(self._note(kind, {"statement_id": sheet.statement_id}))

    # --- what is expected

    def _break(
        self,
        kind: str,
        at: int,
        line: DraftLine | None,
        statement_id: str | None = None,
        payment_id: str | None = None,
    ) -> None:
        """Note a break that opens some time after `at`; where it is the line's, its place is filled in."""
        number = self._note(kind, {"statement_id": statement_id, "payment_id": payment_id}, line)
        self.ripening.append((at, number))

    def _note(self, kind: str, ids: dict[str, Any], line: DraftLine | None = None) -> int:
        nostro = self._community.nostro
        expected = {"kind": kind, "account_id": nostro, "statement_id": None, "line_no": None}
        expected |= {"payment_id": None} | ids
        if line is not None:
            line.expected.append(expected)
        return self._emitter.plant(
            *("break", kind.lower(), self._community.tenant, {"break": expected}), account_id=nostro, **ids
        )

    def _matched(
        self, kind: str, payment_id: str | None, line: DraftLine | None = None, tier: str | None = None
    ) -> int:
        """Note that a payment's posting, or a line, must be matched in the end; return the item's number."""
        expected = {"account_id": self._community.nostro, "payment_id": payment_id, "tier": tier}
        expected |= {"statement_id": None, "line_no": None}
        if line is not None:
            line.expected.append(expected)
        tenant = self._community.tenant
        return self._emitter.plant(
            "break", kind.lower(), tenant, {"matched": expected}, account_id=self._community.nostro
        )


def _too_much(amount: int) -> int:
    """Return an amount and 18 % more, minor units; what is more does not look like a fee."""
    more = amount * 18 // 100
    return amount + more + (2 if more % 25 == 0 else 0)
