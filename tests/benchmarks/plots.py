"""The results of a run as pictures: throughput, latency, how jobs scale, how well fraud is found."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot as plt

from tests.benchmarks.figures import Rounds

OURS, THEIRS = "tab:blue", "tab:gray"
PERCENTILES = ("p50_ms", "p95_ms", "p99_ms")
PEERS = ("stock_faust", "quixstreams", "kafka_streams")


def draw(found: dict[str, Any], stem: Path) -> list[Path]:
    """Write the pictures that the results have data for, as `<stem>-<name>.png`; return their paths."""
    drawn = []
    for name, picture in (
        ("throughput", _throughput),
        ("latency", _latency),
        ("scaling", _scaling),
        ("fraud-quality", _fraud_quality),
    ):
        figure = picture(found["rounds"])
        if figure is None:
            continue
        figure.tight_layout()
        path = stem.with_name(f"{stem.name}-{name}.png")
        figure.savefig(path, dpi=120)
        plt.close(figure)
        drawn.append(path)
    return drawn


def _throughput(rounds: Rounds) -> Any:
    """Bars of the median, with a line from the slowest round to the fastest."""
    rates = {name: [run["per_s"] for run in runs] for name, runs in rounds.items() if "per_s" in runs[0]}
    if not rates:
        return None
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.32 * len(rates)))
    for place, (name, found) in enumerate(rates.items()):
        middle = median(found)
        spread = [[middle - min(found)], [max(found) - middle]]
        colour = THEIRS if any(peer in name for peer in PEERS) else OURS
        axes.barh(place, middle, xerr=spread, color=colour, capsize=3)
        axes.text(max(found), place, f" {middle:,.0f}", va="center", fontsize=8)
    axes.set_yticks(range(len(rates)), list(rates))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(min(map(min, rates.values())) / 3, max(map(max, rates.values())) * 2)
    axes.set_xlabel("a second, median of the rounds, slowest to fastest (log scale)")
    return figure


def _latency(rounds: Rounds) -> Any:
    """Lines over the rate: one axis a percentile, one line a contender."""
    measured = {name: runs for name, runs in rounds.items() if "rates" in runs[0]}
    if not measured:
        return None
    figure, axes = plt.subplots(1, len(PERCENTILES), figsize=(12, 4), sharey=True)
    for place, percentile in zip(axes, PERCENTILES, strict=True):
        for name, runs in measured.items():
            rates = list(runs[0]["rates"])
            waits = [median(run["rates"][rate][percentile] for run in runs) for rate in rates]
            place.plot([int(rate) for rate in rates], waits, marker="o", label=name)
        place.set_title(percentile.removesuffix("_ms"))
        place.set_xscale("log")
        place.set_yscale("log")
        place.set_xlabel("events a second")
    axes[0].set_ylabel("due -> read committed, ms")
    axes[-1].legend(fontsize=7)
    return figure


def _scaling(rounds: Rounds) -> Any:
    """Left: one worker and two. Right: CPU time a payment as accounts grow."""
    workers = {name: runs for name, runs in rounds.items() if name.startswith("workers")}
    steps = rounds["memory"][0]["steps"] if "memory" in rounds else []
    if not workers and not steps:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    for name, runs in workers.items():
        rates = [median(run[count]["per_s"] for run in runs) for count in ("one", "two")]
        left.plot([1, 2], [rate / rates[0] for rate in rates], marker="o", label=name)
    left.plot([1, 2], [1, 2], linestyle=":", color=THEIRS, label="ideal")
    left.set_xticks([1, 2])
    left.set_xlabel("workers")
    left.set_ylabel("throughput, one worker = 1")
    left.legend(fontsize=7)
    costs = [1e6 / step["per_cpu_s"] for step in steps]
    right.plot([step["accounts"] for step in steps], costs, marker="o")
    right.set_xscale("log")
    right.set_ylim(bottom=0)
    right.set_xlabel("accounts")
    right.set_ylabel("CPU µs a payment")
    return figure


def _fraud_quality(rounds: Rounds) -> Any:
    """Precision over recall, and how often a score is right; a column a data set, a line a seed."""
    if "fraud_quality" not in rounds:
        return None
    sets = rounds["fraud_quality"][0]["data_sets"]
    figure, axes = plt.subplots(2, len(sets), figsize=(5 * len(sets), 8), squeeze=False)
    for column, (name, made) in enumerate(sets.items()):
        above, below = axes[0][column], axes[1][column]
        for number, seed in enumerate(made["seeds"].values()):
            for who, colour in (("ours", OURS), ("peer", THEIRS)):
                if seed[who] is None:
                    continue
                label = who if number == 0 else None
                points, curves = {"color": colour, "linewidth": 1, "label": label}, seed[who]["curves"]
                above.plot(*zip(*curves["precision_recall"], strict=True), **points)
                below.plot(
                    *zip(*[one[:2] for one in curves["reliability"]], strict=True), marker="o", **points
                )
        above.set(title=name, xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
        below.plot([0, 1], [0, 1], linestyle=":", color=THEIRS)
        below.set(
            xlabel="mean score of a tenth (ours / 10,000)", ylabel="share of frauds", xlim=(0, 1), ylim=(0, 1)
        )
        above.legend(fontsize=7)
    return figure
