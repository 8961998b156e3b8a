"""Postings, lines and statements in the model of reconciliation, and those that wait for a counterpart."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

OPEN, MISSING, AMOUNT, DUPLICATE, CLAIMED = "OPEN", "MISSING", "AMOUNT", "DUPLICATE", "CLAIMED"


@dataclass
class Posting:
    """A posting of ours. Amounts are minor units, a credit positive; days count from 1970-01-01."""

    posting_id: str
    currency: str
    amount: int
    day: int
    sequence: int
    due_at: int
    ids: list[str]
    """The references that name no other payment."""
    names: list[str]
    """All references a line may name it by."""
    state: str = OPEN
    break_id: str = ""
    breaks: int = 0
    ripe: bool = True
    ended_at: int | None = None
    """When it was matched, by the account's event time."""

    @property
    def order(self) -> tuple[Any, ...]:
        return self.sequence, self.posting_id

    @property
    def key(self) -> list[str]:
        return [self.posting_id]

    @property
    def subject(self) -> str:
        return f"posting/{self.posting_id}"

    @property
    def about(self) -> dict[str, Any]:
        return {"statement_id": None, "line_no": None, "posting_id": self.posting_id}


@dataclass
class Line:
    """A line of the bank's."""

    statement_id: str
    line_no: int
    currency: str
    amount: int
    day: int
    due_at: int
    reference: str
    content: bytes
    ripe: bool
    """Whether amount and date alone may match it: it has no reference, or its grace has run out."""
    state: str = OPEN
    break_id: str = ""
    breaks: int = 0
    posting_id: str = ""
    ended_at: int | None = None

    @property
    def names(self) -> list[str]:
        return [self.reference] if self.reference else []

    @property
    def order(self) -> tuple[Any, ...]:
        return self.statement_id, self.line_no

    @property
    def key(self) -> list[str]:
        return [self.statement_id, number(self.line_no)]

    @property
    def subject(self) -> str:
        return f"line/{self.statement_id}/{self.line_no}"

    @property
    def about(self) -> dict[str, Any]:
        return {"statement_id": self.statement_id, "line_no": self.line_no, "posting_id": None}


@dataclass
class Statement:
    """What has been seen of a statement; `figures` once it is closed."""

    statement_id: str
    currency: str
    numbers: list[int] = field(default_factory=list)
    total: int = 0
    figures: tuple[int, int, int, int] | None = None
    """Opening and closing balance, number of lines, time of closing."""
    gap_break: str = ""
    balance_break: str = ""
    breaks: int = 0
    ended_at: int | None = None
    """When it was looked at last and nothing was missing; None: it is not closed, or has a break."""

    @property
    def subject(self) -> str:
        return f"statement/{self.statement_id}"


@dataclass
class Link:
    """A closed statement among those of its account and currency."""

    closed_at: int
    statement_id: str
    opening: int
    closing: int
    break_id: str = ""


@dataclass
class Waiting:
    """The items of one side that nothing has claimed yet."""

    items: dict[str, Any] = field(default_factory=dict)
    """By subject."""
    by_name: dict[tuple[str, str], list[Any]] = field(default_factory=lambda: defaultdict(list))
    """By currency and reference."""

    def add(self, item: Posting | Line) -> None:
        self.items[item.subject] = item
        for name in item.names:
            self.by_name[item.currency, name].append(item)

    def remove(self, item: Posting | Line) -> None:
        del self.items[item.subject]
        for name in item.names:
            self.by_name[item.currency, name].remove(item)

    def named(self, other: Posting | Line) -> list[Any]:
        """Return the items that share currency and a reference with one of the other side."""
        return [item for name in other.names for item in self.by_name.get((other.currency, name), ())]


def number(value: int) -> str:
    """Return an integer as keys have it: as text that sorts."""
    return f"{value + 2**63:020d}"
