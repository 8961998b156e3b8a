"""Rounds to figures: medians, ratios to the best peer, and whether the bars are met."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

from tests.benchmarks.fraud_quality import figures as fraud_quality
from tests.benchmarks.reconciliation_quality import figures as reconciliation_quality

Rounds = dict[str, list[dict[str, Any]]]
"""Per contender what each round measured."""
Figures = dict[str, Any]
KAFKA_STREAMS = "kafka_streams"
MILLION = 1_000_000
AT = "5000"
"""The rate, events a second, that the latency bars are for."""


class Bar(NamedTuple):
    """What is asked of a figure; `wanted` in words, `met` says whether it is so."""

    figure: str
    wanted: str
    met: Callable[[float, Figures], bool]


def _at_least(figure: str, bound: float) -> Bar:
    return Bar(figure, f"at least {bound:,g}", lambda found, _: found >= bound)


def _at_most(figure: str, bound: float) -> Bar:
    return Bar(figure, f"at most {bound:,g}", lambda found, _: found <= bound)


def _restored(found: float, figures: Figures) -> bool:
    return found >= 400_000 or (figures["restore_ratio_kafka_streams"] or 0) >= 3


BARS = (
    _at_least("sum_ratio_kafka_streams", 2.5),
    _at_least("sum_ratio_stock_faust", 40),
    _at_least("ledger_ratio_kafka_streams", 1.5),
    _at_least("ledger_payments_per_s", 25_000),
    _at_least("fraud_payments_per_s", 10_000),
    _at_least("fraud_rules_payments_per_s", 25_000),
    _at_most("fraud_decision_p99_ms_at_5000", 50),
    _at_least("positions_fills_per_s", 50_000),
    _at_least("reconciliation_items_per_s", 15_000),
    _at_most("latency_p99_ms_at_5000", 50),
    _at_most("latency_p99_ratio_kafka_streams", 1),
    Bar("restore_records_per_s", "at least 400,000, or 3 times Kafka Streams", _restored),
    _at_most("view_p99_ms", 5),
    _at_least("gateway_reads_ratio_bare", 0.5),
    _at_most("gateway_p99_ms_at_500", 50),
    _at_most("rss_mib_at_million_accounts", 1024),
    _at_most("cost_growth_10_4_to_10_6", 1.5),
    _at_least("fraud_average_precision_above_peer", 0.005),
    _at_least("fraud_card_precision_above_peer", -0.005),
    _at_least("fraud_least_recall_of_a_typology", 0.9),
    _at_most("fraud_alert_rate", 0.01),
    _at_least("fraud_alert_precision", 0.5),
    _at_least("reconciliation_precision_confirmed_unlabelled", 0.98),
    _at_least("reconciliation_recall_confirmed_unlabelled", 0.85),
    _at_least("reconciliation_precision_confirmed_labelled", 0.999),
    _at_least("reconciliation_recall_confirmed_labelled", 0.95),
    _at_least("reconciliation_recall_with_suggestions_labelled", 0.99),
    _at_least("reconciliation_many_lines_confirmed_labelled", 0.7),
    _at_least("reconciliation_many_lines_with_suggestions_labelled", 0.9),
    _at_least("reconciliation_many_postings_confirmed_labelled", 0.7),
    _at_least("reconciliation_many_postings_with_suggestions_labelled", 0.9),
    _at_least("reconciliation_named_labelled", 0.95),
    _at_most("reconciliation_clean_with_a_break_labelled", 0.001),
    _at_least("reconciliation_clean_on_arrival_labelled", 0.999),
)


def figures_of(rounds: Rounds) -> Figures:
    """Return the figures; one whose job, or whose peer, did not run is None."""
    rates = {
        name: median(run["per_s"] for run in runs) for name, runs in rounds.items() if "per_s" in runs[0]
    }
    # A memory job of fewer accounts says nothing of a million, nor does a history of fewer lines.
    large = {name: runs for name, runs in rounds.items() if runs[0].get("accounts", 0) >= MILLION}
    long = {name: runs for name, runs in rounds.items() if runs[0].get("lines", 0) >= MILLION}
    p99 = {name: _p99(runs, AT) for name, runs in rounds.items() if name.startswith("latency")}
    return {
        "sum_ratio_kafka_streams": _ratio(rates.get("sum"), _best(rates, f"sum_{KAFKA_STREAMS}")),
        "sum_ratio_quixstreams": _ratio(rates.get("sum"), rates.get("sum_quixstreams")),
        "sum_ratio_stock_faust": _ratio(rates.get("sum"), rates.get("sum_stock_faust")),
        "ledger_ratio_kafka_streams": _ratio(rates.get("ledger"), _best(rates, f"ledger_{KAFKA_STREAMS}")),
        "sum_events_per_s": rates.get("sum"),
        "sum_share_of_ceiling": _ratio(rates.get("sum"), rates.get("ceiling")),
        "sum_share_of_ceiling_by_cpu": _ratio(
            _middle(rounds, "sum", "per_cpu_s"), _middle(rounds, "ceiling", "per_cpu_s")
        ),
        "ledger_payments_per_s": rates.get("ledger"),
        "fraud_payments_per_s": rates.get("fraud"),
        "fraud_rules_payments_per_s": rates.get("fraud_rules"),
        "fraud_decision_p99_ms_at_5000": _p99(rounds.get("fraud_latency", []), AT),
        "fraud_receipt_used_p99_ms": _middle(rounds, "fraud_freshness", "receipt_p99_ms"),
        "fraud_label_used_p99_ms": _middle(rounds, "fraud_freshness", "label_p99_ms"),
        "positions_fills_per_s": rates.get("positions"),
        "reconciliation_items_per_s": rates.get("reconciliation"),
        "history_postings_per_s": rates.get("history"),
        "history_postings_per_s_by_rows": rates.get("history_by_rows"),
        "question_growth_10_3_to_10_6": _middle(long, "history_questions", "growth"),
        "question_rows_growth_10_3_to_10_6": _middle(long, "history_questions", "rows_growth"),
        "latency_p99_ms_at_5000": p99.get("latency"),
        "latency_p99_ratio_kafka_streams": _ratio(
            p99.get("latency"), _best(p99, f"latency_{KAFKA_STREAMS}", min)
        ),
        "pipeline_p99_ms_at_1000": _p99(rounds.get("pipeline", []), "1000"),
        "restore_records_per_s": rates.get("restore"),
        "restore_ratio_kafka_streams": _ratio(rates.get("restore"), rates.get(f"restore_{KAFKA_STREAMS}")),
        "view_p99_ms": _middle(rounds, "views", "p99_ms"),
        "view_p99_ms_at_full_speed": _middle(rounds, "views", "full_speed_p99_ms"),
        "view_requests_per_s": _middle(rounds, "views", "requests_per_s"),
        "gateway_reads_ratio_bare": _middle(rounds, "gateway", "reads_ratio_bare"),
        "gateway_p99_ms_at_500": _middle(rounds, "gateway", "p99_ms"),
        "gateway_reads_per_s": _middle(rounds, "gateway", "reads_per_s"),
        "gateway_commands_per_s": _middle(rounds, "gateway", "commands_per_s"),
        "rss_mib_at_million_accounts": _middle(large, "memory", "rss_mib"),
        "cost_growth_10_4_to_10_6": _middle(large, "memory", "cost_growth"),
        "sum_two_workers_ratio": _middle(rounds, "workers_sum", "ratio"),
        "ledger_two_workers_ratio": _middle(rounds, "workers_ledger", "ratio"),
        **fraud_quality.figures_of(rounds),
        **reconciliation_quality.figures_of(rounds),
    }


def met(figures: Figures) -> dict[str, bool | None]:
    """Return for every bar whether it is met; None where its figure was not measured."""
    return {
        bar.figure: None if figures[bar.figure] is None else bar.met(figures[bar.figure], figures)
        for bar in BARS
    }


def _middle(rounds: Rounds, name: str, key: str) -> float | None:
    runs = rounds.get(name)
    return None if not runs else median(run[key] for run in runs)


def _p99(runs: list[dict[str, Any]], rate: str) -> float | None:
    """Return the median over the rounds of the 99th percentile at a rate."""
    found = [run["rates"][rate]["p99_ms"] for run in runs if rate in run["rates"]]
    return median(found) if found else None


def _best(of: dict[str, Any], prefix: str, choose: Callable[[list[float]], float] = max) -> float | None:
    """Return the best of the contenders whose name starts so."""
    found = [value for name, value in of.items() if name.startswith(prefix) and value is not None]
    return choose(found) if found else None


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or not theirs else round(ours / theirs, 2)
