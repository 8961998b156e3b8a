"""`ledgerflow reconcile`: postings and bank lines of files, matched as the stream matches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.backtest.matching.learning import read_weights
from pipeline.backtest.matching.reading import Label, read_files, read_labels
from pipeline.backtest.matching.running import run
from pipeline.backtest.matching.streams import InForce
from pipeline.backtest.matching.summary import summary
from pipeline.backtest.matching.writing import write
from pipeline.backtest.writing import check_end, new_file
from pipeline.cli.item_files import LinesFile, PostingsFile, learn_of, said_of, told_of
from pipeline.cli.options import Json
from pipeline.cli.payment_files import bar, in_one_line
from pipeline.cli.reconcile_report import report


def reconcile(
    postings: PostingsFile,
    lines: LinesFile,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="Matches: a new .parquet or .csv.", show_default=False),
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", metavar="FILE", help="Pairs that people have confirmed.", show_default=False
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules",
            metavar="FILE",
            help="Weights of `ledgerflow matching learn`; labels are only counted then.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Match your own postings and bank lines as the stream would: in the order of time, by its very code.

    Needs no stack. Weights are learned from labels first, and from nothing else. At the end of the files time
    moves on until all is due. FILE of --out has a row for each matched line, and for each suggestion; the
    summary says what was matched by which tier, the breaks by kind, and the match rate by value.
    """
    with in_one_line():
        check_end(out)
        weights = None if rules is None else read_weights(rules)
        with new_file(out) as target:
            files = read_files(postings, lines)
            given: list[Label] = [] if labels is None else read_labels(labels, files)
            made = learn_of(files, given) if given and weights is None else None
            stream = InForce(items=len(files))
            with bar(len(files), "matching") as progress:
                found = run(files, stream, progress)
            write(target, out, found.rows())
    told: dict[str, Any] = {**summary(files, found, stream, given), "out": str(out)}
    if made is not None:
        told["learned"] = told_of(made)
    if weights is not None:
        told["weights_sha256"] = weights.hash()
    if as_json:
        typer.echo(json.dumps(told))
        return
    if made is not None:
        typer.echo(said_of(made))
    report(told, weights is not None or made is not None)
