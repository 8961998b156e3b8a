"""The life of a payment in the model of the lifecycle stream, and the keys of what is written of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.verify.model.wire import LONG_MIN, msgpack, row_key

Names = tuple[str, str]
"""Tenant and payment id."""


@dataclass
class Life:
    """A payment, and what is written in its row."""

    content: list[Any]
    """Debtor, creditor, amount, currency."""
    for_review: bool
    hold_end: int | None = None
    state: str = ""
    at: int = LONG_MIN
    due: int | None = None
    stuck: str | None = None
    refused: int = 0
    steps: list[list[Any]] = field(default_factory=list)
    passed: bool = False
    """Whether a screening of its id has let it through."""
    accused: bool = False
    """Whether it was said that it moved money without one."""

    def row(self) -> bytes:
        """Return the row of the payment, which has its second layout."""
        rest = [self.for_review, self.hold_end, self.at, self.due, self.stuck, self.refused, self.steps]
        screening = 2 if self.accused else 1 if self.passed else 0
        return bytes([2]) + msgpack([self.state, *self.content, *rest, screening])

    @property
    def without_trace(self) -> bool:
        """Whether the ledger has refused it as too old, and so does not know it."""
        return self.state == "REJECTED" and self.steps[-1][2] == "too_old"


def due_key(due: int, names: Names) -> bytes:
    """Return the row key of a due time."""
    return row_key("q", f"{due:016x}", *names)


def stuck_key(names: Names, life: Life) -> bytes:
    """Return the row key of a payment that is stuck."""
    return row_key("s", names[0], life.content[0], names[1])
