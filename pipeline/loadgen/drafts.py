"""Statements that are being written: their lines, and what is planted on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


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
    expected: list[dict[str, Any]] = field(default_factory=list)
    """Expectations that name it; its statement and number are filled in later."""
    is_planted: bool = False
    """Whether something is planted on it, so that nothing else may be."""
    booked_at: int | None = None
    """Microseconds UTC; None: when the payment was made."""
    description: str | None = None
    more: dict[str, Any] = field(default_factory=dict)
    """Fields that version 1 has not."""


@dataclass
class DraftStatement:
    """A statement that is being written."""

    statement_id: str
    number: int
    """Of the bank: the first statement has 1."""
    closed_at: int
    """Microseconds UTC."""
    opening: int
    lines: list[DraftLine]
    closing_error: int = 0
    skips_line: bool = False
    """Whether the number before the last is left out."""
    skips_statement: bool = False
    """Whether the bank's number before this one is left out."""
    begins_at: int | None = None
    """Since when it tells, microseconds UTC; None: it does not say."""
    kind: str | None = None
    """What is planted on the statement as a whole."""
    planted: list[int] = field(default_factory=list)
    """Numbers of the planted items that are complete when this statement is closed."""
