"""`ledgerflow train`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.backtest.fitting import fit, fit_anomaly, training
from pipeline.backtest.writing import new_file
from pipeline.cli.amounts import money
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
from pipeline.domain.fraud.model.artefact import NEVER_BP, Model
from pipeline.domain.fraud.model.encoding import encode, name_of
from pipeline.domain.kernel.times import EPOCH
from pipeline.training.costs import Costs
from pipeline.training.fitting import require_xgboost
from pipeline.training.isolation import Isolation


def train(
    out: Annotated[
        Path, typer.Option("--out", metavar="MODEL", help="A new file for the model.", show_default=False)
    ],
    payments: PaymentsFile = None,
    labels: LabelsFile = None,
    missed_bp: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Cost of a missed fraud, basis points of its amount.")
    ] = Costs().missed_bp,
    alert_minor: Annotated[
        int, typer.Option(min=0, max=10**9, help="Cost of looking at an alert, cents of EUR.")
    ] = Costs().alert_minor,
    held_days: Annotated[
        int, typer.Option(min=1, max=90, help="How many days are kept to judge and to calibrate.")
    ] = 7,
    delay_days: Annotated[
        int, typer.Option(min=0, max=120, help="After so many days without a label a payment is genuine.")
    ] = 7,
    anomaly: Annotated[
        bool, typer.Option("--anomaly", help="Learn what is strange, without labels: an isolation forest.")
    ] = False,
    strange_e6: Annotated[
        int,
        typer.Option(min=1, max=1_000_000, help="With --anomaly: alerts of a million payments, at most."),
    ] = Isolation().alerts_e6,
    rates: RatesOption = None,
    tenant: TenantOption = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Train a fraud model of payments and their labels: one file, at most 4 MiB.

    Files need no stack; without them payments and labels come from a stack's topics. The figures are of the
    last days whose labels have come, by a model that knew nothing of them. The threshold costs least there,
    by --missed-bp and --alert-minor. Needs the extra `train`.

    With --anomaly labels are not needed, nor is the extra. `ledgerflow model publish --role anomaly` gives it
    its role, beside a live model or rules alone.
    """
    stack = Stack(data, bootstrap_servers, schema_registry_url, tenant)
    with in_one_line():
        if not anomaly:
            require_xgboost()
            if payments is not None and labels is None:
                raise BadInput("--labels is missing: a model learns from them")
        with new_file(out) as target:
            given = read_given(payments, labels, rates, stack)
            with bar(len(given.history), "computing features") as progress:
                if anomaly:
                    forest = Isolation(alerts_e6=strange_e6)
                    model = fit_anomaly(given.history, given.labels, given.rates, forest, progress)
                else:
                    how = training(Costs(missed_bp, alert_minor), held_days, delay_days, threads())
                    model = fit(given.history, given.labels, given.rates, how, progress)
            content = encode(model)
            target.write(content)
    told = _told(model, content, out)
    if as_json:
        typer.echo(json.dumps(told))
    else:
        _say(told, is_anomaly=anomaly)


def _say(told: dict[str, Any], *, is_anomaly: bool) -> None:
    figures, threshold = told["figures"], told["review_from_bp"]
    span = f"from {_day(told['trained_from_us'])} to {_day(told['trained_until_us'])}"
    if is_anomaly:
        typer.echo(f"{told['payments']:,} payments, {span}")
        typer.echo(f"review from {threshold / 100:.2f} % on: {100 * figures['alert_rate']:.3f} % of them")
        typer.echo(f"model {told['name']}, {told['bytes']:,} bytes: {told['out']}")
        return
    typer.echo(f"{told['payments']:,} payments, {told['frauds']:,} frauds, {span}")
    typer.echo(
        f"held out, {_day(told['held_from_us'])} to {_day(told['held_until_us'])}:"
        f" average precision {figures['ap']:.3f}, AUC {figures['auc']:.3f},"
        f" calibration error {figures['calibration_error']:.4f}"
    )
    said = "never" if threshold == NEVER_BP else f"from {threshold / 100:.2f} % on"
    typer.echo(
        f"review {said}: {100 * figures['alert_rate']:.2f} % of payments, precision"
        f" {100 * figures['precision']:.1f} %, recall {100 * figures['recall']:.1f} %,"
        f" cost {money(told['cost_minor'], 'EUR')}"
    )
    typer.echo(f"model {told['name']}, {told['bytes']:,} bytes: {told['out']}")


def _told(model: Model, data: bytes, out: Path) -> dict[str, Any]:
    figures = dict(model.figures)
    cost = figures.pop("cost_minor", None)
    window = model.window
    return {
        "name": name_of(data),
        "bytes": len(data),
        "trained_from_us": window.trained_from_us,
        "trained_until_us": window.trained_until_us,
        "held_from_us": window.held_from_us,
        "held_until_us": window.held_until_us,
        "payments": window.rows,
        "frauds": window.frauds,
        "review_from_bp": model.review_from_bp,
        "cost_minor": cost,
        "figures": {name: value / 1_000_000 for name, value in figures.items()},
        "out": str(out),
    }


def _day(at_us: int) -> str:
    return (EPOCH + timedelta(microseconds=at_us)).date().isoformat()
