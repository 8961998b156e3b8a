"""Outputs as blocks: a list of records, and a date, are written as the rows write them."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.batch import blocks_of, column_types
from pipeline.runtime.avro.codec import Codec
from tests.runtime.fixed_registry import FixedRegistry

COMMON = ("e", "acme", 5, "c", None)
LINES = (ev.LineRef("S1", 1), ev.LineRef("é€", 2**62, "l"))
PARTS = (ev.ScorePart("amount", -(2**31)), ev.ScorePart("days", 7))
CANDIDATES = (ev.MatchCandidate(LINES, ("p",), 3, PARTS), ev.MatchCandidate((), (), 0, ()))
LEGS = (ev.JournalLeg(1, 1, "a", "DEBIT", 5, "EUR"), ev.JournalLeg(2, 1, "b", "CREDIT", 5, "EUR", "fee", 7))
BREAK: tuple[Any, ...] = (*COMMON, "b", "AMOUNT", "nostro", 5, "EUR", None, None, "p", "")
MATCH: tuple[Any, ...] = (*COMMON, "S1", 1, "nostro", ("p",), "SCORED", 5, "EUR")
EVENTS: dict[str, list[Any]] = {
    "nothing new is said": [ev.BreakOpened(*BREAK), ev.ItemMatched(*MATCH)],
    "dates and lines": [
        ev.BreakOpened(*BREAK, since=day, counterpart_lines=lines, counterpart_postings=postings)
        for day, lines, postings in ((20_000, LINES, ("p",)), (-1, (), ()), (None, None, None))
    ],
    "parts of a score": [
        ev.ItemMatched(*MATCH, other_lines=LINES, parts=PARTS, score=4, actor=ev.Actor("i", "s")),
        ev.ItemMatched(*MATCH),
    ],
    "candidates": [
        ev.MatchSuggested(*COMMON, "nostro", None, None, None, "p", candidates)
        for candidates in (CANDIDATES, ())
    ],
    "legs": [
        ev.CorrectionProposed(*COMMON, "n", "b", "k", "j", True, legs, "why", None, 5, "EUR", "NORMAL")
        for legs in (LEGS, ())
    ],
}


@pytest.mark.parametrize("events", EVENTS.values(), ids=EVENTS)
def test_a_block_is_written_as_its_events_are_one_by_one(events: list[Any]) -> None:
    codec = Codec(FixedRegistry())  # type: ignore[arg-type]
    for block in blocks_of([("topic", "acme/nostro", event) for event in events]):
        alone = [codec.encode([events[place]])[0] for place in block.order.tolist()]
        assert codec.encode_columns(block.event, block.columns).to_pylist() == alone


def test_a_list_of_records_has_the_fields_of_its_records() -> None:
    assert str(column_types(ev.BreakOpened)["counterpart_lines"]) == (
        "list<item: struct<statement_id: string, line_no: int64, line_id: string>>"
    )
    assert str(column_types(ev.BreakOpened)["type"]) == "string"
