"""Ctrl-C at any moment of a program: one line and exit code 130, never a traceback.

Most of a start is imports, a second of them or more. An interrupt there is a traceback through modules of
others, or whatever error they make of it. So the first act of a program, before it imports anything else, is
`begin`; and this file imports next to nothing.

Before its first line the interpreter is in charge, for some hundredths of a second. Who starts a program and
cannot accept even that blocks SIGINT first (`hold`): the system keeps it, over an exec too, until `begin`
lets it through.

    begin: ends the process -> in `interruptible`: KeyboardInterrupt -> ends the process -> exit: ignored
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

EXIT_INTERRUPTED = 130
UMASK = 0o077
"""The rights that no file of ours gives: those of everybody but its owner."""
BEFORE_IT_BEGAN = "error: stopped before it began"

Result = TypeVar("Result")

_begun = False


def begin() -> None:
    """Be a program: from now on an interrupt ends it, with a line on standard error. Its first act.

    What it writes, and every process that it starts, is its owner's alone. A SIGINT that is ignored, as a
    shell has it for its background jobs, stays ignored.
    """
    global _begun
    os.umask(UMASK)
    _end_at_once(BEFORE_IT_BEGAN)
    _begun = True
    atexit.register(_ignore)  # the first to be registered is the last to be run
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def interruptible(command: Callable[[], Result]) -> Result:
    """Run a command, in which an interrupt is a KeyboardInterrupt; after it one ends the process at once.

    In a process that did not `begin`, such as one that runs tests, interrupts stay as they are.
    """
    if not _begun:
        return command()
    try:
        _handle_by(signal.default_int_handler)
        return command()
    finally:
        _end_at_once()


def _end_at_once(line: str = "") -> None:
    """Have an interrupt end the process without any cleaning up: nothing must be under way."""

    def end(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            os.write(2, f"{line}\n".encode() if line else b"")
        os._exit(EXIT_INTERRUPTED)

    _handle_by(end)


def _ignore() -> None:
    """Let the interpreter take itself down; an interrupt would change the exit code of what is done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def hold() -> None:
    """Keep interrupts that come from now on for the program that takes this one's place."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _handle_by(handler: signal._HANDLER) -> None:
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)
