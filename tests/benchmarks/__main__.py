"""Measures the streams: `python -m tests.benchmarks [--job sum|ledger|all] [--events N] [--payments N]`.

    own local stack -> rounds: stock Faust sum, our sum, full ledger, again in the same order -> figures

Everything of a run goes against one broker. Exit code 1 where a job came to a wrong result or did not end; a
bar that is not met is printed, and is no failure.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from pipeline.runtime.stack import LocalStack, StackError
from tests.benchmarks.exactness import Inexact
from tests.benchmarks.jobs import Bench
from tests.benchmarks.processes import RunFailed
from tests.benchmarks.report import Rounds, report, table
from tests.conftest import settings_in

KAFKA_HEAP_MB = 512
"""The product's default; the tests' stack has less."""


def main(arguments: list[str]) -> int:
    """Run the benchmarks; return the exit code."""
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the stack is taken down
    try:
        rounds = _measure(options)
    except KeyboardInterrupt:
        return 130
    except (Inexact, RunFailed, StackError, KafkaException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    found = report(rounds, " ".join(["python -m tests.benchmarks", *arguments]))
    print(json.dumps(found) if options.json else table(found))
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--job", choices=("sum", "ledger", "all"), default="all")
    parser.add_argument("--events", type=int, default=400_000, metavar="N", help="of the sum job, a round")
    parser.add_argument(
        "--payments", type=int, default=100_000, metavar="N", help="of the ledger job, a round"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="R")
    parser.add_argument("--json", action="store_true", help="print one object instead of the table")
    options = parser.parse_args(arguments)
    if min(options.events, options.payments, options.rounds) < 1:
        parser.error("--events, --payments and --rounds must be at least 1")
    return options


def _measure(options: argparse.Namespace) -> Rounds:
    """Start a stack, run the rounds, take the stack down; return what each round measured."""
    rounds: Rounds = {"stock_sum": [], "our_sum": [], "ledger": []}
    with tempfile.TemporaryDirectory(prefix="ledgerflow-bench-") as folder:
        settings = settings_in(Path(folder)).model_copy(update={"kafka_heap_mb": KAFKA_HEAP_MB})
        with LocalStack(settings):
            bench = Bench(settings)
            if options.job != "ledger":
                bench.prepare_sum(options.events)
            for number in range(options.rounds):
                if options.job != "ledger":
                    _note(rounds, "stock_sum", number, bench.stock_sum(options.events, number))
                    _note(rounds, "our_sum", number, bench.our_sum(options.events, number))
                if options.job != "sum":
                    _note(rounds, "ledger", number, bench.ledger(options.payments, number))
    return rounds


def _note(rounds: Rounds, job: str, number: int, found: dict[str, Any]) -> None:
    """Keep what a round measured, and say it at once."""
    rounds[job].append(found)
    print(f"round {number + 1} {job}: {found['per_s']:,}/s, {found}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
