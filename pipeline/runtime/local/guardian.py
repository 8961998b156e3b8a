"""A small parent for one Java process, so that none is ever left behind. A script, standard library only.

    python guardian.py LOG COMMAND...        (standard input: a pipe whose other end the owner holds)

The pipe reaches its end when the owner closes it or dies in whatever way, kill -9 included; then the guardian
asks the process to end (SIGTERM) and, after a grace period, makes it (SIGKILL). A guardian that is killed
takes the process with it on Linux (PR_SET_PDEATHSIG; the guardian has one thread, so the signal comes when
the guardian is gone, and only then). It prints the process id, and exits with the process's exit code.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys

GRACE_S = 15.0
_POLL_S = 0.2
_PR_SET_PDEATHSIG = 1


def main(log: str, command: list[str]) -> int:
    """Run `command`, output appended to `log`, until it ends or the owner is gone; return its exit code."""
    ended = False

    def end(_signal: int, _frame: object) -> None:
        nonlocal ended
        ended = True

    os.umask(0o077)  # the process and its log are the owner's alone, whoever started this
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, which decides the order of things
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    with open(log, "ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=(lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)) if libc else None,
        )
    with contextlib.suppress(BrokenPipeError):  # the owner is gone already: its end of the other pipe, too
        os.write(1, b"%d\n" % child.pid)
    os.close(1)
    while child.poll() is None and not ended:
        readable, _, _ = select.select([0], [], [], _POLL_S)
        ended = ended or bool(readable and not os.read(0, 1))
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


def killed_by(code: int) -> str | None:
    """Return the signal that ended a process, or its guardian, by the guardian's exit code; else None."""
    number = -code if code < 0 else code - 128
    return signal.Signals(number).name if number in set(signal.Signals) else None


if __name__ == "__main__":
    code = main(sys.argv[1], sys.argv[2:])
    sys.exit(code if code >= 0 else 128 - code)
