"""What `ledgerflow verify` found: one `Check` per invariant, and the `Report` of them all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

PROBLEMS_SHOWN = 10


@dataclass
class Check:
    """One thing that must hold. It holds as long as nothing called `fail`."""

    name: str
    """Short and stable, snake_case: scripts may select by it."""
    says: str
    """What must hold, in one sentence."""
    counted: int = 0
    """How many things were looked at; 0 means that there was nothing to check."""
    failed: int = 0
    problems: list[str] = field(default_factory=list)
    """The first `PROBLEMS_SHOWN` problems. Ids and places only, never a payload."""

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return self.failed == 0

    def count(self, things: int = 1) -> None:
        """Say that so many more things were looked at."""
        self.counted += things

    def fail(self, problem: str) -> None:
        """Add a problem."""
        self.failed += 1
        if len(self.problems) < PROBLEMS_SHOWN:
            self.problems.append(problem)

    def expect(self, holds: bool, problem: str) -> None:
        """Count one thing; it is a problem unless it holds."""
        self.counted += 1
        if not holds:
            self.fail(problem)


@dataclass
class Report:
    """The outcome of a verification."""

    checks: list[Check]
    records: dict[str, int] = field(default_factory=dict)
    """Committed records read, by topic."""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)

    def check(self, name: str) -> Check:
        """Return a check by its name. Raises KeyError where there is none."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 3),
            "records": dict(sorted(self.records.items())),
            "checks": [
                {
                    "name": check.name,
                    "ok": check.ok,
                    "counted": check.counted,
                    "failed": check.failed,
                    "problems": check.problems,
                    "says": check.says,
                }
                for check in self.checks
            ],
        }

    def to_json(self) -> str:
        """Return the report as one JSON object."""
        return json.dumps(self.to_dict(), ensure_ascii=False)
