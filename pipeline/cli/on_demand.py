"""A command whose module is imported when the command is run, or when its own help is asked for.

The list of commands needs a line of each; one run needs one of them, and the imports of all others take
longer than most commands run.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import typer.main
from typer.core import TyperCommand

PACKAGE = "pipeline.cli"


@dataclass(frozen=True)
class Listed:
    """A command, or a group of commands, as the help above it lists it."""

    name: str
    where: str
    """`module:function` below `pipeline.cli`; of a group `module:app`, a Typer."""
    panel: str | None
    """The panel of the help in which it is listed; None in the help of a group."""
    about: str
    """The first paragraph of its own help."""
    more: Sequence[Listed] = ()
    """Commands of a group that are in other modules than the group."""


class OnDemand(TyperCommand):
    """A command in the place of another one, which is imported once it is needed."""

    def __init__(self, listed: Listed) -> None:
        super().__init__(listed.name, help=listed.about, rich_help_panel=listed.panel)
        self.listed = listed

    @cached_property
    def command(self) -> Any:
        """The command itself; a group with the commands of other modules in it."""
        module, _, attribute = self.listed.where.partition(":")
        found = getattr(importlib.import_module(f"{PACKAGE}.{module}"), attribute)
        around = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        around.callback()(_nothing)
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=self.listed.name)
        else:
            around.command(self.listed.name)(found)
        program: Any = typer.main.get_command(around)
        command = program.commands[self.listed.name]
        if self.listed.more:
            command.commands |= on_demand(self.listed.more)
        return command

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Return the context of the command itself, which is what will be invoked."""
        return self.command.make_context(*args, **options)


def on_demand(commands: Sequence[Listed]) -> dict[str, OnDemand]:
    """Return the commands by their names."""
    return {listed.name: OnDemand(listed) for listed in commands}


def _nothing() -> None:
    """The callback that makes a Typer of one command a group."""
