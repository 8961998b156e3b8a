"""What a run over files has found, as figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow.compute as pc

from pipeline.backtest.matching.reading import Files, Label, totals
from pipeline.backtest.matching.results import Results
from pipeline.domain.reconciliation.scoring.weights import Weights

ACCOUNTS_SHOWN = 10


def summary(files: Files, found: Results, weights: Weights, labels: Iterable[Label] = ()) -> dict[str, Any]:
    """Return figures of a run; JSON as it is. Amounts are in minor units. `weights`: those of the run."""
    starts = [pc.min(table["at_us"]).as_py() for table in files]
    ends = [pc.max(table["at_us"]).as_py() for table in files]
    open_breaks = found.open_breaks()
    lines, postings = (
        {
            "all": table.num_rows,
            "matched": len(matched),
            "open": table.num_rows - len(matched),
        }
        for table, matched in (
            (files.lines, found.matched_lines),
            (files.postings, found.matched_postings),
        )
    )
    told = {
        "from_us": min(starts),
        "until_us": max(ends),
        "weights_sha256": weights.hash(),
        "lines": {**lines, "suggested": found.lines_with_suggestions()},
        "postings": postings,
        "accounts": _accounts(files),
        "matched_by_tier": dict(sorted(Counter(one.tier for one in found.confirmed).items())),
        "matched_with_difference": found.differing,
        "breaks": [
            {"kind": kind, "opened": count, "open": open_breaks[kind]}
            for kind, count in sorted(found.opened.items())
        ],
        "by_value": _by_value(files, found),
    }
    given = list(labels)
    return {**told, "labels": labels_of(given, found)} if given else told


def _accounts(files: Files) -> dict[str, Any]:
    """Return how many accounts both files have, and the names of at most 10 that one of them has alone."""
    ours, theirs = (set(table["account_id"].unique().to_pylist()) for table in files)
    return {
        "both": len(ours & theirs),
        "postings_alone": sorted(ours - theirs)[:ACCOUNTS_SHOWN],
        "lines_alone": sorted(theirs - ours)[:ACCOUNTS_SHOWN],
    }


def _by_value(files: Files, found: Results) -> list[dict[str, Any]]:
    """Return by currency how much of the lines' and postings' amounts is matched, whatever their sign."""
    rows: dict[str, dict[str, int]] = {}
    for name, table, matched in (
        ("lines", files.lines, found.matched_lines),
        ("postings", files.postings, found.matched_postings),
    ):
        kept = table.filter([one in matched for one in table["item_id"].to_pylist()])
        done = totals(kept)
        for currency, minor in totals(table).items():
            row = rows.setdefault(currency, dict.fromkeys(_VALUES, 0))
            row[f"{name}_minor"], row[f"{name}_matched_minor"] = minor, done.get(currency, 0)
    return [
        {
            "currency": currency,
            **row,
            "rate": row["lines_matched_minor"] / row["lines_minor"] if row["lines_minor"] else None,
        }
        for currency, row in sorted(rows.items())
    ]


_VALUES = ("lines_minor", "lines_matched_minor", "postings_minor", "postings_matched_minor")


def labels_of(labels: list[Label], found: Results) -> dict[str, int]:
    """Return what has become of the labelled pairs.

    A label of a group is found if its posting is among those of its line. A line that is matched with others
    is one that the stream and the person see differently.
    """
    confirmed: dict[str, set[str]] = {}
    for one in found.confirmed:
        if one.line_id is not None:
            confirmed.setdefault(one.line_id, set()).update(one.posting_ids)
    told = dict.fromkeys(("pairs", "confirmed", "suggested", "otherwise", "open"), 0)
    for label in labels:
        told["pairs"] += 1
        ours = confirmed.get(label.line_id)
        if ours is not None:
            told["confirmed" if label.posting_id in ours else "otherwise"] += 1
        elif any(label.posting_id in one.posting_ids for one in found.suggested(label.line_id)):
            told["suggested"] += 1
        else:
            told["otherwise" if label.posting_id in found.matched_postings else "open"] += 1
    return told
