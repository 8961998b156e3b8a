"""The measures on results worked out by hand, of an oracle, and of a shuffled one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.reconciliation_quality.cases import (
    by_hand,
    confirmed,
    opened,
    oracle,
    suggested,
)
from tests.benchmarks.reconciliation_quality.comparison import WAYS, files_of
from tests.benchmarks.reconciliation_quality.desk import Desk
from tests.benchmarks.reconciliation_quality.matched import BREAKS, RESULTS, Matched, matched
from tests.benchmarks.reconciliation_quality.measures import COUNTS, Files, judge, total

SHARES = (
    *("precision_confirmed", "recall_confirmed", "recall_with_suggestions", "clean_on_arrival", "named"),
    *("many_lines_confirmed", "many_lines_with_suggestions", "reversals_netted"),
    *("many_postings_confirmed", "many_postings_with_suggestions"),
)


def figures(
    files: Files, results: list[Any], breaks: list[Any] | None = None, *, labelled: bool = False
) -> Any:
    return total([judge(files, matched(results, breaks or []), labelled)])


def test_pairs_right_wrong_and_left_open() -> None:
    files = by_hand(
        [
            ("clean/1", "L2", ["P1"]),
            ("clean/2", "L3", ["P3"]),
            ("late/1", "L4", ["P2"]),
            ("late/2", "L9", ["P5"]),
        ]
    )
    found = figures(
        files,
        [confirmed("L2", "P1", day=2), confirmed("L4", "P3", day=6), confirmed("L9", "P5", day=12)],
        [opened("P3", "MISSING_EXTERNAL", 5, resolved=6), opened("P5", "MISSING_EXTERNAL", 8, resolved=9)],
    )
    # Right: L2 on arrival, L9 three days after it came. Wrong: L4. Open: L3. P3 is of a clean pair.
    assert found["precision_confirmed"] == pytest.approx(2 / 3, abs=1e-5)
    assert (found["recall_confirmed"], found["recall_with_suggestions"]) == (0.5, 0.5)
    assert found["days_to_confirm_median"] == 1.5
    assert (found["clean_on_arrival"], found["clean_with_a_break"]) == (0.5, 0.5)
    assert found["by_kind"]["late"] == dict.fromkeys(COUNTS, 0) | {
        "pairs": 2,
        "confirmable": 2,
        "right": 1,
        "confirmed": 1,
        "within_suggestions": 1,
        "wrong": 1,
        "instances": 2,
        "whole_confirmed": 1,
        "whole_suggested": 1,
        "broken": 1,
    }


def test_twins_are_suggested_and_at_most_three_suggestions_of_a_line_count() -> None:
    files = by_hand([("twins/1", "L1", ["P1"]), ("twins/1", "L1b", ["P1b"]), ("placeholder/1", "L2", ["P2"])])
    four = [
        suggested("L2", "P1", score=9),
        suggested("L2", "P1b", score=8),
        suggested("L2", "P1", "P2", score=7),
    ]
    both = [suggested("L1", "P1"), suggested("L1", "P1b"), suggested("L1b", "P1b")]
    found = figures(files, [*both, *four, suggested("L2", "P2", score=6)])
    assert found["precision_confirmed"] is None and found["recall_confirmed"] == 0.0
    assert found["recall_with_suggestions"] == pytest.approx(2 / 3, abs=1e-5)
    found = figures(files, [*both, *four, suggested("L2", "P2", score=10)])
    assert found["recall_with_suggestions"] == 1.0
    # One who tosses a coin for twins and loses is wrong twice; a suggestion beside it does not help.
    found = figures(files, [confirmed("L1", "P1b"), confirmed("L1b", "P1"), *both, confirmed("L2", "P2")])
    assert found["precision_confirmed"] == pytest.approx(1 / 3, abs=1e-5)
    assert found["recall_confirmed"] == 1.0
    assert found["recall_with_suggestions"] == pytest.approx(1 / 3, abs=1e-5)


def test_a_group_is_found_when_all_of_it_is() -> None:
    files = by_hand(
        [
            *[("split/1", "L1", ["P1"]), ("split/1", "L2", ["P1"]), ("split/2", "L3", ["P3"])],
            *[("split/2", "L4", ["P3"]), ("batch_bare/1", "L5", ["P5", "P5b"])],
            *[("batch_reference/1", "L6", ["P6", "P6b", "P6c"]), ("batch_bare/2", "L7", ["P7", "P7b"])],
        ]
    )
    found = figures(
        files,
        [
            *[confirmed("L1", "P1"), confirmed("L2", "P1"), confirmed("L3", "P3"), suggested("L4", "P3")],
            *[confirmed("L5", "P5b", "P5"), suggested("L6", "P6", "P6b", "P6c"), confirmed("L7", "P7")],
        ],
    )
    assert (found["many_lines_confirmed"], found["many_lines_with_suggestions"]) == (0.5, 1.0)
    assert found["many_postings_confirmed"] == pytest.approx(1 / 3, abs=1e-5)
    assert found["many_postings_with_suggestions"] == pytest.approx(2 / 3, abs=1e-5)
    assert found["precision_confirmed"] == 0.8 and found["recall_confirmed"] == pytest.approx(4 / 7, abs=1e-5)


def test_the_name_is_that_of_open_breaks_or_of_those_opened_last() -> None:
    files = by_hand(
        [
            *[("fee_flat/1", "L1", ["P1"]), ("wrong_sign/1", "L2", ["P2"]), ("missing_internal/1", "L3", [])],
            *[("missing_external/1", None, ["P4"]), ("duplicate_bare/1", "L5", ["P5"])],
            *[("duplicate_bare/1", "L6", []), ("fx/1", "L7", ["P7"])],
        ]
    )
    breaks = [
        *[opened("P1", "MISSING_EXTERNAL", 3, 4), opened("L1", "FEE", 4, 5)],  # the last
        *[opened("P2", "MISSING_EXTERNAL", 3), opened("L2", "SIGN", 4, 5)],  # the open one is another
        *[
            opened("L3", "MISSING_INTERNAL", 5),
            opened("P4", "AMOUNT", 5),
            opened("P4", "MISSING_EXTERNAL", 6),
        ],
        *[opened("L6", "DUPLICATE", 7), opened("L7", "FX", 7, 8), opened("P7", "FEE", 8, 9)],
    ]
    found = figures(files, [confirmed("L5", "P5"), confirmed("L6", "P5"), confirmed("L3")], breaks)
    named = {kind: counts["named"] for kind, counts in found["by_kind"].items()}
    assert named == {
        "fee_flat": 1,
        "wrong_sign": 0,
        "missing_internal": 1,
        "missing_external": 1,
        "duplicate_bare": 1,
        "fx": 0,
    }
    assert found["named"] == pytest.approx(4 / 6, abs=1e-5)
    # A repeated line matched again, and a line of nobody matched with nothing, are wrong.
    assert found["precision_confirmed"] == pytest.approx(1 / 3, abs=1e-5)
    # Of a wrong sign nobody has to confirm anything.
    assert found["by_kind"]["wrong_sign"]["pairs"] == 0


def test_what_is_labelled_does_not_count_and_reversals_are_rows_without_the_other_side() -> None:
    files = by_hand(
        [
            *[("fee_line/1", "L1", ["P1"]), ("fee_line/1", "L1b", []), ("late/1", "L2", ["P2"])],
            *[
                ("reversal_bank/1", "L3", []),
                ("reversal_bank/1", "L4", []),
                ("reversal_books/1", None, ["P5", "P6"]),
            ],
        ],
        labels=[("P1", "L1")],
    )
    said = [
        *[confirmed("L1", "P1"), confirmed("L1b", "P2"), confirmed("L3"), confirmed("L4")],
        confirmed(None, "P6", "P5"),
    ]
    found = figures(files, said)
    assert found["precision_confirmed"] == 0.8 and found["recall_confirmed"] == 0.5
    assert found["reversals_netted"] == 1.0
    found = figures(files, said, labelled=True)
    assert found["precision_confirmed"] == 1.0 and found["recall_confirmed"] == 0.0
    assert "fee_line" not in found["by_kind"]
    # A row that comes twice is wrong the second time; one side of a reversal is not all of it.
    found = figures(files, [confirmed("L3"), confirmed("L3"), confirmed(None, "P5")])
    assert found["precision_confirmed"] == pytest.approx(1 / 3, abs=1e-5) and found["reversals_netted"] == 0.0


@pytest.fixture(scope="module", params=(1, 2))
def small(request: pytest.FixtureRequest) -> Files:
    return files_of("small", request.param)


def judged(files: Files, shift: int, labelled: bool) -> dict[str, Any]:
    run = oracle(files, shift)
    return judge(files, run(files.postings, files.lines, files.labels if labelled else None), labelled)


@pytest.mark.parametrize("labelled", WAYS.values(), ids=WAYS)
def test_an_oracle_is_perfect_and_a_shuffled_one_is_not(small: Files, labelled: bool) -> None:
    found = total([judged(small, 0, labelled)])
    assert {name: found[name] for name in SHARES} == dict.fromkeys(SHARES, 1.0)
    assert (found["clean_with_a_break"], found["days_to_confirm_median"]) == (0.0, 0.0)
    shuffled = total([judged(small, 500, labelled)])
    wrong = {name: shuffled[name] for name in SHARES if name != "named"}
    assert max(value or 0 for value in wrong.values()) < 0.02


def test_runs_are_summed_not_averaged(small: Files) -> None:
    good, bad = judged(small, 0, False), judged(small, 500, False)
    found = total([good, bad, bad])
    assert found["recall_confirmed"] == pytest.approx(1 / 3, abs=0.01)
    clean = found["by_kind"]["clean"]
    assert clean["pairs"] == 3 * good["by_kind"]["clean"]["pairs"]


def test_strange_files_are_refused() -> None:
    files = by_hand([("clean/1", "L1", ["P1"])])
    with pytest.raises(ValueError, match="1 items are not in the files, such as L7"):
        judge(files, matched([confirmed("L7", "P1")], []), False)
    with pytest.raises(ValueError, match="such as X1"):
        judge(files, matched([], [opened("X1", "AMOUNT")]), False)
    with pytest.raises(ValueError, match="an outcome is confirmed or suggested, not open"):
        judge(files, matched([confirmed("L1", "P1")._replace(outcome="open")], []), False)
    with pytest.raises(ValueError, match="columns are missing: tier, score"):
        judge(
            files, Matched(RESULTS.empty_table().drop_columns(["tier", "score"]), BREAKS.empty_table()), False
        )
    assert Desk()(files.postings, files.lines, None).results.schema == RESULTS
