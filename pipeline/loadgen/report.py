"""What a load has done so far."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class LoadReport:
    """What a run has done so far."""

    records: dict[str, int]
    """Records produced, by topic."""
    planted: dict[str, int]
    """Complete planted items, by kind."""
    payments: int
    """Ordinary payments made."""
    failed: int
    """Records that Kafka did not take."""
    seconds: float
    manifest: str | None
    done: bool
    gateway: dict[str, int] = field(default_factory=dict)
    """Answers of the gateway, by what they say; empty where it is not called."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)
