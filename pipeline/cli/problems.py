"""How a command fails: one line that says what is wrong and how to put it right, and an exit code.

0 done, 1 something did not answer or does not hold, 2 bad input, 130 and 143 stopped by a signal.
"""

from __future__ import annotations

from typer import TyperException

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2


class Failed(TyperException):
    """Something that a command needs does not answer or does not do what it must. Exit code 1."""

    exit_code = EXIT_FAILED


class BadInput(TyperException):
    """What the user gave cannot be used. Exit code 2."""

    exit_code = EXIT_BAD_INPUT
