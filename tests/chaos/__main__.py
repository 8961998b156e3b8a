"""`python -m tests.chaos --seed N --minutes M [--fault NAME] [--json]`: faults under load, then the verdict.

The same seed gives the same schedule. A failure prints the seed, the schedule and the first problems, and the
exit code is 1; what the run left on disk is kept then.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import chaos, say
from tests.chaos.schedule import BY_NAME, schedule

PROBLEMS_SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    """Run the schedule of a seed; return 0 if everything held."""
    options = _parse(arguments)
    names = options.fault or list(BY_NAME)
    seconds = options.minutes * 60
    folder = Path(tempfile.mkdtemp(prefix="ledgerflow-chaos-"))
    outcome = chaos(folder, options.seed, seconds, names)
    if options.json:
        print(json.dumps(outcome.figures()))
    else:
        for name, value in outcome.figures().items():
            print(f"{name}: {value}")
    if not outcome.problems:
        shutil.rmtree(folder)
        return 0
    say(f"seed {options.seed} broke it; data and logs are kept in {folder}. Schedule:")
    for strike in schedule(options.seed, seconds, names):
        say(f"  {strike.at_s:6.1f} s  {strike.fault} (worker {strike.worker})")
    for problem in outcome.problems[:PROBLEMS_SHOWN]:
        say(f"  {problem}")
    return 1


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--minutes", type=float, default=3.0, metavar="M")
    parser.add_argument("--fault", action="append", choices=list(BY_NAME), help="only this one; repeatable")
    parser.add_argument("--json", action="store_true", help="print one object")
    options = parser.parse_args(arguments)
    if not 0.5 <= options.minutes <= 24 * 60:
        parser.error("--minutes must be from 0.5 to 1440")
    return options


if __name__ == "__main__":
    sys.exit(main())
