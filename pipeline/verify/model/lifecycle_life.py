"""The life of a payment in the model of the lifecycle stream, and the keys of what is written of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline.verify.model.wire import LONG_MIN, derived, msgpack, row_key

Names = tuple[str, str]
"""Tenant and payment id."""
WAITING_FOR = {"SCHEDULED": "execution"} | {
    "SCREENED": "ledger",
    "RESERVED": "settlement",
    "HELD": "review",
    "AUTHORISED": "capture",
}


@dataclass
class Life:
    """A payment, and what is written in its row."""

    WITHOUT_TRACE: ClassVar = ("too_old", "not_yet")
    """What the ledger says of a payment that it refuses by its time alone, and does not know afterwards."""
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
    again_at: int | None = None
    """When its id was screened once more, after it had ended."""
    execute_at: int | None = None
    """When it is to be executed that waits for it."""
    link: str | None = None
    """The link that it is a part of."""

    @property
    def ended(self) -> bool:
        """Whether nothing is to come: it does not wait, and is not stuck."""
        return self.due is None and self.stuck is None

    @property
    def needed_at(self) -> int:
        """When it was needed for the last time."""
        return self.at if self.again_at is None else max(self.at, self.again_at)

    def row(self) -> bytes:
        """Return the row of the payment, which has its fourth layout."""
        rest = [self.for_review, self.hold_end, self.at, self.due, self.stuck, self.refused, self.steps]
        screening = 2 if self.accused else 1 if self.passed else 0
        again = [screening, self.again_at, self.execute_at, self.link]
        return bytes([4]) + msgpack([self.state, *self.content, *rest, *again])

    @property
    def without_trace(self) -> bool:
        """Whether the ledger has refused it by its time alone, and so does not know it."""
        return self.state == "REJECTED" and self.steps[-1][2] in self.WITHOUT_TRACE


def due_key(due: int, names: Names) -> bytes:
    """Return the row key of a due time."""
    return row_key("q", f"{due:016x}", *names)


def stuck_key(names: Names, life: Life) -> bytes:
    """Return the row key of a payment that is stuck."""
    return row_key("s", names[0], life.content[0], names[1])


def become_stuck(names: Names, life: Life, at: int) -> dict[str, Any]:
    """Let a payment that was due at a time be stuck; return what is said of it."""
    debtor, creditor, amount, currency = life.content
    last_id, _, correlation_id = life.steps[-1][5:]
    cause = "\0".join((names[0], debtor, names[1], last_id))
    life.due, life.stuck = None, derived(cause, "payment_stuck")
    return {
        "event_id": life.stuck,
        "tenant_id": names[0],
        "occurred_at": at,
        "correlation_id": correlation_id,
        "causation_id": last_id,
        "payment_id": names[1],
        "debtor_account_id": debtor,
        "creditor_account_id": creditor,
        "amount_minor": amount,
        "currency": currency,
        "waiting_for": WAITING_FOR[life.state],
        "progressed_at": life.at,
    }
