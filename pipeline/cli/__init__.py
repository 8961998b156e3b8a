"""The command line, `ledgerflow`: one command or group of commands per file; entry.py puts them together."""

from __future__ import annotations

import atexit

from pipeline.runtime import interrupts


def program() -> int:
    """Be the program `ledgerflow`: run the process's command; return the exit code.

    It can be interrupted at any moment: what takes long to import is imported once that is so.
    """
    interrupts.end_at_once("error: stopped before it began")
    atexit.register(interrupts.ignore)  # the last of its kind: then only the interpreter is taken down
    from pipeline.cli.entry import ended, run

    def command() -> int:
        try:
            interrupts.raise_each()
            return run()
        finally:
            interrupts.end_at_once()

    return ended(command)
