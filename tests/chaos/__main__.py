"""`python -m tests.chaos --seed N --minutes M [--fault NAME]`: faults under load, then the verdict.

The same seed gives the same schedule; `--runs K` goes on with the next seeds. `--mutants [NAME]` breaks the
product on purpose instead, one way after the other: every one must be found. A failure prints the seed, the
schedule and the first problems, and the exit code is 1; what the run left on disk is kept then.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.chaos.confined import missing
from tests.chaos.figures import figures
from tests.chaos.mutants import HOLDS, MUTANTS
from tests.chaos.mutation import survey
from tests.chaos.run import Outcome, chaos, say
from tests.chaos.schedule import BY_NAME, schedule, shortest_s

PROBLEMS_SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    """Run the schedules of some seeds; return 0 if everything held."""
    options = _parse(arguments)
    os.environ.setdefault("LEDGERFLOW_TICK_SECONDS", "0")  # the load makes up event time
    if options.mutants is not None:
        shown = survey(options.mutants)
        _print(shown, options.json)
        return int(bool(shown["wrong"]))
    names = options.fault or list(BY_NAME)
    for name in names:
        if (why := missing(name)) is not None:
            say(f"the fault {name} cannot be made here: {why}. Name others with --fault")
            return 2
    seeds = range(options.seed, options.seed + options.runs)
    struck = {strike.fault for seed in seeds for strike in schedule(seed, options.minutes * 60, names)}
    if spared := [name for name in options.fault or struck or names if name not in struck]:
        minutes = shortest_s(spared[0]) / 60
        say(f"no {spared[0]} fits in {options.minutes:g} minutes: take {minutes:.1f} or more")
        return 2
    outcomes = []
    for seed in seeds:
        outcomes.append(_run(seed, options.minutes * 60, names, options.secure))
        say(f"so far: {json.dumps(figures(outcomes))}")
    _print(figures(outcomes), options.json)
    return int(any(outcome.problems for outcome in outcomes))


def _run(seed: int, seconds: float, names: list[str], secure: bool) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="ledgerflow-chaos-"))
    say(f"seed {seed}")
    outcome = chaos(folder, seed, seconds, names, secure=secure)
    if not outcome.problems:
        shutil.rmtree(folder)
        return outcome
    say(f"seed {seed} broke it; data and logs are kept in {folder}. Schedule:")
    for strike in schedule(seed, seconds, names):
        say(f"  {strike.at_s:6.1f} s  {strike.fault} (worker {strike.worker})")
    say(f"first wrong record: {outcome.first}")
    for problem in outcome.problems[:PROBLEMS_SHOWN]:
        say(f"  {problem}")
    return outcome


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name}: {value}")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--minutes", type=float, default=3.0, metavar="M", help="of load, for each seed")
    parser.add_argument(
        "--runs", type=int, default=1, metavar="K", help="seeds N to N+K-1, one after the other"
    )
    parser.add_argument("--fault", action="append", choices=list(BY_NAME), help="only this one; repeatable")
    parser.add_argument(
        "--mutants", nargs="*", choices=[*MUTANTS, *HOLDS], metavar="NAME", help="all if none"
    )
    parser.add_argument("--secure", action="store_true", help="with TLS, logins and rights by role")
    parser.add_argument("--json", action="store_true", help="print one object")
    options = parser.parse_args(arguments)
    if not 0.5 <= options.minutes <= 24 * 60:
        parser.error("--minutes must be from 0.5 to 1440")
    if not 1 <= options.runs <= 1000:
        parser.error("--runs must be from 1 to 1000")
    return options


if __name__ == "__main__":
    # What was started ends, too, as by Ctrl-C, to which background jobs of a shell are deaf.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
