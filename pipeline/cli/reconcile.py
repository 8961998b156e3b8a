"""`ledgerflow reconcile`: postings and bank lines of files, matched as the stream matches."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.backtest.matching.desk import over_desk
from pipeline.backtest.matching.learning import read_weights
from pipeline.backtest.matching.reading import Label, read_files, read_labels
from pipeline.backtest.matching.running import run
from pipeline.backtest.matching.summary import summary
from pipeline.backtest.matching.writing import BREAKS, MATCHES, write
from pipeline.backtest.writing import check_end, new_file
from pipeline.cli.item_files import LinesFile, PostingsFile, learn_of, said_of, told_of
from pipeline.cli.options import Json
from pipeline.cli.payment_files import bar, in_one_line
from pipeline.cli.problems import BadInput
from pipeline.cli.reconcile_report import report
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS


def reconcile(
    postings: PostingsFile,
    lines: LinesFile,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="Matches: a new .parquet or .csv.", show_default=False),
    ],
    breaks: Annotated[
        Path | None,
        typer.Option("--breaks", metavar="FILE", help="Breaks: a new .parquet or .csv.", show_default=False),
    ] = None,
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
    moves on until all is due. FILE of --out has a row for each matched line, and for each suggestion, that of
    --breaks one for each item that a break is about; the summary says what was matched by which tier, the
    breaks by kind, and the match rate by value.
    """
    with in_one_line():
        written = [path for path in (out, breaks) if path is not None]
        for path in written:
            check_end(path)
        if len({os.path.realpath(path) for path in written}) < len(written):
            raise BadInput(f"--out and --breaks both name {out}: name two files")
        weights = None if rules is None else read_weights(rules)
        with ExitStack() as opened:
            targets = [opened.enter_context(new_file(path)) for path in written]
            files = read_files(postings, lines)
            given: list[Label] = [] if labels is None else read_labels(labels, files)
            made = learn_of(files, given) if given and weights is None else None
            if made is not None:
                weights = made.weights
            with bar(len(files), "matching") as progress:
                found = run(files, over_desk(weights, len(files)), progress)
            write(targets[0], out, found.rows(), MATCHES)
            if breaks is not None:
                write(targets[1], breaks, found.breaks(), BREAKS)
    told: dict[str, Any] = {**summary(files, found, weights or DEFAULT_WEIGHTS, given), "out": str(out)}
    if breaks is not None:
        told["breaks_out"] = str(breaks)
    if made is not None:
        told["learned"] = told_of(made)
    if as_json:
        typer.echo(json.dumps(told))
        return
    if made is not None:
        typer.echo(said_of(made))
    report(told, "the default weights" if weights is None else f"weights {weights.hash()[:12]}")
