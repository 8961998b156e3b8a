"""Files matched in memory: order, time at the end, groups, suggestions, what learning may know."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.backtest.matching.desk import over_desk
from pipeline.backtest.matching.learning import learned, read_weights
from pipeline.backtest.matching.reading import Files, Label, read_files
from pipeline.backtest.matching.results import CONFIRMED, LINE, POSTING, SUGGESTED, Results
from pipeline.backtest.matching.running import run
from pipeline.backtest.matching.streams import TENANT, Events
from pipeline.backtest.matching.summary import labels_of, summary
from pipeline.backtest.problems import FileRefused
from pipeline.domain.kernel import events as ev
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from tests.backtest.matching_files import lines_file, postings_file

DAY = 86_400_000_000
MARCH_1 = (date(2026, 3, 1) - date(1970, 1, 1)).days


def files_of(tmp_path: Path, postings: list[dict[str, Any]], lines: list[dict[str, Any]]) -> Files:
    """Return files as they are read."""
    return read_files(postings_file(tmp_path / "p.csv", *postings), lines_file(tmp_path / "l.csv", *lines))


def march(day: int, hour: int = 9) -> str:
    """Return a time of March 2026."""
    return f"2026-03-{day:02}T{hour:02}:00:00Z"


def test_a_reference_matches_at_once_and_the_rest_when_it_is_due(tmp_path: Path) -> None:
    postings = [
        {"reference": "R1", "occurred_at": march(2)},
        {"amount_minor": -7, "occurred_at": march(5)},
        {"amount_minor": -8, "occurred_at": march(5)},
    ]
    lines = [
        {"reference": "R1", "booked_at": march(9)},
        {"reference": "X", "amount_minor": -7, "booked_at": march(6), "value_date": "2026-03-06"},
    ]
    found = run(files_of(tmp_path, postings, lines), over_desk())
    rows = [(one.line_id, one.posting_ids, one.tier, one.decided_at // DAY) for one in found.confirmed]
    # Whether another line has a reference like X is known a day later.
    assert rows == [("l2", ("p2",), "SCORED", MARCH_1 + 5), ("l1", ("p1",), "REFERENCE", MARCH_1 + 8)]
    (left,) = found.breaks()
    assert (left.item, left.side, left.kind, left.resolved_at) == ("p3", POSTING, "MISSING_EXTERNAL", None)
    assert left.opened_at // DAY > MARCH_1 + 31
    assert found.opened == found.open_breaks() == {"MISSING_EXTERNAL": 1}


def test_time_moves_on_at_the_end_of_the_files(tmp_path: Path) -> None:
    files = files_of(tmp_path, [{"occurred_at": march(2)}], [{"account_id": "other", "booked_at": march(2)}])
    found = run(files, over_desk())
    assert found.open_breaks() == {"MISSING_EXTERNAL": 1, "MISSING_INTERNAL": 1}


def test_more_than_one_event_can_take_falls_due_at_the_end(tmp_path: Path) -> None:
    postings = [{"amount_minor": -number, "occurred_at": march(2)} for number in range(1, 351)]
    files = files_of(tmp_path, postings, [{"amount_minor": 5, "booked_at": march(2)}])
    assert run(files, over_desk()).open_breaks().total() == 351


def test_an_account_may_have_several_currencies(tmp_path: Path) -> None:
    postings = [{"reference": "A"}, {"reference": "B", "currency": "USD"}]
    lines = [{"reference": "A"}, {"reference": "B", "currency": "USD"}]
    found = run(files_of(tmp_path, postings, lines), over_desk())
    assert found.matched_lines == {"l1", "l2"}


def test_the_items_of_a_break_say_how_they_differ(tmp_path: Path) -> None:
    postings = [{"reference": "INV 2041", "amount_minor": 100_000}]
    lines = [{"reference": "INV 2041", "amount_minor": -100_000}]
    found = run(files_of(tmp_path, postings, lines), over_desk())
    assert [(one.item, one.side, one.kind, one.difference_minor) for one in found.breaks()] == [
        ("p1", POSTING, "SIGN", -200_000),
        ("l1", LINE, "SIGN", -200_000),
    ]
    assert [(one.line_id, one.outcome) for one in found.rows()] == [("l1", SUGGESTED)]


def test_a_break_that_is_over_says_when(tmp_path: Path) -> None:
    postings = [{"reference": "R1", "occurred_at": march(2)}]
    lines = [{"reference": "R1", "booked_at": "2026-04-20T09:00:00Z"}]
    found = run(files_of(tmp_path, postings, lines), over_desk())
    (match,), (missing, *differing) = found.confirmed, found.breaks()
    assert missing.opened_at < missing.resolved_at == match.decided_at
    assert {(one.kind, one.opened_at, one.resolved_at) for one in differing} == {
        ("DATE", match.decided_at, match.decided_at)
    }
    assert (found.opened, found.open_breaks()) == ({"MISSING_EXTERNAL": 1, "DATE": 1}, {})


def test_pairs_that_differ_in_their_amounts_are_counted(tmp_path: Path) -> None:
    postings = [{"reference": "INV 2041", "amount_minor": 100_000}, {"reference": "INV 2042"}]
    lines = [{"reference": "INV 2041", "amount_minor": 99_500}, {"reference": "INV 2042"}]
    files = files_of(tmp_path, postings, lines)
    found = run(files, over_desk())
    assert len(found.confirmed) == 2
    assert summary(files, found, DEFAULT_WEIGHTS)["matched_with_difference"] == 1


def test_figures_add_up(tmp_path: Path) -> None:
    postings = [{"reference": "A"}, {"amount_minor": 300}, {"amount_minor": 10, "currency": "USD"}]
    lines = [{"reference": "A"}, {"amount_minor": 50, "booked_at": march(30)}]
    files = files_of(tmp_path, postings, lines)
    labels = [Label("p1", "l1"), Label("p2", "l2")]
    told = summary(files, run(files, over_desk()), DEFAULT_WEIGHTS, labels)
    assert told["weights_sha256"] == DEFAULT_WEIGHTS.hash()
    assert told["lines"] == {"all": 2, "matched": 1, "open": 1, "suggested": 0}
    assert told["postings"] == {"all": 3, "matched": 1, "open": 2}
    assert told["by_value"] == [
        {
            "currency": "EUR",
            "lines_minor": 1_300,
            "lines_matched_minor": 1_250,
            "postings_minor": 1_550,
            "postings_matched_minor": 1_250,
            "rate": 1_250 / 1_300,
        },
        {
            "currency": "USD",
            "lines_minor": 0,
            "lines_matched_minor": 0,
            "postings_minor": 10,
            "postings_matched_minor": 0,
            "rate": None,
        },
    ]
    assert told["labels"] == {"pairs": 2, "confirmed": 1, "suggested": 0, "otherwise": 0, "open": 1}


class Said:
    """What a stream of groups and suggestions emits about four lines."""

    def __init__(self, tmp_path: Path) -> None:
        self.files = files_of(tmp_path, [{}] * 6, [{}] * 4)
        events = Events()
        for row in self.files.rows():
            events.of(row)
        self.results = Results(events)

    def common(self, name: str) -> dict[str, Any]:
        head = {"event_id": name, "tenant_id": TENANT, "occurred_at": 7, "correlation_id": name}
        return {**head, "causation_id": None, "account_id": "nostro"}

    def matched(self, *lines: int, postings: tuple[str, ...], tier: str = "GROUP") -> ev.ItemMatched:
        others = tuple(ev.LineRef("file-EUR", number - 1) for number in lines[1:])
        return ev.ItemMatched(
            **self.common("m"), statement_id="file-EUR", line_no=lines[0] - 1, posting_ids=postings,
            tier=tier, amount_minor=1, currency="EUR", other_lines=others or None, score=9,
        )  # fmt: skip

    def suggested(self, line: int, *candidates: tuple[str, int]) -> ev.MatchSuggested:
        return ev.MatchSuggested(
            **self.common("s"), statement_id="file-EUR", line_no=line - 1, line_id=None, posting_id=None,
            candidates=tuple(ev.MatchCandidate((), (ours,), score, ()) for ours, score in candidates),
        )  # fmt: skip


def test_each_line_of_a_group_has_a_row(tmp_path: Path) -> None:
    said = Said(tmp_path)
    said.results.hear([said.matched(1, 3, postings=("p1",)), said.matched(2, postings=("p2", "p4"))])
    netted = ev.PostingsNetted(
        **said.common("n"), posting_ids=("p5", "p6"), amount_minor=1, currency="EUR", tier="REVERSAL"
    )
    said.results.hear([netted])
    assert [one[:5] for one in said.results.rows()] == [
        ("l1", ("p1",), "GROUP", CONFIRMED, 9),
        ("l3", ("p1",), "GROUP", CONFIRMED, 9),
        ("l2", ("p2", "p4"), "GROUP", CONFIRMED, 9),
        (None, ("p5", "p6"), "REVERSAL", CONFIRMED, None),
    ]


def test_suggestions_stand_while_nothing_of_them_is_matched(tmp_path: Path) -> None:
    said = Said(tmp_path)
    hear = said.results.hear
    hear([said.suggested(1, ("p1", 5), ("p2", 9), ("p3", 7), ("p4", 1))])
    hear([said.suggested(2, ("p1", 5)), said.suggested(3, ("p3", 5))])
    assert [one.posting_ids for one in said.results.suggested("l1")] == [("p2",), ("p3",), ("p1",)]
    hear([said.matched(2, postings=("p2",), tier="SCORED")])
    assert [(one.line_id, *one.posting_ids, one.outcome) for one in said.results.rows()] == [
        ("l2", "p2", CONFIRMED),
        *(("l1", ours, SUGGESTED) for ours in ("p3", "p1", "p4")),
        ("l3", "p3", SUGGESTED),
    ]
    labels = [Label("p4", "l1"), Label("p2", "l2"), Label("p2", "l3"), Label("p6", "l4")]
    assert labels_of(labels, said.results) == {
        "pairs": 4, "confirmed": 1, "suggested": 1, "otherwise": 1, "open": 1,
    }  # fmt: skip


def business(tmp_path: Path, days: int = 20) -> Files:
    """Return two equal amounts a day without a reference: what the texts say is what tells them apart."""
    postings, lines = [], []
    for day in range(1, days + 1):
        for name in ("Alpha Bakery", "Beta Garage"):
            text = {"amount_minor": -500 - day, "description": f"{name} {chr(64 + day)}rno{chr(65 + day)}"}
            postings.append({**text, "occurred_at": march(day)})
            booked = {"booked_at": march(day + 1, 18), "value_date": f"2026-03-{day + 1:02}"}
            lines.append({**text, **booked})
    return files_of(tmp_path, postings, lines)


def test_labels_teach_weights_and_nothing_else_does(tmp_path: Path) -> None:
    files = business(tmp_path)
    labels = [Label(f"p{number}", f"l{number}") for number in range(1, 41)]
    made = learned(files, labels)
    assert (made.pairs, made.in_groups) == (40, 0)
    assert made.weights != DEFAULT_WEIGHTS
    assert learned(files, labels).weights.hash() == made.weights.hash()
    assert learned(files, reversed(labels)).weights == made.weights
    swapped = [Label(f"p{number + 1 - 2 * (number % 2 == 0)}", f"l{number}") for number in range(1, 41)]
    assert learned(files, swapped).weights != made.weights


def test_labels_of_groups_teach_no_weights(tmp_path: Path) -> None:
    files = business(tmp_path, 3)
    made = learned(files, [Label("p1", "l1"), Label("p2", "l1"), Label("p3", "l3"), Label("p3", "l4")])
    assert (made.pairs, made.in_groups, made.weights) == (0, 4, DEFAULT_WEIGHTS)


def test_a_file_of_weights_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_bytes(DEFAULT_WEIGHTS.canonical())
    assert read_weights(path) == DEFAULT_WEIGHTS
    for content, said in (
        (b"", "not JSON"),
        (b"[" * 50_000, "weights"),
        (b"{}", "not of version 1"),
        (b" " * 70_000, "more than 65,536 bytes"),
        (DEFAULT_WEIGHTS.canonical().replace(b'"margin":', b'"margin":0.5,"x":'), "and nothing else"),
    ):
        path.write_bytes(content)
        with pytest.raises(FileRefused, match=said) as caught:
            read_weights(path)
        assert "\n" not in str(caught.value)
