"""The desk's answers, changed at one place drawn by a seed: whichever place it is, the judge finds it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import pytest

from pipeline.verify.model.record import Record
from tests.reconciliation_judge.desk_log import DeskLog, judge_log, names_of
from tests.reconciliation_judge.town import Town

Steps = list[tuple[Record, list[Record], bool]]
SEEDS = range(4)
PLACES = 4
"""How many places of a log are changed, one at a time."""
NOT_YET = {"too many suggestions", "order of suggestions"}


@cache
def told(seed: int) -> DeskLog:
    town = Town(seed)
    judge_log(town.log, town.days(40), 110)
    return town.log


def places(steps: Steps, event: str, wanted: Callable[[dict[str, Any]], bool]) -> list[tuple[int, int]]:
    """Return where such results stand: the step, and the place among its results."""
    return [
        (number, place)
        for number, (_, results, _) in enumerate(steps)
        for place, one in enumerate(results)
        if one.event == event and wanted(one.fields)
    ]


def changed(steps: Steps, at: tuple[int, int], *instead: dict[str, Any]) -> Steps:
    """Return a log in which other fields stand in one result's place: none, one or two results."""
    number, place = at
    record, results, dead = steps[number]
    new = [results[place]._replace(fields=fields) for fields in instead]
    step = (record, [*results[:place], *new, *results[place + 1 :]], dead)
    return [*steps[:number], step, *steps[number + 1 :]]


def lose(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return []


def repeat(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return [fields, fields]


def add_to_the_score(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**fields, "score": fields["score"] + 1}]


def name_other_weights(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**fields, "weights_sha256": "0" * 64}]


def name_another_posting(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**fields, "posting_ids": ["entry-0:DEBIT"]}]


def count_otherwise(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**fields, "difference_minor": (fields["difference_minor"] or 0) + 1}]


def end_by_a_match(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**fields, "resolution": "accepted", "break_id": "another"}]


def is_of_item(fields: dict[str, Any]) -> bool:
    return fields["posting_id"] is not None or fields["line_no"] is not None


def is_pair(fields: dict[str, Any]) -> bool:
    return fields["tier"] in ("REFERENCE", "SCORED")


def is_scored(fields: dict[str, Any]) -> bool:
    return bool(fields["tier"] == "SCORED")


def is_any(fields: dict[str, Any]) -> bool:
    return True


CHANGES = {
    "a break of an item is lost": ("BreakOpened", is_of_item, lose, "lost due item"),
    "a break is opened twice": ("BreakOpened", is_any, repeat, "break opened twice"),
    "a break's difference": ("BreakOpened", is_of_item, count_otherwise, "difference"),
    "a match is said twice": ("ItemMatched", is_any, repeat, "claimed twice"),
    "a pair of another posting": ("ItemMatched", is_pair, name_another_posting, "unknown item"),
    "a score": ("ItemMatched", is_scored, add_to_the_score, "score is not its parts"),
    "other weights": ("ItemMatched", is_scored, name_other_weights, "weights not in force"),
    "the amount of a pair": ("ItemMatched", is_scored, count_otherwise, "difference"),
    "a break ends twice": ("BreakResolved", is_any, repeat, "break ended twice"),
    "another break ends": ("BreakResolved", is_any, end_by_a_match, "break ended twice"),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_found(change: str, seed: int) -> None:
    event, wanted, new, name = CHANGES[change]
    steps = told(seed).steps
    found = places(steps, event, wanted)
    for at in Random(seed).sample(found, min(PLACES, len(found))):
        fields = steps[at[0]][1][at[1]].fields
        names = names_of(changed(steps, at, *new(fields)))
        assert name in names, (at, fields)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["CLOSING_BALANCE", "OPENING_BALANCE", "SEQUENCE_GAP", "GAP"])
def test_a_lost_break_of_a_statement_is_found(kind: str, seed: int) -> None:
    steps = told(seed).steps
    for at in places(steps, "BreakOpened", lambda fields: bool(fields["kind"] == kind)):
        assert "lost statement break" in names_of(changed(steps, at))


@pytest.mark.parametrize("seed", SEEDS)
def test_continuations_that_never_come_lose_due_items(seed: int) -> None:
    steps = [step for step in told(seed).steps if step[0].event != "ReconciliationContinued"]
    assert "lost due item" in names_of(steps)


def test_a_maker_who_checks_is_found_in_every_log() -> None:
    tried = 0
    for seed in SEEDS:
        steps = told(seed).steps
        for number, (record, results, dead) in enumerate(steps):
            if record.event != "CorrectionApproved" or any(
                one.event == "BreakActionRefused" for one in results
            ):
                continue
            actor = {**record.fields["actor"], "subject": "anna"}
            step = (record._replace(fields={**record.fields, "actor": actor}), results, dead)
            assert "maker is checker" in names_of([*steps[:number], step, *steps[number + 1 :]])
            tried += 1
    assert tried


@pytest.mark.parametrize("seed", SEEDS)
def test_an_unchanged_log_is_sound(seed: int) -> None:
    assert names_of(told(seed).steps) <= NOT_YET
