"""A greedy desk is found: the first one that is suggested is taken at once, with its true score."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reconciliation_desk.test_stream import event_of
from tests.reconciliation_judge.desk_log import DeskLog, names_of

TWINS = {
    "two postings for one line": ["5 posting P1 -5000", "5 posting P2 -5000", "6 line S1/1 -5000"],
    "one posting for two lines": ["6 line S1/1 -5000", "6 line S1/2 -5000", "6 posting P1 -5000"],
    "two and two": [
        *("5 posting P1 -5000", "5 posting P2 -5000"),
        *("6 line S1/1 -5000", "6 line S1/2 -5000"),
    ],
}


def told(texts: list[str]) -> DeskLog:
    """Return the desk's answers to some events, when the first of them is due."""
    log = DeskLog()
    for number, text in enumerate([*texts, "38 tick"]):
        log.tell(event_of(text, number))
    return log


def taken(said: dict[str, Any]) -> dict[str, Any]:
    """Return the match that takes the first suggestion."""
    first = said["candidates"][0]
    return {
        **{name: said[name] for name in ("tenant_id", "account_id", "causation_id", "occurred_at")},
        **{name: first[name] for name in ("score", "parts", "posting_ids")},
        **first["lines"][0],
        "tier": "SCORED",
        "amount_minor": -5_000,
        "currency": "EUR",
        "other_lines": None,
        "difference_minor": None,
        "weights_sha256": said["weights_sha256"],
    }


@pytest.mark.parametrize("texts", TWINS.values(), ids=TWINS.keys())
def test_a_suggestion_that_is_taken_is_found(texts: list[str]) -> None:
    log = told(texts)
    assert log.wrong == []
    record, results, dead = log.steps[-1]
    suggested = [one for one in results if one.event == "MatchSuggested"]
    match = suggested[0]._replace(event="ItemMatched", fields=taken(suggested[0].fields))
    assert names_of([*log.steps[:-1], (record, [match], dead)]) == {"taken, not found"}
