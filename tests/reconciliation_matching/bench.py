"""Stream a small business, or the public bank-transfer pairs, and print how well and how fast they match.

    python -m tests.reconciliation_matching.bench --payments 20000 --seed 1
    python -m tests.reconciliation_matching.bench --books LEFT.parquet --bank RIGHT.parquet --seed 1

The pairs are the data set `transactions` of splink (columns ground_truth, memo, transaction_date, amount).
First the default weights, then those learned from a fifth of the pairs; figures are of all pairs.
"""

from __future__ import annotations

import argparse
import time
from datetime import date
from pathlib import Path
from random import Random

import pyarrow.parquet as pq

from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.weights import Weights
from pipeline.training.matching.thresholds import learn
from tests.reconciliation_matching.account import Account
from tests.reconciliation_matching.business import Business, business
from tests.reconciliation_matching.items import line, posting

WAIT_DAYS = 23
ITEMS_MAX = 64
LABELLED = 5
"""One of so many pairs is labelled."""


def main() -> None:
    parser = argparse.ArgumentParser(description="How well and how fast small businesses are matched.")
    parser.add_argument("--payments", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--books", type=Path)
    parser.add_argument("--bank", type=Path)
    arguments = parser.parse_args()
    if arguments.books:
        facts = public_pairs(arguments.books, arguments.bank)
    else:
        facts = business(arguments.seed, arguments.payments)
    pairs = sorted((theirs, ours) for theirs, ours in facts.posting_of.items() if ours)
    labels = dict(sorted(Random(arguments.seed).sample(pairs, len(pairs) // LABELLED)))
    first = run("default", facts, DEFAULT_WEIGHTS, frozenset(labels) | frozenset(labels.values()))
    seen = [(ours, theirs, found) for (ours, theirs), found in first.pairs_seen.items()]
    started = time.process_time()
    learned = learn(seen, labels, DEFAULT_WEIGHTS)
    print(f"learned from {len(labels)} pairs in {time.process_time() - started:.1f} s")
    print(
        f"confirm from {learned.confirm_from}, margin {learned.margin}, suggest from {learned.suggest_from}"
    )
    run("learned", facts, learned, frozenset())


def run(name: str, facts: Business, weights: Weights, keep_evidence: frozenset[bytes]) -> Account:
    """Stream the items, print the figures, and return the account."""
    account = Account(weights, WAIT_DAYS, ITEMS_MAX)
    account.keep_evidence = keep_evidence
    started = time.process_time()
    for item in facts.arrivals:
        account.arrive(item)
    account.end()
    spent = time.process_time() - started
    to_find = {(ours, theirs) for theirs, ours in facts.posting_of.items() if ours}
    confirmed = {match[:2] for match in account.matches}
    suggested = {one.edge[:2] for found in account.suggested.values() for one in found}
    booked = {item.key: item.booked_day for item in facts.arrivals}
    days = sorted(match.day - booked[match.line] for match in account.matches)
    print(
        f"{name}: precision {len(confirmed & to_find) / len(confirmed):.5f} "
        f"({len(confirmed - to_find)} of {len(confirmed)} wrong), "
        f"recall {len(confirmed & to_find) / len(to_find):.4f}, "
        f"with suggestions {len((confirmed | suggested) & to_find) / len(to_find):.4f}, "
        f"by reference {sum(match.tier == 'REFERENCE' for match in account.matches)}, "
        f"median days {days[len(days) // 2]}, {1e6 * spent / len(facts.arrivals):.0f} us an item",
        flush=True,
    )
    return account


def public_pairs(books: Path, bank: Path) -> Business:
    """Return the public pairs as items in the order of their arrival."""
    items: list[Item] = []
    keys: dict[tuple[bool, int], bytes] = {}
    for is_line, path in ((False, books), (True, bank)):
        for row in pq.read_table(path).to_pylist():
            key = f"{'l' if is_line else 'p'}{row['unique_id']:06}"
            day = (row["transaction_date"] - date(1970, 1, 1)).days
            make = line if is_line else posting
            items.append(make(key, day, round(row["amount"] * 100), text=row["memo"]))
            keys[is_line, row["ground_truth"]] = key.encode()
    items.sort(key=lambda item: (item.booked_day, item.is_line, item.key))
    truth = {key: keys.get((False, number), b"") for (is_line, number), key in keys.items() if is_line}
    return Business(items, truth, {})


if __name__ == "__main__":
    main()
