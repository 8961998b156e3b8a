"""Judges files of results that `ledgerflow reconcile` wrote: `--seed N --results FILE [--breaks FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.reconciliation_data.frozen import SEEDS
from tests.benchmarks.reconciliation_quality.comparison import files_of
from tests.benchmarks.reconciliation_quality.matched import BREAKS, Matched
from tests.benchmarks.reconciliation_quality.measures import judge, total


def main(arguments: list[str]) -> int:
    """Print the figures of a file of results as one JSON object; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.reconciliation_quality", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--seed", type=int, choices=SEEDS, required=True, help="whose data was matched")
    parser.add_argument("--small", action="store_true", help="the small form of the tests")
    parser.add_argument("--labelled", action="store_true", help="labels were given: leave them out")
    parser.add_argument("--results", type=Path, required=True, metavar="FILE", help="Parquet")
    parser.add_argument(
        "--breaks", type=Path, metavar="FILE", help="Parquet: item, kind, opened_at, resolved_at"
    )
    options = parser.parse_args(arguments)
    try:
        breaks = BREAKS.empty_table() if options.breaks is None else pq.read_table(options.breaks)
        found = Matched(pq.read_table(options.results), breaks)
        files = files_of("small" if options.small else "default", options.seed)
        print(json.dumps(total([judge(files, found, options.labelled)])))
    except (OSError, ValueError, pa.ArrowException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
