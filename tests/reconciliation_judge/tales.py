"""Logs of reconciliation as text, with what a stream said of them, and what is wrong with that.

See README.md for the language. Everything is of one account, `nostro` of `acme`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.verify.model.match_judge import MatchJudge
from pipeline.verify.model.record import Record
from pipeline.verify.model.stream import Wrong
from tests.reconciliation_judge.log_events import event_of
from tests.reconciliation_judge.said_events import result_of
from tests.reconciliation_judge.words import DEFAULT

FOLDER = Path(__file__).parent


@dataclass
class Step:
    """One record of the log, what it has caused, and the names of what is wrong."""

    record: Record
    results: list[Record] = field(default_factory=list)
    """On reconciliation-results, and journals on ledger-commands."""
    wrong: tuple[str, ...] = ()

    def judged_by(self, model: MatchJudge) -> list[Wrong]:
        """Let the judge follow it; return what is wrong."""
        said, asked = (
            [one for one in self.results if one.topic == topic]
            for topic in ("reconciliation-results", "ledger-commands")
        )
        return model.follow(self.record, said, False, asked)


@dataclass
class Tale:
    """A title, the steps, and what is wrong at the end."""

    title: str
    steps: list[Step] = field(default_factory=list)
    at_end: tuple[str, ...] = ()


def tales(text: str) -> list[Tale]:
    """Return the tales of a file."""
    found: list[Tale] = []
    for number, line in enumerate(text.splitlines()):
        entry, _, expected = line.partition("|")
        wrong = tuple(name.strip() for name in expected.split(",") if name.strip())
        words = entry.split()
        if line.startswith("tale:"):
            found.append(Tale(line.removeprefix("tale:").strip()))
            amounts: dict[str, int] = {}
        elif not line.startswith(" ") or not words:
            continue
        elif words == ["end"]:
            found[-1].at_end = wrong
        elif words[0].isdigit():
            record = event_of(number, int(words[0]), words[1:])
            found[-1].steps.append(Step(record, [], wrong))
            if "amount_minor" in record.fields:
                amounts.setdefault(words[2], int(words[3]))
        else:
            step = found[-1].steps[-1]
            step.results.append(result_of(step.record, words, amounts))
    return found


def judged(steps: Sequence[Step]) -> tuple[list[list[str]], list[str]]:
    """Return the names of what is wrong, step by step and at the end."""
    model = MatchJudge(DEFAULT)
    found = [[one.name for one in step.judged_by(model)] for step in steps]
    return found, [one.name for one in model.end()]
