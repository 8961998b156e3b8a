"""Matching on data sets: without labels and with a fifth labelled, judged; the same on pairs of a user."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.reconciliation_data.frozen import generated
from tests.benchmarks.reconciliation_quality.desk import Desk
from tests.benchmarks.reconciliation_quality.encrypted import over_encrypted
from tests.benchmarks.reconciliation_quality.matched import Run
from tests.benchmarks.reconciliation_quality.measures import Files, judge, total
from tests.benchmarks.reconciliation_quality.public_pairs import public_pairs

OURS: Run = Desk()
WAYS = {"unlabelled": False, "labelled": True}
BRIEF = ("precision_confirmed", "recall_confirmed", "recall_with_suggestions")


def files_of(form: str, seed: int) -> Files:
    """Return the files of a data set that matching is given, and the truth."""
    made = generated(form, seed)
    return Files(made.postings, made.lines, made.labels, made.truth)


def compare(form: str, seeds: int, encrypted: bool = False) -> dict[str, Any]:
    """Return the figures of all seeds together, and the brief ones of each, for both ways.

    `encrypted`: the desk gets the files with their texts encrypted.
    """
    every = {str(seed): files_of(form, seed) for seed in range(1, seeds + 1)}
    run = over_encrypted(OURS) if encrypted else OURS
    return {way: _figures(every, labelled, run) for way, labelled in WAYS.items()}


def compare_public(left: Path, right: Path) -> dict[str, Any]:
    """Return the figures on a user's copy of the public pairs, for both ways. See `public_pairs`."""
    files = {"public": public_pairs(left, right)}
    return {way: _figures(files, labelled, OURS) for way, labelled in WAYS.items()}


def _figures(every: dict[str, Files], labelled: bool, run: Run) -> dict[str, Any]:
    runs, brief = [], {}
    for name, files in every.items():
        began = time.perf_counter()
        found = run(files.postings, files.lines, files.labels if labelled else None)
        took = time.perf_counter() - began
        runs.append(judge(files, found, labelled))
        figures = total(runs[-1:])
        brief[name] = {key: figures[key] for key in BRIEF} | {"seconds": round(took, 1)}
        way = "labelled" if labelled else "unlabelled"
        print(f"reconciliation {name}, {way}: {brief[name]}", file=sys.stderr, flush=True)
    return total(runs) | {"sets": brief}
