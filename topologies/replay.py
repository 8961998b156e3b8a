"""The ledger's log by the rules installed here, beside a snapshot: for `ledgerflow rebuild --from commands`.

python -m topologies.replay SNAPSHOT [--limit N] [--json] [--anew]        (settings: environment)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.cli.entry import ended
from pipeline.cli.replaying import run_replay
from pipeline.runtime.settings import load_settings
from topologies import ledger

RULES = ("dedupe_window_days",)
"""The settings that `ledger.build` makes its rules of: where one changes, a replay begins anew."""


def main(arguments: list[str] | None = None) -> int:
    """Replay and compare; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m topologies.replay", description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--anew", action="store_true")
    asked = parser.parse_args(arguments)

    def run() -> None:
        settings = load_settings()
        (spec,) = ledger.build(settings)
        rules = {name: str(getattr(settings, name)) for name in RULES}
        shown = {"as_json": asked.json, "anew": asked.anew}
        run_replay(spec, settings, rules, asked.snapshot, asked.limit, **shown)

    return ended(run)


if __name__ == "__main__":
    sys.exit(main())
