"""`ledgerflow matching learn|show`: weights of matching, by which scores of pairs are made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.backtest.matching.learning import read_weights
from pipeline.backtest.matching.reading import read_files, read_labels
from pipeline.backtest.writing import new_file
from pipeline.cli.item_files import LinesFile, PostingsFile, learn_of, said_of, told_of
from pipeline.cli.options import Json
from pipeline.cli.payment_files import in_one_line
from pipeline.cli.screen import Table, screen
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.domain.reconciliation.scoring.features import FEATURES

app = typer.Typer(no_args_is_help=True, help="Weights of matching: learn, show, publish, withdraw, list.")


@app.command("learn")
def learn_weights(
    postings: PostingsFile,
    lines: LinesFile,
    labels: Annotated[
        Path,
        typer.Option(
            "--labels", metavar="FILE", help="Pairs that people have confirmed.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="A new file for the weights.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Learn weights of matching from labelled pairs: one small file of JSON, known by its SHA-256.

    Needs no stack. It starts from the default weights, so a few labels move little. `ledgerflow reconcile
    --rules FILE` takes what is made, and `ledgerflow matching publish FILE` puts it into use.
    """
    with in_one_line(), new_file(out) as target:
        files = read_files(postings, lines)
        made = learn_of(files, read_labels(labels, files))
        target.write(made.weights.canonical())
    if as_json:
        typer.echo(json.dumps({**told_of(made), "out": str(out)}))
        return
    typer.echo(f"{said_of(made)}\nweights: {out}")


@app.command("show")
def show_weights(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="What `matching learn` has made.", show_default="the defaults"),
    ] = None,
    canonical: Annotated[
        bool, typer.Option("--canonical", help="Their canonical form alone, as it is published.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show weights of matching in words: what speaks for a pair, how much, and from which score on it counts.

    A weight is in thousandths of a natural logarithm of odds: 0 is one to one, 2303 ten to one. Beside the
    weights of a file are the default ones.
    """
    with in_one_line():
        weights = DEFAULT_WEIGHTS if file is None else read_weights(file)
    if canonical:
        typer.echo(weights.canonical().decode(), nl=False)
        return
    if as_json:
        told: dict[str, Any] = json.loads(weights.canonical())
        typer.echo(json.dumps({"sha256": weights.hash(), **told}))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("feature", "says", "weight", "default"):
        table.add_column(header, justify="right" if header in ("weight", "default") else "left")
    for feature, own, usual in zip(FEATURES, weights.tables, DEFAULT_WEIGHTS.tables, strict=True):
        for bucket, weight, default in zip(feature.buckets, own, usual, strict=True):
            table.add_row(feature.name, bucket, f"{weight:,}", f"{default:,}")
    screen().print(table, markup=False)
    typer.echo(
        f"confirmed from {weights.confirm_from:,} on, with a margin of {weights.margin:,} (on arrival"
        f" {weights.early_margin:,}); suggested from {weights.suggest_from:,} on; sha256 {weights.hash()}"
    )
