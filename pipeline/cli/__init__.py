"""The command line, `ledgerflow`: one command or group of commands per file; entry.py puts them together."""

from __future__ import annotations

from pipeline.runtime import interrupts


def program() -> int:
    """Run the program `ledgerflow` with the arguments of the process; return the exit code.

    It can be interrupted at any moment: signals are handled before the imports that take long.
    """
    interrupts.begin()
    from pipeline.cli.entry import exit_code_of, run

    return exit_code_of(lambda: interrupts.interruptible(run))
