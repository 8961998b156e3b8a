"""What `ledgerflow backtest` says to people."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import typer

from pipeline.cli.amounts import money
from pipeline.cli.screen import Table, screen
from pipeline.domain.kernel.times import EPOCH

RULES_MAX = 40
"""Most rules that are shown; JSON has all of them."""
COLUMNS = ("alerts", "frauds", "precision")


def report(told: dict[str, Any], out: Path) -> None:
    """Print a summary."""
    against, labels = told["against_default_rules"], told["labels"]
    typer.echo(
        f"{told['payments']:,} payments from {_day(told['from_us'])} to {_day(told['until_us'])},"
        f" {labels['frauds']:,} of them labelled as frauds"
    )
    typer.echo(f"rules: {', '.join(told['rules'])}; models: {len(told['models'])}")
    _show_figures(told)
    gained, lost = against["gained"], against["lost"]
    typer.echo(
        f"against the default rules alone ({against['alerts']:,} alerts): {gained['alerts']:,} alerts gained"
        f" ({gained['frauds']:,} frauds), {lost['alerts']:,} lost ({lost['frauds']:,} frauds)"
    )
    if told["by_rule"]:
        _show_rules(told)
    for rule in told["shadow_rules"][:RULES_MAX]:
        typer.echo(
            f"shadow rule {rule['rule']}: {rule['fired']:,} payments ({rule['frauds']:,} frauds),"
            f" {rule['not_alerts']:,} of them no alerts"
        )
    for line in _remarks(told):
        screen(stderr=True).print(line, style="yellow", markup=False, soft_wrap=True)
    typer.echo(f"decisions: {out}")


def _show_figures(told: dict[str, Any]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("payments", "number", "alerts", "rate", "precision", "recall", "AP", "fraud found"):
        table.add_column(header, justify="left" if header == "payments" else "right")
    rows = [("all", told["all"])]
    if "scored_by_a_model" in told:
        rows.append(("scored by a model", told["scored_by_a_model"]))
    if len(told["by_segment"]) > 1:
        rows += [(one["segment"], one) for one in told["by_segment"]]
    for name, one in rows:
        average = one["average_precision"]
        table.add_row(
            name,
            f"{one['payments']:,}",
            f"{one['alerts']:,}",
            _percent(one["alert_rate"], 2),
            _percent(one["precision"]),
            _percent(one["recall"]),
            "-" if average is None else f"{average:.3f}",
            f"{money(one['fraud_found_eur_minor'], 'EUR')} of {money(one['fraud_eur_minor'], 'EUR')}",
        )
    screen().print(table)


def _show_rules(told: dict[str, Any]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("rule", "alerts", "alone", "frauds", "precision", "fraud found"):
        table.add_column(header, justify="left" if header == "rule" else "right")
    for one in told["by_rule"][:RULES_MAX]:
        table.add_row(
            one["rule"],
            f"{one['alerts']:,}",
            f"{one['alone']:,}",
            f"{one['frauds']:,}",
            _percent(one["precision"]),
            money(one["fraud_found_eur_minor"], "EUR"),
        )
    screen().print(table)
    if len(told["by_rule"]) > RULES_MAX:
        typer.echo(f"{len(told['by_rule']) - RULES_MAX} more rules; --json has all")


def _remarks(told: dict[str, Any]) -> list[str]:
    """Return what is to be known of the figures."""
    labels, found = told["labels"], []
    if told["without_rate"]:
        names = ", ".join(f"{name} ({count:,})" for name, count in told["without_rate"].items())
        found.append(f"no rate, so amounts unknown: {names}; give it by --rate, such as --rate USD=0.92")
    if labels["unknown_payment"]:
        found.append(f"{labels['unknown_payment']:,} labels name a payment that is not there")
    if labels["before_payment"]:
        found.append(f"{labels['before_payment']:,} labels are earlier than their payment")
    if labels["left_out"]:
        found.append(f"{labels['left_out']:,} labels come after one was taken back, and are left out")
    return found


def _percent(share: float | None, decimals: int = 1) -> str:
    return "-" if share is None else f"{100 * share:.{decimals}f} %"


def _day(at_us: int) -> str:
    return (EPOCH + timedelta(microseconds=at_us)).date().isoformat()
