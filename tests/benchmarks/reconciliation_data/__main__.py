"""Writes the data sets as Parquet: `python -m tests.benchmarks.reconciliation_data --out DIR [--small]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.benchmarks.reconciliation_data.frozen import SEEDS, freeze, generated


def main(arguments: list[str]) -> int:
    """Write files, or freeze the generator; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.reconciliation_data", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the files go")
    parser.add_argument("--seed", action="append", type=int, metavar="N", help="by default 1, 2, 3, 4")
    parser.add_argument("--small", action="store_true", help="the form of the tests")
    parser.add_argument("--freeze", action="store_true", help="add the digests of a new version instead")
    options = parser.parse_args(arguments)
    if options.freeze:
        try:
            print("\n".join(freeze()) or "nothing is new")
        except ValueError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        return 0
    if options.out is None:
        parser.error("--out is missing")
    for seed in options.seed or SEEDS:
        for path in generated("small" if options.small else "default", seed).write(options.out):
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
