"""What a run says: one JSON object, a table for a README, files in a folder."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.figures import BARS, Rounds, figures_of, met
from tests.benchmarks.fraud_quality import figures as fraud_quality
from tests.benchmarks.reconciliation_quality import figures as reconciliation_quality


def report(rounds: Rounds, command: str) -> dict[str, Any]:
    """Return the figures of a run as one object; a figure whose job did not run is None."""
    figures = figures_of(rounds)
    return {
        **figures,
        "exact": True,
        "met": met(figures),
        "rounds": rounds,
        "machine": machine(),
        "command": command,
    }


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
    lines = [*_rates(found["rounds"]), *_latencies(found["rounds"])]
    lines += _questions(found["rounds"])
    lines += fraud_quality.tables(found["rounds"])
    lines += reconciliation_quality.tables(found["rounds"])
    for bar in BARS:
        if found[bar.figure] is not None:
            verdict = "met" if found["met"][bar.figure] else "not met"
            lines.append(f"- {bar.figure}: {found[bar.figure]:,} (bar: {bar.wanted}): {verdict}")
    barred = {bar.figure for bar in BARS}
    lines += [f"- {name}: {found[name]:,}" for name in figures_of({}) if name not in barred and found[name]]
    lines.append(
        f"- {host['date']}, {host['cores']} cores ({host['processor']}), {host['system']},"
        f" Python {host['python']}, load {host['load_1_min']} at the end; `{found['command']}`"
    )
    return "\n".join(lines)


def _rates(rounds: Rounds) -> list[str]:
    lines = [
        "| contender | rounds | median/s | min - max/s | per CPU second | peak RSS, MiB |",
        "|---|---|---|---|---|---|",
    ]
    for name, runs in rounds.items():
        if "per_s" in runs[0]:
            rates = [run["per_s"] for run in runs]
            lines.append(
                f"| {name} | {len(runs)} x {runs[0]['items']:,} | {median(rates):,.0f}"
                f" | {min(rates):,} - {max(rates):,} | {median(run['per_cpu_s'] for run in runs):,.0f}"
                f" | {max(run['rss_mib'] for run in runs)} |"
            )
    return [*lines, ""] if len(lines) > 2 else []


def _latencies(rounds: Rounds) -> list[str]:
    lines = [
        "| contender | events/s | p50, ms | p95, ms | p99, ms | p99, min - max | longest, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, runs in rounds.items():
        for rate in runs[0].get("rates", {}):
            found = [run["rates"][rate] for run in runs]
            p50, p95, p99, longest = (
                [one[key] for one in found] for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms")
            )
            lines.append(
                f"| {name} | {int(rate):,} | {median(p50):.1f} | {median(p95):.1f} | {median(p99):.1f}"
                f" | {min(p99):.1f} - {max(p99):.1f} | {max(longest):.1f} |"
            )
    return [*lines, ""] if len(lines) > 2 else []


def _questions(rounds: Rounds) -> list[str]:
    lines = [
        "| account of | question | p50, us | p99, us | rows read, mean | most |",
        "|---|---|---|---|---|---|",
    ]
    runs = [run["questions"] for runs in rounds.values() for run in runs if "questions" in run]
    for account, kinds in runs[0].items() if runs else ():
        for kind in kinds:
            found = [run[account][kind] for run in runs]
            p50, p99, mean, most = (
                [one[key] for one in found] for key in ("p50_us", "p99_us", "rows_mean", "rows_max")
            )
            lines.append(
                f"| {account} | {kind} | {median(p50):,.0f} | {median(p99):,.0f}"
                f" | {median(mean):,.1f} | {max(most)} |"
            )
    return [*lines, ""] if len(lines) > 2 else []


def keep(found: dict[str, Any], folder: Path) -> None:
    """Keep the figures of a run in a folder, named by its date, with plots where matplotlib is installed."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / found["machine"]["date"].replace(":", "")
    stem.with_suffix(".json").write_text(json.dumps(found, indent=1))
    stem.with_suffix(".md").write_text(table(found) + "\n")
    try:
        from tests.benchmarks import plots
    except ImportError:
        print("skipped: plots need matplotlib", file=sys.stderr)
        return
    plots.draw(found, stem)


def _processor() -> str:
    """Return the processor's name, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()
