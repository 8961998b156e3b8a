"""Results of an earlier version are taken as they were said; what comes after them is judged."""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.match_judge import MatchJudge
from pipeline.verify.model.record import Record
from tests.reconciliation_judge.tales import Step, tales
from tests.reconciliation_judge.words import DEFAULT

BEFORE = """
tale: what the stream before has said, and what the one after it says of that
    5 posting P1 -100
    5 line S1/1 -100
      match REFERENCE S1/1 P1 amount=-100
    5 posting P2 -200
    8 line S1/2 -77
      break MISSING_EXTERNAL b1 P2 diff=200
    9 close S1 0->5 2
    11 line S1/3 -9
      break MISSING_INTERNAL b2 S1/2 diff=-77
    50 line S2/1 -200
      match SCORED S2/1 P2 amount=-200 score=6000
      changed b1 MATCHED RESOLVED
      resolved b1 matched
    90 continued
    91 continued
"""


def steps() -> list[Step]:
    (tale,) = tales(BEFORE)
    for step in tale.steps:
        is_before = step.record.fields["occurred_at"] < 40 * 86_400_000_000
        step.results = [earlier(one) if is_before else with_kind(one) for one in step.results]
    return tale.steps


def with_kind(said: Record) -> Record:
    """Return the end of a break as the stream after it says it."""
    kind = {"kind": "MISSING_EXTERNAL"} if said.event == "BreakResolved" else {}
    return said._replace(fields={**said.fields, **kind})


def earlier(said: Record) -> Record:
    """Return a result as the stream before says it: nothing that it does not know."""
    fields: dict[str, Any] = {**said.fields, "kind": None, "line_id": None}
    fields |= {"difference_minor": None, "since": None}
    return said._replace(fields={**fields, "tier": "AMOUNT_DATE"} if "tier" in fields else fields)


def names(log: list[Step]) -> list[str]:
    model = MatchJudge(DEFAULT)
    found = [wrong.name for step in log for wrong in step.judged_by(model)]
    return [*found, *(wrong.name for wrong in model.end())]


def test_what_an_earlier_version_has_said_is_taken_as_it_is() -> None:
    assert set(names(steps())) <= {"lost due item"}, "only the line that nothing has become of"


def test_what_it_has_matched_is_not_matched_again() -> None:
    log = steps()
    later = next(step for step in log if step.record.fields.get("statement_id") == "S2")
    match = later.results[0]
    later.results[0] = match._replace(fields={**match.fields, "posting_ids": ["P1"]})
    assert "claimed twice" in names(log)
