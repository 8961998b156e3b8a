"""Waiting in tests: for as long as something moves, not for so many seconds.

A slow machine and a program that has stopped differ in one thing: on the slow machine figures still move. A
wait is given such a figure (`moving`: records counted, the length of a log), and fails only after a long
silence, in which neither what is waited for has come nor the figure has changed. Without a figure the silence
alone is the bound: it is there to end a test that hangs, and far above what anything takes.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil

SILENCE_S = 240.0
"""How long nothing may move. A test that passes never waits for it."""
STILL_S = 1.0
"""For how long a count must be the same to be believed."""
LOOK_EVERY_S = 0.1

Found = TypeVar("Found")


def wait_for(
    look: Callable[[], Found | None],
    what: str,
    moving: Callable[[], object] = lambda: None,
    silence_s: float = SILENCE_S,
) -> Found:
    """Return what `look` finds, once it finds something.

    Raises AssertionError after `silence_s` seconds in which the figure `moving` has not changed.
    """
    figure, moved_at = moving(), time.monotonic()
    while not (found := look()):
        later, now = moving(), time.monotonic()
        if later != figure:
            figure, moved_at = later, now
        assert now - moved_at < silence_s, f"nothing has moved for {silence_s:.0f} s: {what} (at {figure})"
        time.sleep(LOOK_EVERY_S)
    return found


def eventually(condition: Callable[[], object]) -> None:
    """Wait until a condition holds that has no figure beside it."""
    wait_for(condition, "a condition that is to hold at last")


def wait_until_still(look: Callable[[], Found], still_s: float = STILL_S) -> Found:
    """Return what `look` finds, once it has found the same for `still_s` seconds.

    Raises AssertionError if it never does: after SILENCE_S seconds.
    """
    found, since = look(), time.monotonic()
    started = since
    while (now := time.monotonic()) - since < still_s:
        assert now - started < SILENCE_S, f"it does not stand still: {found}"
        time.sleep(LOOK_EVERY_S)
        if (later := look()) != found:
            found, since = later, time.monotonic()
    return found


def wait_until_gone(processes: Sequence[psutil.Process]) -> None:
    """See that processes end by themselves, one after another."""
    alive = list(processes)

    def left() -> int:
        alive[:] = psutil.wait_procs(alive, timeout=0)[1]
        return len(alive)

    wait_for(lambda: left() == 0, "processes that are to end", lambda: len(alive))


def run(
    command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and return it with what it has written; a command that hangs is ended."""
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=SILENCE_S)


def ended(process: subprocess.Popen[Any]) -> int:
    """Wait until a process has ended; return its exit code."""
    return process.wait(SILENCE_S)
