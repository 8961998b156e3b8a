"""Events of a run are what went into it: records, lists and maps of any depth, and gaps."""

from __future__ import annotations

from types import SimpleNamespace

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.batch import column_types, structs_of
from tests.kernel.side_by_side import Log, run_of

CLASSES = (ev.PaymentInitiated, ev.ItemMatched, ev.MatchSuggested)
FIELDS = {name: kind for event in CLASSES for name, kind in column_types(event).items()}
COMMON = ("e", "acme", 5, "c", None)
ACTOR = ev.Actor("issuer", "subject")
LINES = (ev.LineRef("S1", 1), ev.LineRef("S1", 2, "key"))
PARTS = (ev.ScorePart("amount", -7),)


def test_a_run_gives_the_events_that_went_in() -> None:
    paid = ev.PaymentInitiated(*COMMON, "p", "d", "c", 5, "EUR", "transfer", "", "app", None, None, None)
    matched = ev.ItemMatched(*COMMON, "S1", 1, "nostro", ("p", "q"), "SCORED", 5, "EUR")
    suggested = ev.MatchSuggested(
        *COMMON, "nostro", None, None, None, "p", (ev.MatchCandidate(LINES, ("p",), 3, PARTS),)
    )
    events = [
        matched,
        suggested,
        paid,
        ev.ItemMatched(*COMMON, "S1", 2, "nostro", (), "GROUP", 5, "EUR", other_lines=LINES, parts=PARTS),
        ev.ItemMatched(*COMMON, "S1", 3, "nostro", ("r",), "PERSON", 5, "EUR", actor=ACTOR, other_lines=()),
        ev.MatchSuggested(*COMMON, "nostro", "S1", 1, "key", None, ()),
    ]
    batch = SimpleNamespace(classes=CLASSES, fields=FIELDS)
    log: Log = [(event, 0) for event in events]
    assert structs_of(run_of(batch, log), CLASSES) == events


def test_a_map_is_a_dict() -> None:
    batch = SimpleNamespace(classes=(ev.PostingRecorded,), fields=column_types(ev.PostingRecorded))
    common = (*COMMON, "p", "entry", None, "nostro", "NOSTRO", "DEBIT", 5, "EUR", 1, 0, 1)
    events = [
        ev.PostingRecorded(*common, metadata={"description": "tea", "é": ""}, actor=ACTOR),
        ev.PostingRecorded(*common),
    ]
    assert structs_of(run_of(batch, [(event, 0) for event in events]), batch.classes) == events
