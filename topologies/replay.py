"""The ledger's log by the rules installed here, beside a snapshot: for `ledgerflow rebuild --from commands`.

python -m topologies.replay SNAPSHOT [--limit N] [--json] [--anew]        (settings: environment)
"""

from __future__ import annotations

from pipeline.runtime import interrupts

if __name__ == "__main__":  # before the other imports, which take a second
    interrupts.begin()

import argparse
import sys
from pathlib import Path

from pipeline.cli.entry import ended
from pipeline.cli.replaying import run_replay
from pipeline.runtime.settings import Settings, load_settings
from topologies import ledger
from topologies.tenants import tenants


def rules_of(settings: Settings) -> dict[str, str]:
    """Return the settings that `ledger.build` makes its rules of: where one changes, a replay begins anew."""
    return {
        "dedupe_window_days": str(settings.dedupe_window_days),
        "tenants": tenants(settings).version,  # not the path: what the file says may change
    }


def main(arguments: list[str] | None = None) -> int:
    """Replay and compare; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m topologies.replay", description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--anew", action="store_true")
    asked = parser.parse_args(arguments)

    def run() -> int:
        settings = load_settings()
        (spec,) = ledger.build(settings)
        rules = rules_of(settings)
        shown = {"as_json": asked.json, "anew": asked.anew}
        run_replay(spec, settings, rules, asked.snapshot, asked.limit, **shown)
        return 0

    return ended(lambda: interrupts.interruptible(run))


if __name__ == "__main__":
    sys.exit(main())
