"""The command line, `ledgerflow`: one command or group of commands per file; entry.py puts them together."""

from __future__ import annotations

from pipeline.runtime import interrupts


def program() -> int:
    """Be the program `ledgerflow`: run the process's command; return the exit code.

    It can be interrupted at any moment: what takes long to import is imported once that is so.
    """
    interrupts.begin()
    from pipeline.cli.entry import ended, run

    return ended(lambda: interrupts.interruptible(run))
