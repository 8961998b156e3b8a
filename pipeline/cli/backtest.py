"""`ledgerflow backtest`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.backtest.history import no_labels
from pipeline.backtest.reading import read_labels, read_payments
from pipeline.backtest.rules_file import in_force_at_all_times
from pipeline.backtest.running import Setup, run
from pipeline.backtest.summary import summary
from pipeline.backtest.writing import check_end, new_file, write
from pipeline.cli.backtest_report import report
from pipeline.cli.options import Json
from pipeline.cli.payment_files import (
    LabelsFile,
    PaymentsFile,
    RatesOption,
    bar,
    in_one_line,
    rates_of,
    threads,
)
from pipeline.cli.problems import BadInput
from pipeline.cli.rules import read_rules
from pipeline.domain.fraud.deciding.models import Fitted
from pipeline.domain.fraud.model.artefact import MODEL_BYTES_MAX
from pipeline.domain.fraud.model.refusals import ModelRefused
from pipeline.training.fitting import require_xgboost
from pipeline.training.walk_forward import WalkForward, with_threads


def backtest(
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="Decisions: a new .parquet or .csv file.", show_default=False
        ),
    ],
    payments: PaymentsFile,
    labels: LabelsFile = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules", metavar="FILE", help="Rules, TOML; beside the default set.", show_default=False
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="FILE", help="A model of `ledgerflow train`.", show_default=False),
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Train models on the way, of what was known before each day.")
    ] = False,
    rates: RatesOption = None,
    as_json: Json = False,
) -> None:
    """Decide your own payments as the fraud stream would have: in the order of their time, by its very code.

    Needs no stack. Every payment counts as settled. A label counts from its labelled_at on, never before.
    FILE of --out has a row for each payment; the summary says what was found, and which alerts are gained and
    lost against the default rules.
    """
    with in_one_line():
        check_end(out)
        if train:
            if labels is None or model is not None:
                raise BadInput("--train needs --labels, and makes models in the place of --model")
            require_xgboost()
        setup = Setup(
            rates_of(rates or []),
            None if rules is None else in_force_at_all_times(read_rules(rules)),
            None if model is None else _read_model(model),
            with_threads(WalkForward(), threads()) if train else None,
        )
        with new_file(out) as target:
            history = read_payments(payments)
            known = no_labels() if labels is None else read_labels(labels, history)
            with bar(len(history), "deciding") as progress:
                found = run(history, known, setup, progress)
            write(target, out, history, found)
    told = summary(history, known, found)
    if as_json:
        typer.echo(json.dumps({**told, "out": str(out)}))
    else:
        report(told, out)


def _read_model(path: Path) -> Fitted:
    """Return the model of a file. Raises BadInput, and OSError."""
    with path.open("rb") as opened:
        data = opened.read(MODEL_BYTES_MAX + 1)
    try:
        return Fitted(data)
    except ModelRefused as error:
        raise BadInput(f"{path}: {error}") from None
