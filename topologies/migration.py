"""Takes offsets of an earlier version over: the process of `ledgerflow migrate`.

python -m topologies.migration [--take changelogs|source-offsets --reason TEXT]        (settings: environment)
"""

from __future__ import annotations

import argparse
import sys

from pipeline.cli.entry import exit_code_of
from pipeline.cli.migrating import run_migration
from pipeline.runtime.kafka.adoption import CHANGELOGS, SECOND, StreamLog
from pipeline.runtime.kafka.topics import changelog_name
from pipeline.runtime.settings import load_settings
from topologies.app import STREAMS, TABLELESS, TABLES


def logs(app_id: str) -> list[StreamLog]:
    """Return every stream with its log and its changelog."""
    return [
        StreamLog(
            stream.name,
            stream.source,
            changelog_name(app_id, stream.table or stream.name),
            stream.earlier_source,
        )
        for stream in STREAMS
    ]


def main(arguments: list[str] | None = None) -> int:
    """Take over what changelogs lack; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m topologies.migration", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--take", choices=(CHANGELOGS, SECOND))
    parser.add_argument("--reason")
    asked = parser.parse_args(arguments)

    def run() -> int:
        settings = load_settings()
        run_migration(logs(settings.app_id), TABLES, TABLELESS, settings, asked.take, asked.reason)
        return 0

    return exit_code_of(run)


if __name__ == "__main__":
    sys.exit(main())
