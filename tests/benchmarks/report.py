"""Rounds to figures: medians, spread, the bars and whether they are met."""

from __future__ import annotations

import os
import platform
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

Rounds = dict[str, list[dict[str, Any]]]
"""Per job (stock_sum, our_sum, ledger) what each round measured."""


class Bar(NamedTuple):
    """A figure that has to be reached."""

    figure: str
    at_least: float


BARS = (Bar("sum_ratio_stock_faust", 20.0), Bar("ledger_payments_per_s", 8_000.0))
TITLES = {"stock_sum": "stock Faust, sum", "our_sum": "ours, sum", "ledger": "ours, full ledger"}


def report(rounds: Rounds, command: str) -> dict[str, Any]:
    """Return the figures of a run as one object; a figure whose job did not run is None."""
    rates = {job: median(one["per_s"] for one in found) for job, found in rounds.items() if found}
    ours = [one["rss_mib"] for job in ("our_sum", "ledger") for one in rounds.get(job, [])]
    figures: dict[str, Any] = {
        "sum_ratio_stock_faust": None,
        "sum_events_per_s": rates.get("our_sum"),
        "stock_faust_events_per_s": rates.get("stock_sum"),
        "ledger_payments_per_s": rates.get("ledger"),
        "rss_mib": max(ours, default=None),
    }
    if "our_sum" in rates and "stock_sum" in rates:
        figures["sum_ratio_stock_faust"] = round(rates["our_sum"] / rates["stock_sum"], 1)
    met = {bar.figure: _met(figures[bar.figure], bar) for bar in BARS}
    return {**figures, "exact": True, "met": met, "rounds": rounds, "machine": machine(), "command": command}


def machine() -> dict[str, Any]:
    """Return what was measured on, when, and how busy the machine was with other work."""
    return {
        "date": datetime.now().isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_1_min": round(os.getloadavg()[0], 1),
    }


def table(found: dict[str, Any]) -> str:
    """Return the figures as Markdown, ready for a README."""
    host = found["machine"]
    lines = [
        "| job | rounds | median/s | min - max/s | per CPU second | peak RSS, MiB |",
        "|---|---|---|---|---|---|",
    ]
    for job, runs in found["rounds"].items():
        if runs:
            rates = [run["per_s"] for run in runs]
            lines.append(
                f"| {TITLES[job]} | {len(runs)} x {runs[0]['items']:,} | {median(rates):,.0f}"
                f" | {min(rates):,} - {max(rates):,} | {median(run['per_cpu_s'] for run in runs):,.0f}"
                f" | {max(run['rss_mib'] for run in runs)} |"
            )
    lines.append("")
    for bar in BARS:
        if found[bar.figure] is not None:
            verdict = "met" if found["met"][bar.figure] else "not met"
            lines.append(
                f"- {bar.figure}: {found[bar.figure]:,} (bar: at least {bar.at_least:,.0f}): {verdict}"
            )
    lines.append(
        f"- {host['date']}, {host['cores']} cores ({host['processor']}), {host['system']},"
        f" Python {host['python']}, load {host['load_1_min']} at the end; `{found['command']}`"
    )
    return "\n".join(lines)


def _met(figure: float | None, bar: Bar) -> bool | None:
    return None if figure is None else figure >= bar.at_least


def _processor() -> str:
    """Return the processor's name, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()
