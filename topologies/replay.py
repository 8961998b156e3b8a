"""Replays the ledger's log by the installed rules: the process of `ledgerflow rebuild --from commands`.

python -m topologies.replay SNAPSHOT [--limit N] [--json] [--anew]        (settings: environment)
                                     [--propose [--against TENANT=ACCOUNT] [--yes]]
"""

from __future__ import annotations

from pipeline.runtime import interrupts

if __name__ == "__main__":  # before the other imports, which take a second
    interrupts.begin()

import argparse
import sys
from pathlib import Path

from pipeline.cli.entry import exit_code_of
from pipeline.cli.proposing import asked_of
from pipeline.cli.replaying import run_replay
from pipeline.domain.ledger.settings import LedgerSettings
from pipeline.runtime.settings import load_settings
from topologies import ledger
from topologies.configuration import Configuration
from topologies.tenants import tenants


def rules_of(configuration: Configuration) -> dict[str, str]:
    """Return the parameters of the ledger's rules, by name. If one changes, a replay starts over.

    Raises SettingsError for an invalid file of tenants.
    """
    return {
        "dedupe_window_days": str(configuration.of(LedgerSettings).dedupe_window_days),
        "backdating": configuration.of(LedgerSettings).backdating,
        "tenants": tenants(configuration).version,  # not the path: the content may change
    }


def main(arguments: list[str] | None = None) -> int:
    """Replay and compare with a snapshot; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m topologies.replay", description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--propose", action="store_true")
    parser.add_argument("--against", action="append", default=[])
    parser.add_argument("--yes", action="store_true")
    asked = parser.parse_args(arguments)

    def run() -> int:
        settings = load_settings()
        configuration = Configuration(settings)
        (stream,) = ledger.STREAMS
        spec, rules = stream.spec(configuration), rules_of(configuration)
        proposals = asked_of(asked.against, asked.yes) if asked.propose else None
        run_replay(
            spec, settings, rules, asked.snapshot, asked.limit, as_json=asked.json, anew=asked.anew,
            asked=proposals,
        )  # fmt: skip
        return 0

    return exit_code_of(lambda: interrupts.interruptible(run))


if __name__ == "__main__":
    sys.exit(main())
