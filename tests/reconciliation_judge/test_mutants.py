"""Sound logs, changed as a faulty stream would have written them: each change is found, by its name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.reconciliation_judge.said_events import result_of
from tests.reconciliation_judge.tales import Step, judged, tales
from tests.reconciliation_judge.words import break_id

SOUND = """
tale: everything that may happen
    1 posting P1 -100 ref=INV7
    2 line S1/1 -100 ref=INV7
      match REFERENCE S1/1 P1 amount=-100
    3 posting P2 -500
    4 line S1/2 -500
      match SCORED S1/2 P2 amount=-500
    5 posting P3 -60
    5 posting P4 -70 ref=NOTPROVIDED
    5 line S1/3 -70 ref=NOTPROVIDED text=other
    6 posting P5 -900
    6 posting P6 -900
    6 line S1/4 -900
    7 line S1/5 -800
    8 bob reject S1/3 P4
    37 continued
      break MISSING_EXTERNAL b3 P3 diff=60
      break MISSING_EXTERNAL b4 P4 diff=70
      break MISSING_INTERNAL b9 S1/3 diff=-70
      suggest S1/4 P5:5000 P6:5000
      break MISSING_INTERNAL b5 S1/5 diff=-800
    38 anna suggest b5 k1 nostro:-800 fees:800
      changed b5 CORRECTION_SUGGESTED CORRECTION_SUGGESTED k1 of=b5/1 text=why
      proposed b5 k1 -800 anna
    39 bob approve b5 k1
      changed b5 CORRECTION_APPROVED CORRECTION_APPROVED k1 of=b5/1
      journal b5/1 nostro:-800 fees:800 by=anna
    40 posting C1 -800 journal=b5/1
      match CORRECTION S1/5 C1 amount=-800
      changed b5 CORRECTION_POSTED RESOLVED k1 of=b5/1
      resolved b5 corrected journal=b5/1
    68 continued
      break MISSING_EXTERNAL b6 P5 diff=900
      break MISSING_EXTERNAL b7 P6 diff=900
      break MISSING_INTERNAL b8 S1/4 diff=-900
    110 continued
"""


def sound() -> list[Step]:
    """Return the sound log."""
    (tale,) = tales(SOUND)
    return tale.steps


def at(steps: list[Step], day: int, last: bool = True) -> Step:
    """Return the last, or first, step of a day."""
    found = [step for step in steps if step.record.fields["occurred_at"] // 86_400_000_000 == day]
    return found[-1 if last else 0]


def say(step: Step, text: str) -> None:
    """Let a step have caused one more result."""
    step.results.append(result_of(step.record, text.split()))


def claim_greedily(steps: list[Step]) -> None:
    """The first of two equal postings is taken at once."""
    say(at(steps, 6), "match SCORED S1/4 P5 amount=-900")


def claim_twice(steps: list[Step]) -> None:
    """A crash in the wrong place: a posting is matched once more."""
    at(steps, 4).results = []
    say(at(steps, 4), "match REFERENCE S1/2 P1 amount=-500")


def take_a_placeholder(steps: list[Step]) -> None:
    say(at(steps, 5), "match REFERENCE S1/3 P4 amount=-70")


def lose_a_due_item(steps: list[Step]) -> None:
    step = at(steps, 37)
    step.results = [one for one in step.results if one.fields.get("break_id") != break_id("b3")]


def lose_what_was_suggested(steps: list[Step]) -> None:
    step = at(steps, 68)
    step.results = [one for one in step.results if one.fields.get("break_id") != break_id("b8")]


def let_the_maker_check(steps: list[Step]) -> None:
    step = at(steps, 39)
    fields = {**step.record.fields, "actor": at(steps, 38).record.fields["actor"]}
    step.record = step.record._replace(fields=fields)


def forget_a_rejection(steps: list[Step]) -> None:
    say(at(steps, 37), "suggest S1/3 P4:5000")


def end_a_break_twice(steps: list[Step]) -> None:
    say(at(steps, 110), "resolved b5 corrected")


def open_a_break_again(steps: list[Step]) -> None:
    say(at(steps, 110), "break MISSING_EXTERNAL b10 P3 diff=60")


def score_by_heart(steps: list[Step]) -> None:
    step = at(steps, 4)
    (match,) = step.results
    step.results = [match._replace(fields={**match.fields, "score": match.fields["score"] + 1})]


def score_by_other_weights(steps: list[Step]) -> None:
    step = at(steps, 4)
    (match,) = step.results
    step.results = [match._replace(fields={**match.fields, "weights_sha256": "0" * 64})]


def post_another_correction(steps: list[Step]) -> None:
    step = at(steps, 40)
    step.record = step.record._replace(fields={**step.record.fields, "amount_minor": 700})


def leave_a_break_open(steps: list[Step]) -> None:
    step = at(steps, 40)
    step.results = [one for one in step.results if one.event == "ItemMatched"]


MUTANTS: dict[Callable[[list[Step]], None], str] = {
    claim_greedily: "taken, not found",
    claim_twice: "claimed twice",
    take_a_placeholder: "placeholder as reference",
    lose_a_due_item: "lost due item",
    lose_what_was_suggested: "lost due item",
    let_the_maker_check: "maker is checker",
    forget_a_rejection: "rejected before",
    end_a_break_twice: "break ended twice",
    open_a_break_again: "break opened twice",
    score_by_heart: "score is not its parts",
    score_by_other_weights: "weights not in force",
    post_another_correction: "amounts",
    leave_a_break_open: "break of a match",
}


def test_the_log_is_sound_as_it_is() -> None:
    found, at_end = judged(sound())
    assert not any(found) and not at_end


@pytest.mark.parametrize(("mutant", "name"), MUTANTS.items(), ids=[mutant.__name__ for mutant in MUTANTS])
def test_a_mutant_is_found(mutant: Callable[[list[Step]], None], name: str) -> None:
    steps = sound()
    mutant(steps)
    found, at_end = judged(steps)
    assert name in {one for names in (*found, at_end) for one in names}
