"""What the decisions come to, against the labels: as a whole, by segment and by rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from pipeline.backtest.history import History, Labels
from pipeline.backtest.running import Outcome
from pipeline.domain.fraud.features.amounts import CURRENCIES
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.model.encoding import encode, name_of
from pipeline.training.data import NEVER_US
from pipeline.training.quality import average_precision_e6

Integers = np.ndarray
MODEL, ANOMALY = "model", "anomaly"
E6 = 1_000_000


def summary(history: History, labels: Labels, found: Outcome) -> dict[str, Any]:
    """Return the figures, ready for JSON. Shares are from 0 to 1, or None of nothing; times microseconds.

    A payment is a fraud if its last label says so; without a label it counts as genuine.
    """
    fraud = frauds_of(labels, len(history))
    alerts, before = found.ranks > 0, found.before > 0
    gained, lost = alerts & ~before, before & ~alerts
    by_model = found.live_bp != MISSING
    values = np.where(found.value == MISSING, 0, found.value)
    told: dict[str, Any] = {
        "payments": len(history),
        "from_us": int(history.at_us[0]),
        "until_us": int(history.at_us[-1]),
        "rules": sorted(found.sets),
        "without_rate": _without_rate(history, found),
        "labels": {
            "frauds": int(fraud.sum()),
            "taken_back": int((~labels.fraud).sum()),
            "genuine": labels.genuine,
            "unknown_payment": labels.unknown,
            "before_payment": labels.early,
            "left_out": labels.late,
        },
        "all": _figures(alerts, fraud, values, found.scores_bp),
        "declined": int((found.ranks > 1).sum()),
        "against_default_rules": {
            "alerts": int(before.sum()),
            "gained": _counted(gained, fraud),
            "lost": _counted(lost, fraud),
        },
        "by_segment": [
            {"segment": name, **_figures(alerts[of], fraud[of], values[of], found.scores_bp[of])}
            for name, of in _segments(history)
        ],
        "by_rule": by_rule(found, fraud, values),
        "shadow_rules": shadow_rules(found, fraud),
        "models": [_model(one) for one in found.made] if found.made else [{"name": n} for n in found.names],
    }
    if by_model.any() and not by_model.all():
        part = alerts[by_model], fraud[by_model], values[by_model], found.scores_bp[by_model]
        told["scored_by_a_model"] = _figures(*part)
    return told


def frauds_of(labels: Labels, count: int) -> Integers:
    """Return which payments are frauds, as far as the labels say in the end."""
    known, cleared = labels.known_us(count)
    found: Integers = (known != NEVER_US) & (cleared == NEVER_US)
    return found


def by_rule(found: Outcome, fraud: Integers, values: Integers) -> list[dict[str, Any]]:
    """Return what each rule, and the models, have found: most alerts first."""
    alerts: dict[str, list[int]] = {}
    alone: dict[str, int] = {}
    for place, why in found.explained.items():
        if not found.ranks[place]:
            continue
        names = {one.label for one in why.reasons if not one.label.startswith((f"{MODEL}:", f"{ANOMALY}:"))}
        names |= {name for name, by in ((MODEL, found.by_model), (ANOMALY, found.by_anomaly)) if by[place]}
        for name in names:
            alerts.setdefault(name, []).append(place)
        if len(names) == 1:
            (name,) = names
            alone[name] = alone.get(name, 0) + 1
    return [
        {"rule": name, **_found(np.array(places), fraud, values), "alone": alone.get(name, 0)}
        for name, places in sorted(alerts.items(), key=lambda one: (-len(one[1]), one[0]))
    ]


def shadow_rules(found: Outcome, fraud: Integers) -> list[dict[str, Any]]:
    """Return of which payments rules said something that did not count."""
    fired: dict[str, list[int]] = {}
    for place, why in found.explained.items():
        for name in why.shadow:
            fired.setdefault(name, []).append(place)
    return [
        {
            "rule": name,
            "fired": len(places),
            "frauds": int(fraud[places].sum()),
            "not_alerts": int((found.ranks[places] == 0).sum()),
        }
        for name, places in sorted(fired.items(), key=lambda one: (-len(one[1]), one[0]))
    ]


def _figures(alerts: Integers, fraud: Integers, values: Integers, scores: Integers) -> dict[str, Any]:
    hits = alerts & fraud
    at_stake = int(values[fraud].sum())
    has_both = bool(fraud.any()) and not fraud.all()
    ap = average_precision_e6(scores.astype(np.int64), fraud) / E6 if has_both else None
    return {
        "payments": len(alerts),
        "alerts": int(alerts.sum()),
        "alert_rate": _share(alerts.sum(), len(alerts)),
        "frauds": int(fraud.sum()),
        "frauds_found": int(hits.sum()),
        "precision": _share(hits.sum(), alerts.sum()) if fraud.any() else None,
        "recall": _share(hits.sum(), fraud.sum()),
        "average_precision": ap,
        "fraud_eur_minor": at_stake,
        "fraud_found_eur_minor": int(values[hits].sum()),
    }


def _found(places: Integers, fraud: Integers, values: Integers) -> dict[str, Any]:
    hits = places[fraud[places]]
    return {
        "alerts": len(places),
        "frauds": len(hits),
        "precision": _share(len(hits), len(places)) if fraud.any() else None,
        "fraud_found_eur_minor": int(values[hits].sum()),
    }


def _counted(which: Integers, fraud: Integers) -> dict[str, int]:
    return {"alerts": int(which.sum()), "frauds": int((which & fraud).sum())}


def _segments(history: History) -> Iterable[tuple[str, Integers]]:
    for number, name in enumerate(history.segment.words):
        of = history.segment.numbers == number
        if of.any():
            yield name, of


def _without_rate(history: History, found: Outcome) -> dict[str, int]:
    """Return payments whose amount could not be compared, by currency."""
    numbers, counts = np.unique(history.currency[found.value == MISSING], return_counts=True)
    return {CURRENCIES[number]: int(count) for number, count in zip(numbers, counts, strict=True)}


def _model(model: Any) -> dict[str, Any]:
    return {
        "name": name_of(encode(model)),
        "trained_from_us": model.window.trained_from_us,
        "trained_until_us": model.window.trained_until_us,
        "payments": model.window.rows,
        "frauds": model.window.frauds,
        "review_from_bp": model.review_from_bp,
        "figures": {name: value / E6 for name, value in model.figures if name != "cost_minor"},
    }


def _share(part: Any, whole: Any) -> float | None:
    return round(int(part) / int(whole), 6) if whole else None
