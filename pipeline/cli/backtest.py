"""`ledgerflow backtest`, and `ledgerflow rules backtest` of one file of rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.backtest.rules_file import in_force_at_all_times
from pipeline.backtest.running import Setup, run
from pipeline.backtest.summary import summary
from pipeline.backtest.writing import check_end, new_file, write
from pipeline.cli.backtest_report import report
from pipeline.cli.model import fitted_of
from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.payment_files import (
    LabelsFile,
    PaymentsFile,
    RatesOption,
    Stack,
    TenantOption,
    bar,
    in_one_line,
    read_given,
    threads,
)
from pipeline.cli.problems import BadInput
from pipeline.cli.rules import read_rules
from pipeline.cli.screen import screen
from pipeline.domain.fraud.deciding.models import Fitted
from pipeline.domain.fraud.model.refusals import ModelRefused
from pipeline.training.fitting import require_xgboost
from pipeline.training.walk_forward import WalkForward, with_threads

Out = Annotated[
    Path,
    typer.Option("--out", metavar="FILE", help="Decisions: a new .parquet or .csv file.", show_default=False),
]


def backtest(
    out: Out,
    payments: PaymentsFile = None,
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
    tenant: TenantOption = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Decide your own payments as the fraud stream would have: in the order of their time, by its very code.

    Files need no stack; without them payments, labels, accounts and rates come from a stack's topics. Every
    payment counts as settled. A label counts from its labelled_at on, never before. FILE of --out has a row
    for each payment; the summary says what was found, and which alerts are gained and lost against the
    default rules.
    """
    stack = Stack(data, bootstrap_servers, schema_registry_url, tenant)
    with in_one_line():
        check_end(out)
        if train and ((labels is None and payments is not None) or model is not None):
            raise BadInput("--train needs --labels, and makes models in the place of --model")
        if train:
            require_xgboost()
        rule_set = None if rules is None else in_force_at_all_times(read_rules(rules))
        fitted = None if model is None else _read_model(model)
        with new_file(out) as target:
            given = read_given(payments, labels, rates, stack)
            how = with_threads(WalkForward(), threads()) if train else None
            setup = Setup(given.rates, rule_set, fitted, how)
            with bar(len(given.history), "deciding") as progress:
                found = run(given.history, given.labels, setup, progress)
            write(target, out, given.history, found)
    told = summary(given.history, given.labels, found)
    if given.left_out:
        screen(stderr=True).print(
            f"{given.left_out:,} events that the streams refuse are left out", style="yellow"
        )
    if as_json:
        typer.echo(json.dumps({**told, "left_out": given.left_out, "out": str(out)}))
    else:
        report(told, out)


def backtest_rules(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rules, TOML.", show_default=False)],
    out: Out,
    payments: PaymentsFile = None,
    labels: LabelsFile = None,
    rates: RatesOption = None,
    tenant: TenantOption = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Decide your own payments by a file of fraud rules: what it finds, and which alerts it gains and loses.

    As `ledgerflow backtest --rules FILE`, which takes models, too.
    """
    backtest(
        out=out,
        payments=payments,
        labels=labels,
        rules=file,
        rates=rates,
        tenant=tenant,
        as_json=as_json,
        data=data,
        bootstrap_servers=bootstrap_servers,
        schema_registry_url=schema_registry_url,
    )


def _read_model(path: Path) -> Fitted:
    """Return the model of a file. Raises BadInput, and OSError."""
    try:
        return fitted_of(path)
    except ModelRefused as error:
        raise BadInput(f"{path}: {error}") from None
