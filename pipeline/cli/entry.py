"""The command `ledgerflow`: the group of all commands, and how errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from pipeline.cli.commands import COMMANDS
from pipeline.cli.on_demand import on_demand
from pipeline.cli.problems import EXIT_BAD_INPUT, EXIT_FAILED
from pipeline.cli.screen import guarded, screen
from pipeline.runtime.connections import SettingsError
from pipeline.runtime.escaping import escaped
from pipeline.runtime.interrupts import EXIT_INTERRUPTED


class Program(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands.update(on_demand(COMMANDS))


app = typer.Typer(
    name="ledgerflow",
    cls=Program,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Double-entry balances, positions, reconciliation and fraud decisions from Kafka, exactly once.",
    epilog="Start here: `ledgerflow up --demo`. Settings are environment variables `LEDGERFLOW_...`; options"
    " win over them.",
)


@app.callback()
def ledgerflow() -> None:
    """Be a group, although no command is registered here."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    with guarded():
        return exit_code_of(lambda: run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command of `arguments` (None: of the process). Raises the errors that `exit_code_of` handles.

    Typer's own runner ends an interrupted command without a message.
    """
    command = typer.main.get_command(app)
    given = sys.argv[1:] if arguments is None else list(arguments)
    with command.make_context("ledgerflow", given) as context:
        return int(command.invoke(context) or 0)


def exit_code_of(command: Callable[[], int]) -> int:
    """Run a command; return its exit code. Every error becomes one line on standard error."""
    try:
        return command()
    except typer.Exit as exited:
        return int(exited.exit_code)
    except typer.TyperException as error:
        return _fail(_with_hint(error), error.exit_code)
    except typer.Abort:
        return _fail("stopped; nothing was done", EXIT_FAILED)
    except SettingsError as error:
        return _fail(str(error), EXIT_BAD_INPUT)
    except BrokenPipeError:  # the reader has closed the pipe (`ledgerflow tail ... | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.strerror}: {error.filename}" if error.filename else str(error), EXIT_FAILED)
    except KeyboardInterrupt:
        return _fail("stopped", EXIT_INTERRUPTED)


def _fail(message: str, code: int) -> int:
    shown = escaped(message.rstrip("\n"))
    screen(stderr=True).print("error:", shown, style="red", markup=False, soft_wrap=True)
    return code


def _with_hint(error: Any) -> str:
    """Return the message of an error; for a usage error in one line, with the command that shows help."""
    message = " ".join(str(error.format_message()).split())
    context = getattr(error, "ctx", None)
    if context is None:
        return str(error.format_message())
    return f"{message.rstrip('.')} (see `{context.command_path} --help`)"
