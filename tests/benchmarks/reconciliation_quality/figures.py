"""The figures of the reconciliation-quality job that bars are for, and its tables."""

from __future__ import annotations

from typing import Any

Rounds = dict[str, list[dict[str, Any]]]
NAME = "reconciliation_quality"
WAYS = ("unlabelled", "labelled")
RANKED = ("precision_confirmed", "recall_confirmed", "recall_with_suggestions")
PARTS = (
    "many_lines_confirmed",
    "many_lines_with_suggestions",
    "many_postings_confirmed",
    "many_postings_with_suggestions",
    "named",
    "clean_with_a_break",
    "clean_on_arrival",
    "reversals_netted",
    "days_to_confirm_median",
)
NAMES = tuple(f"reconciliation_{name}_{way}" for way in WAYS for name in (*RANKED, *PARTS))


def figures_of(rounds: Rounds) -> dict[str, float | None]:
    """Return the figures of all seeds together; None where the job did not run."""
    runs = rounds.get(NAME)
    if not runs:
        return dict.fromkeys(NAMES)
    return {
        f"reconciliation_{name}_{way}": runs[0]["sets"][way][name]
        for way in WAYS
        for name in (*RANKED, *PARTS)
    }


def tables(rounds: Rounds) -> list[str]:
    """Return the figures as Markdown: by way, then by kind."""
    lines: list[str] = []
    for run in rounds.get(NAME, []):
        for title, sets in (("frozen data", run["sets"]), ("public pairs", run["public"])):
            if sets is not None:
                lines += [*overall(title, sets), ""]
        lines += [*by_kind(run["sets"]), ""]
    return lines


def overall(title: str, sets: dict[str, Any]) -> list[str]:
    """Return a row for each figure, a column for each way."""
    lines = [f"| {title} | {' | '.join(sets)} |", f"|---{'|---' * len(sets)}|"]
    for name in (*RANKED, *PARTS):
        values = [found[name] for found in sets.values()]
        if any(value is not None for value in values):
            cells = ["-" if value is None else f"{value:.4f}" for value in values]
            lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    return lines


def by_kind(sets: dict[str, Any]) -> list[str]:
    """Return a row for each kind, with what both ways have found of it."""
    lines = [
        "| kind | instances | wrong | confirmed | with suggestions | with a break | named |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in sets[WAYS[0]]["by_kind"]:
        cells = [
            " / ".join(str(sets[way]["by_kind"].get(kind, {}).get(name, 0)) for way in WAYS)
            for name in ("instances", "wrong", "whole_confirmed", "whole_suggested", "broken", "named")
        ]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return lines
