"""Options and files that `ledgerflow reconcile` and `ledgerflow matching` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.backtest.matching.learning import Learned, learned
from pipeline.backtest.matching.reading import Files, Label
from pipeline.cli.payment_files import bar

PostingsFile = Annotated[
    Path,
    typer.Option("--postings", metavar="FILE", help="Postings, Parquet or CSV.", show_default=False),
]
LinesFile = Annotated[
    Path,
    typer.Option("--lines", metavar="FILE", help="Bank lines, Parquet or CSV.", show_default=False),
]


def learn_of(files: Files, labels: list[Label]) -> Learned:
    """Return the weights that labels teach; show how far it is."""
    with bar(len(files), "learning") as progress:
        return learned(files, labels, progress)


def told_of(made: Learned) -> dict[str, Any]:
    """Return what weights were made of, for JSON."""
    weights = made.weights
    return {
        "sha256": weights.hash(),
        "confirm_from": weights.confirm_from,
        "margin": weights.margin,
        "early_margin": weights.early_margin,
        "suggest_from": weights.suggest_from,
        "pairs": made.pairs,
        "pairs_scored": made.seen,
        "labels_of_groups": made.in_groups,
    }


def said_of(made: Learned) -> str:
    """Return what weights were made of, in words."""
    text = f"learned from {made.pairs:,} labelled pairs, {made.seen:,} of which needed a score"
    if made.in_groups:
        text += f"; {made.in_groups:,} labels of groups teach no weights"
    return f"{text}: weights {made.weights.hash()[:12]}"
