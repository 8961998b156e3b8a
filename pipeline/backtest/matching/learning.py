"""Weights are learned from the labels of files, and from nothing else that knows the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pipeline.backtest.matching.items import item_of, key_of
from pipeline.backtest.matching.looking import Looking
from pipeline.backtest.matching.reading import Files, Label
from pipeline.backtest.matching.running import TOLD_EACH, Progress
from pipeline.backtest.problems import refused
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.domain.reconciliation.scoring.weights import Weights, from_json
from pipeline.training.matching.groups import GROUPS_MAX
from pipeline.training.matching.thresholds import learn

FILE_BYTES_MAX = 64 * 1024
"""Of a file of weights."""


class Learned(NamedTuple):
    """Weights, and what they were made of."""

    weights: Weights
    pairs: int
    """Labels of one posting and one line each."""
    in_groups: int
    """Labels of groups: they have more than one posting or line, and no weights are learned from them."""
    seen: int
    """Pairs whose right candidate was looked at; the others are clean by reference, or too far apart."""


def learned(files: Files, labels: Iterable[Label], progress: Progress = lambda done: None) -> Learned:
    """Return the weights that the labels of some files teach, starting from the default weights."""
    given = list(labels)
    postings = Counter(one.posting_id for one in given)
    lines = Counter(one.line_id for one in given)
    partners = {
        key_of(one.line_id, True): key_of(one.posting_id, False)
        for one in given
        if postings[one.posting_id] == lines[one.line_id] == 1
    }
    partners = dict(sorted(partners.items())[: 2 * GROUPS_MAX])  # more are not learned from
    labelled = frozenset(partners) | frozenset(partners.values())
    accounts: dict[str, Looking] = {}
    for done, row in enumerate(files.rows(), 1):
        account = accounts.get(row.account_id)
        if account is None:
            account = accounts[row.account_id] = Looking(DEFAULT_WEIGHTS, labelled)
        account.arrive(item_of(row))
        if done % TOLD_EACH == 0:
            progress(done)
    progress(len(files))
    pairs = [pair for account in accounts.values() for pair in account.pairs]
    seen = len({line for posting, line, _ in pairs if partners.get(line) == posting})
    in_groups = sum(not postings[one.posting_id] == lines[one.line_id] == 1 for one in given)
    return Learned(learn(pairs, partners, DEFAULT_WEIGHTS), len(partners), in_groups, seen)


def read_weights(path: Path) -> Weights:
    """Return the weights of a file. Raises FileRefused, and OSError."""
    with path.open("rb") as opened:
        content = opened.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise refused(str(path), f"more than {FILE_BYTES_MAX:,} bytes: weights of matching are smaller")
    try:
        return from_json(content)
    except (ValueError, RecursionError) as error:
        raise refused(str(path), " ".join(str(error).split())[:300]) from None
