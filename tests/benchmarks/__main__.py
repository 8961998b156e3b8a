"""Measures the streams: `python -m tests.benchmarks [--peers] [--job NAME ...] [--rounds R] [--json]`.

    own local stack (if needed) -> rounds: every contender of every job, in the same order -> figures, plots

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

import psutil
from confluent_kafka import KafkaException

from pipeline.runtime.local.stack import LocalStack, StackError
from tests.benchmarks import peers
from tests.benchmarks.bench import Bench, Peers, Sizes
from tests.benchmarks.exactness import Inexact
from tests.benchmarks.figures import Rounds
from tests.benchmarks.jobs import JOBS
from tests.benchmarks.jobs.shape import Measured, Run
from tests.benchmarks.processes import RunFailed
from tests.benchmarks.report import keep, report, table
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
    if options.results is not None:
        keep(found, options.results)
    print(json.dumps(found) if options.json else table(found))
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    usual = [name for name, job in JOBS.items() if job.by_default]
    rest = [name for name, job in JOBS.items() if not job.by_default]
    alone = [name for name, job in JOBS.items() if job.by_name_only]
    beside = f"there are also {', '.join(rest)}; `all` for all but {', '.join(alone)}"
    parser.add_argument(
        "--job",
        action="append",
        choices=[*JOBS, "all"],
        metavar="NAME",
        help=f"by default {', '.join(usual)}; {beside}",
    )
    parser.add_argument("--peers", action="store_true", help="Kafka Streams and quixstreams, too")
    parser.add_argument("--rounds", type=int, default=3, metavar="R")
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N", help="of the sum job, a round")
    parser.add_argument(
        "--payments", type=int, default=200_000, metavar="N", help="payments, fills, items of the others"
    )
    parser.add_argument("--accounts", type=int, default=1_000_000, metavar="N", help="of the memory job")
    parser.add_argument(
        "--seconds", type=float, default=10.0, metavar="S", help="of each rate of the latency and views jobs"
    )
    parser.add_argument("--seeds", type=int, default=4, metavar="N", help="of the quality jobs")
    parser.add_argument("--small", action="store_true", help="the quality jobs on their small data sets")
    parser.add_argument(
        "--encrypted", action="store_true", help="the reconciliation-quality job on encrypted texts"
    )
    parser.add_argument(
        "--public",
        nargs=2,
        type=Path,
        metavar=("LEFT", "RIGHT"),
        help="the reconciliation-quality job on the public pairs, too: books and bank, Parquet",
    )
    parser.add_argument("--results", type=Path, metavar="DIR", help="keep the results and plots here")
    parser.add_argument("--json", action="store_true", help="print one object instead of the table")
    options = parser.parse_args(arguments)
    counts = (
        options.events,
        options.payments,
        options.rounds,
        options.accounts,
        options.seconds,
        options.seeds,
    )
    if min(counts) < 1:
        parser.error("--events, --payments, --accounts, --seconds, --seeds and --rounds must be at least 1")
    if options.job is None:
        options.job = usual
    elif "all" in options.job:
        options.job = [name for name in JOBS if name not in alone]
    return options


def _measure(options: argparse.Namespace) -> Rounds:
    """Start a stack if one is needed, run the rounds, take it down; return what was measured, by round."""
    rounds: Rounds = {}
    sizes = Sizes(
        options.events,
        options.payments,
        options.accounts,
        options.seconds,
        options.seeds,
        options.small,
        None if options.public is None else tuple(options.public),
        options.encrypted,
    )
    jobs = {name: job for name, job in JOBS.items() if name in options.job}
    if not any(job.needs_stack for job in jobs.values()):
        for job in jobs.values():
            _round(job.contenders(sizes), 0, rounds)
        return rounds
    ready = peers.prepare() if options.peers else Peers()
    with tempfile.TemporaryDirectory(prefix="ledgerflow-bench-") as folder:
        settings = settings_in(Path(folder)).model_copy(update={"kafka_heap_mb": KAFKA_HEAP_MB})
        with LocalStack(settings) as stack:
            bench = Bench(settings, sizes, ready, psutil.Process(stack.pids["kafka"]))
            contenders = {
                name: job.contenders(bench if job.needs_stack else sizes) for name, job in jobs.items()
            }
            for number in range(options.rounds):
                for name, job in jobs.items():
                    if number == 0 or not job.once:
                        _round(contenders[name], number, rounds)
    return rounds


def _round(contenders: dict[str, Run], number: int, rounds: Rounds) -> None:
    """Run each contender of a job once; keep what it measured, and say it at once."""
    for name, run in contenders.items():
        found: Measured = run(number)
        rounds.setdefault(name, []).append(found)
        print(f"round {number + 1} {name}: {found}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
