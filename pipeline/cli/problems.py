"""The errors of commands: one line with the problem and its remedy, and an exit code.

0 done, 1 something does not answer or a check fails, 2 bad input, 130 and 143 stopped by a signal.
"""

from __future__ import annotations

from typer import TyperException

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2


class Failed(TyperException):
    """Something that a command needs does not answer or fails. Exit code 1."""

    exit_code = EXIT_FAILED


class BadInput(TyperException):
    """An argument or option cannot be used. Exit code 2."""

    exit_code = EXIT_BAD_INPUT
