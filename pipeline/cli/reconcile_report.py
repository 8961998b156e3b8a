"""What `ledgerflow reconcile` says to people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import typer

from pipeline.cli.amounts import money
from pipeline.cli.screen import Table, screen
from pipeline.domain.kernel.times import EPOCH


def report(told: dict[str, Any], whose: str) -> None:
    """Print a summary. `whose`: weights in words, such as "the default weights"."""
    lines, postings = told["lines"], told["postings"]
    typer.echo(
        f"{postings['all']:,} postings and {lines['all']:,} lines from {_day(told['from_us'])} to"
        f" {_day(told['until_us'])}, scored by {whose}"
    )
    tiers = ", ".join(f"{tier} {count:,}" for tier, count in told["matched_by_tier"].items()) or "none"
    typer.echo(f"matched: {lines['matched']:,} lines, {postings['matched']:,} postings (by tier: {tiers})")
    if told["matched_with_difference"]:
        typer.echo(f"matched although amounts differ: {told['matched_with_difference']:,}")
    typer.echo(
        f"open: {lines['open']:,} lines, {lines['suggested']:,} of them with suggestions; "
        f"{postings['open']:,} postings"
    )
    for side in ("postings", "lines"):
        if alone := told["accounts"][f"{side}_alone"]:
            names = ", ".join(repr(name) for name in alone[:3])
            typer.echo(f"accounts of {side} alone, so nothing of them is matched: {names}")
    _show_values(told["by_value"])
    if told["breaks"]:
        _show_breaks(told["breaks"])
    if "labels" in told:
        one = told["labels"]
        typer.echo(
            f"labels: of {one['pairs']:,} pairs {one['confirmed']:,} confirmed,"
            f" {one['suggested']:,} suggested, {one['otherwise']:,} matched otherwise, {one['open']:,} open"
        )
    typer.echo(f"matches: {told['out']}")
    if "breaks_out" in told:
        typer.echo(f"breaks: {told['breaks_out']}")


def _show_values(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("value of lines", "matched", "rate", "of postings", "matched"):
        table.add_column(header, justify="right")
    for row in rows:
        amounts = [money(row[f"{name}_minor"], row["currency"]) for name in _VALUES]
        rate = "-" if row["rate"] is None else f"{100 * row['rate']:.1f} %"
        table.add_row(*amounts[:2], rate, *amounts[2:])
    screen().print(table)


_VALUES = ("lines", "lines_matched", "postings", "postings_matched")


def _show_breaks(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("break", "opened", "open"):
        table.add_column(header, justify="left" if header == "break" else "right")
    for row in rows:
        table.add_row(row["kind"], f"{row['opened']:,}", f"{row['open']:,}")
    screen().print(table)


def _day(at_us: int) -> str:
    return (EPOCH + timedelta(microseconds=at_us)).date().isoformat()
