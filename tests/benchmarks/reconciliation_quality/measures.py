"""How good results and breaks are beside the truth: counts of a run, and the figures of runs together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Any, NamedTuple

import pyarrow as pa

from tests.benchmarks.reconciliation_data.kinds import KINDS, Kind
from tests.benchmarks.reconciliation_quality.matched import (
    SUGGESTED,
    Break,
    Matched,
    Result,
    breaks_of,
    results_of,
)

DAY_US = 86_400_000_000
SUGGESTIONS_MAX = 3
"""Of a line: those with the highest score count."""
ARRIVAL_US = 60_000_000
"""A match within a minute of its last item was made when that arrived."""
CLEAN = "clean"
REVERSALS = ("reversal_bank", "reversal_books")


class Truth(NamedTuple):
    """A row of the truth, and when its last item came, microseconds UTC."""

    instance: int
    kind: str
    line_id: str | None
    posting_ids: tuple[str, ...]
    complete_at: int

    @property
    def of(self) -> Kind:
        """Its kind; what is not the generator's is a plain pair."""
        return KINDS.get(self.kind, PAIR)

    @property
    def is_pair(self) -> bool:
        """Whether something of both sides belongs together, and is to be matched."""
        return self.line_id is not None and bool(self.posting_ids) and self.of.matched


PAIR = Kind(0, "a line and its posting")


class Files(NamedTuple):
    """What matching is given, and the truth beside it."""

    postings: pa.Table
    lines: pa.Table
    labels: pa.Table
    truth: pa.Table


def judge(files: Files, found: Matched, labelled: bool) -> dict[str, Any]:
    """Return what was counted: totals, and by kind. `labelled`: leave out the instances of the labels.

    Raises ValueError for a result or break of an item that is not in the files.
    """
    rows, results, breaks = _truth(files), results_of(found), breaks_of(found)
    _check(files, results, breaks)
    given = {*files.labels["line_id"].to_pylist()} if labelled else set()
    known = {row.instance for row in rows if row.line_id in given}
    left_out = {row.line_id for row in rows if row.instance in known} - {None}
    rows = [row for row in rows if row.instance not in known]
    results = [one for one in results if one.line_id not in left_out]
    judged = _Judged(rows, results)
    by_kind: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    for row in rows:
        _count_row(by_kind[row.kind], row, judged)
    for row_or_none, _ in judged.wrong:
        by_kind[row_or_none.kind if row_or_none else "unknown"]["wrong"] += 1
    named = _named(rows, breaks)
    for instance, of_instance in _instances(rows).items():
        _count_instance(by_kind[of_instance[0].kind], of_instance, judged, named.get(instance))
    days = [(one.decided_at - row.complete_at) / DAY_US for row, one in judged.right_rows]
    return {"by_kind": dict(sorted(by_kind.items())), "days": days}


COUNTS = (
    "pairs",
    "confirmable",
    "right",
    "confirmed",
    "within_suggestions",
    "on_arrival",
    "wrong",
    "instances",
    "whole_confirmed",
    "whole_suggested",
    "broken",
    "named",
)
"""Of a kind.

Rows of the truth: pairs to be matched; those that can be confirmed; these confirmed rightly; rows of any sort
confirmed rightly; pairs confirmed or suggested; pairs confirmed on arrival. Confirmed results that are wrong.
Instances: all; each row confirmed; each at least suggested; with a break; with the right name.
"""


class _Judged:
    """Results beside the rows of the truth."""

    def __init__(self, rows: list[Truth], results: list[Result]) -> None:
        of_line = {row.line_id: row for row in rows if row.line_id is not None}
        # Postings without a line: what is confirmed of them alone is a reversal of the books.
        of_books = {row.posting_ids: row for row in rows if row.line_id is None and len(row.posting_ids) > 1}
        self.right: set[int] = set()
        """The places, by `id`, of rows that are confirmed rightly."""
        self.right_rows: list[tuple[Truth, Result]] = []
        self.wrong: list[tuple[Truth | None, Result]] = []
        self.suggested: set[int] = set()
        suggestions: defaultdict[str | None, list[Result]] = defaultdict(list)
        claimed: set[str] = set()
        for one in results:
            if one.outcome == SUGGESTED:
                suggestions[one.line_id].append(one)
                continue
            ours = tuple(sorted(one.posting_ids))
            row = of_books.get(ours) if one.line_id is None else of_line.get(one.line_id)
            fits = row is not None and row.posting_ids == ours and (bool(ours) or row.kind in REVERSALS)
            if row is None or not fits or id(row) in self.right:
                self.wrong.append((row, one))
            else:
                self.right.add(id(row))
                self.right_rows.append((row, one))
            claimed.update(() if one.line_id is None else (one.line_id,))
        for line_id, listed in suggestions.items():
            suggested_row = None if line_id is None else of_line.get(line_id)
            if suggested_row is None or line_id in claimed:
                continue
            best = sorted(listed, key=lambda one: -one.score)[:SUGGESTIONS_MAX]
            if any(tuple(sorted(one.posting_ids)) == suggested_row.posting_ids for one in best):
                self.suggested.add(id(suggested_row))
        self.on_arrival = {
            id(row) for row, one in self.right_rows if one.decided_at - row.complete_at <= ARRIVAL_US
        }


def _count_row(counts: dict[str, int], row: Truth, judged: _Judged) -> None:
    right = id(row) in judged.right
    counts["confirmed"] += right
    if not row.is_pair:
        return
    counts["pairs"] += 1
    counts["confirmable"] += row.of.confirmable
    counts["right"] += right and row.of.confirmable
    counts["within_suggestions"] += right or id(row) in judged.suggested
    counts["on_arrival"] += id(row) in judged.on_arrival


def _count_instance(
    counts: dict[str, int], rows: list[Truth], judged: _Judged, names: set[str] | None
) -> None:
    pairs = [row for row in rows if row.is_pair] or rows
    counts["instances"] += 1
    counts["whole_confirmed"] += all(id(row) in judged.right for row in pairs)
    counts["whole_suggested"] += all(id(row) in judged.right | judged.suggested for row in pairs)
    counts["broken"] += names is not None
    counts["named"] += names is not None and not rows[0].of.names.isdisjoint(names)


def _named(rows: list[Truth], breaks: list[Break]) -> dict[int, set[str]]:
    """Return what the breaks of each instance call it: the open ones; without any, those opened last."""
    instance_of = {item: row.instance for row in rows for item in (row.line_id, *row.posting_ids) if item}
    of: defaultdict[int, list[Break]] = defaultdict(list)
    for one in breaks:
        if one.item in instance_of:
            of[instance_of[one.item]].append(one)
    named = {}
    for instance, every in of.items():
        last = max(one.opened_at for one in every)
        still = [one for one in every if one.resolved_at is None]
        named[instance] = {one.kind for one in still or [one for one in every if one.opened_at == last]}
    return named


def _instances(rows: Iterable[Truth]) -> dict[int, list[Truth]]:
    of: dict[int, list[Truth]] = {}
    for row in rows:
        of.setdefault(row.instance, []).append(row)
    return of


def _truth(files: Files) -> list[Truth]:
    came = dict(
        zip(
            [*files.postings["posting_id"].to_pylist(), *files.lines["line_id"].to_pylist()],
            [
                *files.postings["occurred_at"].cast(pa.int64()).to_pylist(),
                *files.lines["booked_at"].cast(pa.int64()).to_pylist(),
            ],
            strict=True,
        )
    )
    return [
        Truth(
            row["instance"],
            row["kind"],
            row["line_id"],
            tuple(sorted(row["posting_ids"])),
            max(came[item] for item in (row["line_id"], *row["posting_ids"]) if item is not None),
        )
        for row in files.truth.to_pylist()
    ]


def _check(files: Files, results: list[Result], breaks: list[Break]) -> None:
    lines, postings = {*files.lines["line_id"].to_pylist()}, {*files.postings["posting_id"].to_pylist()}
    named = {one.line_id for one in results if one.line_id is not None} - lines
    named |= {posting for one in results for posting in one.posting_ids} - postings
    named |= {one.item for one in breaks} - lines - postings
    if named:
        raise ValueError(f"{len(named)} items are not in the files, such as {min(named)}")


def total(runs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of runs together: shares of the sums of their counts."""
    by_kind: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    days: list[float] = []
    for run in runs:
        days += run["days"]
        for kind, counts in run["by_kind"].items():
            for name, count in counts.items():
                by_kind[kind][name] += count
    every = by_kind.values()
    of_names = [counts for kind, counts in by_kind.items() if KINDS.get(kind, PAIR).names]
    clean, reversals = [by_kind.get(CLEAN)], [by_kind[kind] for kind in REVERSALS if kind in by_kind]
    many_lines = [by_kind[kind] for kind in ("split",) if kind in by_kind]
    many_postings = [by_kind[kind] for kind in ("batch_reference", "batch_bare") if kind in by_kind]
    cleans = [counts for counts in clean if counts]
    confirmed = sum(counts["confirmed"] for counts in every)
    wrong = sum(counts["wrong"] for counts in every)
    return {
        "precision_confirmed": _ratio(confirmed, confirmed + wrong),
        "recall_confirmed": _share(every, "right", "confirmable"),
        "recall_with_suggestions": _share(every, "within_suggestions", "pairs"),
        "days_to_confirm_median": round(median(days), 4) if days else None,
        "clean_on_arrival": _share(cleans, "on_arrival", "pairs"),
        "clean_with_a_break": _share(cleans, "broken", "instances"),
        "named": _share(of_names, "named", "instances"),
        "many_lines_confirmed": _share(many_lines, "whole_confirmed", "instances"),
        "many_lines_with_suggestions": _share(many_lines, "whole_suggested", "instances"),
        "many_postings_confirmed": _share(many_postings, "whole_confirmed", "instances"),
        "many_postings_with_suggestions": _share(many_postings, "whole_suggested", "instances"),
        "reversals_netted": _share(reversals, "whole_confirmed", "instances"),
        "by_kind": {kind: dict(counts) for kind, counts in sorted(by_kind.items())},
    }


def _share(of: Iterable[dict[str, int]], part: str, whole: str) -> float | None:
    listed = list(of)
    return _ratio(sum(one[part] for one in listed), sum(one[whole] for one in listed))


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 5) if whole else None
