"""Runs every check of the default suite: `python -m tests [--long] [pytest arguments]`.

Lint, format, types and layers come first, because they take seconds; pytest runs in any case, so that one run
shows everything that is wrong. It runs in three processes, file by file, in an order of its own (conftest),
because much of its time is spent waiting for sessions that expire, and says which tests took longest. With
`--long` it has the tests marked `long`, too, and properties try more examples, others each time. Exit code 0
only if all of them passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOLS = Path(sys.executable).parent

CHECKS: dict[str, list[str]] = {
    "lint": [sys.executable, "-m", "ruff", "check", "."],
    "format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "types": [sys.executable, "-m", "mypy"],
    "layers": [str(TOOLS / "lint-imports")],
    "tests": [
        *(sys.executable, "-m", "pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"),
        "--durations=40",
    ],
}
COMPILING_ONCE = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
"""What is compiled is kept, whatever the caller has set: tests start hundreds of processes."""
LONG = "--long"
ALL_BUT_FIGURES = ["-m", "not benchmark", "--hypothesis-profile=long"]
"""What pytest is told in its place."""


def main(arguments: list[str]) -> int:
    """Run the checks in order, `arguments` going to pytest; print a summary; return the exit code."""
    if LONG in arguments:
        arguments = ALL_BUT_FIGURES + [argument for argument in arguments if argument != LONG]
    results: list[tuple[str, int, float]] = []
    for name, command in CHECKS.items():
        print(f"\n== {name}", flush=True)
        started = time.monotonic()
        # From the root, so that the sources are tested that lie there, not an installed copy.
        command = command + (arguments if name == "tests" else [])
        code = subprocess.run(command, cwd=ROOT, env=COMPILING_ONCE).returncode
        results.append((name, code, time.monotonic() - started))
    print("\n== summary")
    for name, code, seconds in results:
        print(f"{'ok  ' if code == 0 else 'FAIL'} {name:<8} {seconds:6.1f} s")
    return int(any(code for _, code, _ in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
