"""The figures of the fraud-quality job that bars are for, and its tables."""

from __future__ import annotations

from statistics import mean
from typing import Any

Rounds = dict[str, list[dict[str, Any]]]


def figures_of(rounds: Rounds) -> dict[str, float | None]:
    """Return the figures: paired with the peer on the handbook's part, ours over all seeds of the mixture."""
    runs = rounds.get("fraud_quality")
    if not runs:
        return dict.fromkeys(NAMES)
    book, mixed = (runs[0]["data_sets"][name] for name in ("handbook", "mixture"))
    ours = [seed["ours"] for seed in mixed["seeds"].values()]
    recall = [part["found"] / max(part["of"], 1) for part in recalls(ours).values()]
    found = (
        _mean(book["paired"], "average_precision"),
        _mean(book["paired"], "card_precision_100"),
        min(recall),
        mean(one["alert_rate"] for one in ours),
        mean(one["alert_precision"] for one in ours),
    )
    return {name: None if one is None else round(one, 4) for name, one in zip(NAMES, found, strict=True)}


NAMES = (
    "fraud_average_precision_above_peer",
    "fraud_card_precision_above_peer",
    "fraud_least_recall_of_a_typology",
    "fraud_alert_rate",
    "fraud_alert_precision",
)


def _mean(paired: dict[str, Any], name: str) -> float | None:
    return paired[name]["mean"] if name in paired else None


def recalls(seeds: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Return found and number of the instances of each typology, all seeds together."""
    total: dict[str, dict[str, int]] = {}
    for seed in seeds:
        for kind, part in seed["recall"].items():
            of_kind = total.setdefault(kind, {"found": 0, "of": 0})
            for key in of_kind:
                of_kind[key] += part[key]
    return total


def tables(rounds: Rounds) -> list[str]:
    """Return the figures as Markdown."""
    lines: list[str] = []
    for run in rounds.get("fraud_quality", []):
        lines += ["| data | who | AP: mean, min to max | AUC | CP@100 |", "|---|---|---|---|---|"]
        for name, made in run["data_sets"].items():
            for who in ("peer", "ours"):
                lines += _ranking(name, who, [seed[who] for seed in made["seeds"].values() if seed[who]])
        lines += ["", *_alerts(run["data_sets"]["mixture"]["seeds"]), ""]
    return lines


def _ranking(name: str, who: str, seeds: list[dict[str, Any]]) -> list[str]:
    if not seeds:
        return []
    cells = []
    for key in ("average_precision", "auc", "card_precision_100"):
        values = [seed[key] for seed in seeds]
        cells.append(f"{mean(values):.3f}, {min(values):.3f} to {max(values):.3f}")
    return [f"| {name}, {len(seeds)} seeds | {who} | {' | '.join(cells)} |"]


def _alerts(seeds: dict[str, Any]) -> list[str]:
    kinds = list(next(iter(seeds.values()))["ours"]["recall"])
    lines = [
        f"| mixture | alert rate | precision | payroll's share | {' | '.join(kinds)} |",
        "|---|---|---|---|" + "---|" * len(kinds),
    ]
    for who, words in (("peer", "peer, highest 1 %"), ("ours", "ours")):
        of = [seed[who] for seed in seeds.values() if seed[who]]
        if not of:
            continue
        rates = [
            f"{mean(one[key] for one in of):.2%}"
            for key in ("alert_rate", "alert_precision", "payroll_share")
        ]
        found = [f"{part['found']} of {part['of']}" for part in recalls(of).values()]
        lines.append(f"| {words} | {' | '.join(rates)} | {' | '.join(found)} |")
    return lines
