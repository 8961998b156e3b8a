"""Ctrl-C at any moment of a program: one line and exit code 130, never a traceback.

Most of a start is imports, a second of them or more. An interrupt there is a traceback through modules of
others, or whatever error they make of it. So the first act of a program, before it imports anything else, is
`end_at_once`. It imports next to nothing for that reason.

Before its first line the interpreter is in charge, for some hundredths of a second. Who starts a program and
cannot accept even that blocks SIGINT first (`hold`): it is kept by the system, over an exec too, until
`end_at_once` lets it through.
"""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType

EXIT_INTERRUPTED = 130


def end_at_once(line: str = "") -> None:
    """From now on an interrupt ends the process at once, with a line on standard error if there is one.

    Nothing is cleaned up: call it where nothing is under way. A SIGINT that is ignored stays ignored.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            os.write(2, f"{line}\n".encode() if line else b"")
        os._exit(EXIT_INTERRUPTED)

    _handle_by(end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def raise_each() -> None:
    """From now on an interrupt is a KeyboardInterrupt in the main thread, as Python has it by default."""
    _handle_by(signal.default_int_handler)


def ignore() -> None:
    """From now on an interrupt does nothing: what is left of the program ends by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def hold() -> None:
    """Keep interrupts that come from now on for the program that takes this one's place."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _handle_by(handler: signal._HANDLER) -> None:
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)
