"""The verdict on a payment, as rows and events have it."""

from __future__ import annotations

import msgspec


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is decided about a payment, and what decided."""

    outcome: str
    """APPROVE, REVIEW or DECLINE."""
    score: int
    """0 (harmless) to 100."""
    reasons: tuple[tuple[str, str], ...]
    """Pairs of rule and detail."""
    version: str
    """The names of the sets of rules, and of the live model if there is one."""
