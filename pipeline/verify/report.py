"""What `ledgerflow verify` found: one `Check` per invariant, and the `Report` of them all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipeline.verify.findings import Problem

PROBLEMS_SHOWN = 10
SAYS = {
    "quiet": "The streams had come to rest before the topics were read.",
    "topics": "Every topic is there, all with the same number of partitions.",
    "logs": "Every log is there from its first record, or people have accepted what it has lost.",
    "entries": "Every entry has one debit and one credit of one amount, on one branch.",
    "zero_sum": "Per branch and currency, the sum of all postings is zero.",
    "fold": "Account sequences have no gap; each posting's balance is the fold so far.",
    "hold_fold": "What is held on an account is the fold of its holds and debits.",
    "periods": "Late entries count from a period's end; once one does, no entry of its branch counts before.",
    "balances": "The latest balance of each account is the fold of its postings and holds.",
    "pending": "Per branch and currency, what is held on debtors waits for creditors.",
    "clearing": "The clearing accounts of all branches sum to zero when it is quiet.",
    "invariant_alerts": "No invariant was found broken while the streams ran.",
    "clearing_totals": "What went through each clearing account was counted, hour by hour.",
    "inputs_ledger": "Each payment, account and journal is applied, once and in order, or a dead letter.",
    "answers": "Each ledger command gets, once, the answer that follows from those before it.",
    "lives": "Each payment ends as its commands make it, and moves its money then, once.",
    "stuck": "Each payment that is stuck is said to be so once, until it gets on, and has not ended.",
    "holds": "What is held and released is what payments and journals hold, until their time.",
    "accounts": "Status, limits, opening and balances of each account follow from its commands.",
    "journals": "Each journal goes its way; a posted one moves each of its legs once.",
    "legs": "Branches ask each other for the legs of payments and journals, and answer, once and in order.",
    "reversals": "What is taken back is what was posted; more of it is refused.",
    "inputs_positions": "Each trade is applied once, each price on every partition, or a dead letter.",
    "positions": "Each position follows from its trades and prices.",
    "nostro_postings": "Each posting of a nostro account is a reconciliation item, once and in order.",
    "inputs_reconciliation": "Each statement item is applied, once and in order, or a dead letter.",
    "matches": "What is matched or suggested fits: amounts, days, references, scores by weights in force.",
    "claims": "Each posting and each statement line is matched once, and exists.",
    "breaks": "Each item and statement ends, matched or in a break, which is opened once and ends once.",
    "corrections": "What becomes of breaks follows from people and the ledger, two people to a journal.",
    "requests": "Each request is the first of its id, a repeat or in conflict with it, and is told so, once.",
    "alerts": "Each payment that is held or declined has an alert, and no other one has.",
    "dead_letters": "Each dead letter is one record of its topic, once, unchanged, for a reason.",
    "keys": "Every output record stands on the partition of its key.",
    "readable": "Every output record is an event of a registered schema, to its last byte.",
    "personal": "Everything that is said of parties, but ids, kinds and countries, is encrypted.",
    "planted_malformed": "Every planted malformed record is a dead letter.",
    "planted_frauds": "Every planted fraud has raised an alert.",
    "planted_outcomes": "Every planted retry and refusal got the answer that it must get.",
    "planted_journals": "Every planted journal became what it must, and counts when it must.",
    "planted_breaks": "Every planted break was opened by its kind, every planted match made.",
    "views": "Every worker answers for every account what the topics say.",
}
"""Every check by name: what must hold, in one sentence; in the order of the report."""


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
    notes: list[str] = field(default_factory=list)
    """What must be known, and is no problem, such as a loss that somebody has accepted."""

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

    def note(self, text: str) -> None:
        """Say something that must be known, and is no problem."""
        if len(self.notes) < PROBLEMS_SHOWN:
            self.notes.append(text)

    def expect(self, holds: bool, problem: str) -> None:
        """Count one thing; it is a problem unless it holds."""
        self.counted += 1
        if not holds:
            self.fail(problem)


class Checks:
    """All checks of a verification, by name; where comparisons say what they find (`Findings`)."""

    def __init__(self, names: Iterable[str]) -> None:
        self._checks = {name: Check(name, SAYS[name]) for name in names}

    @property
    def all(self) -> list[Check]:
        """All of them, in order."""
        return list(self._checks.values())

    def of(self, name: str) -> Check:
        """Return a check. Raises KeyError where there is none."""
        return self._checks[name]

    def count(self, check: str, things: int = 1) -> None:
        """Say that so many more things were looked at."""
        self._checks[check].counted += things

    def wrong(self, problem: Problem) -> None:
        """Add a problem to its check."""
        self._checks[problem.check].fail(problem.said)


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
                    "notes": check.notes,
                    "says": check.says,
                }
                for check in self.checks
            ],
        }

    def to_json(self) -> str:
        """Return the report as one JSON object."""
        return json.dumps(self.to_dict(), ensure_ascii=False)
