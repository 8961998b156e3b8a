"""The reference of commands, as Markdown: from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from pipeline.cli.entry import app
from pipeline.cli.on_demand import OnDemand
from tests.project.markdown import table


def block() -> str:
    """Return the table of commands; `--help` of each has its options."""
    return table(
        ("command", "what it does"), [(f"`ledgerflow {name}`", _help(one)) for name, one in commands()]
    )


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command that can be run, by its name after `ledgerflow`."""
    yield from _below(typer.main.get_command(app), "")


def options(command: Any) -> set[str]:
    """Return every option that a command knows."""
    return {"--help", "-h", *(name for one in command.params for name in (*one.opts, *one.secondary_opts))}


def _below(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, listed in group.commands.items():
        command = listed.command if isinstance(listed, OnDemand) else listed
        if hasattr(command, "commands"):
            yield from _below(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def _help(command: Any) -> str:
    return " ".join(command.help.partition("\n\n")[0].split())
