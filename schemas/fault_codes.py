"""Every code that a `fault_found` on operational-alerts can have: what it means, and what to do about it.

The table of schemas/README.md is written from here (`python -m tests.project.references`).
"""

from __future__ import annotations

from typing import NamedTuple


class FaultCode(NamedTuple):
    """A kind of fault around the streams."""

    code: str
    meaning: str
    remedy: str


FAULTS: tuple[FaultCode, ...] = (
    FaultCode(
        "log_lost",
        "A log starts after the offset that its streams had reached: the records between are gone.",
        "Find out who deleted them. `ledgerflow accept-loss` goes on without them.",
    ),
    FaultCode(
        "transaction_open",
        "A producer has a transaction open for long, and readers of committed records wait for its end.",
        "Ask its owner; `ledgerflow transactions abort` ends it.",
    ),
)
"""In alphabetical order."""
