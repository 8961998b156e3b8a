"""Signals that end a run of `up`."""

from __future__ import annotations

import signal
from types import FrameType


class Signals:
    """SIGINT, SIGTERM and SIGHUP. The first ends the run in good order, a second one makes that shorter."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.interrupting = True
        """Whether the next signal raises KeyboardInterrupt at once."""

    def install(self) -> None:
        """Handle the signals from now on."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._take)

    @property
    def exit_code(self) -> int:
        """The exit code of an interrupted run: 128 + the first signal; SIGINT where none was handled here."""
        return 128 + (self.received or [signal.SIGINT])[0]

    def raise_if_received(self) -> None:
        """Raises KeyboardInterrupt if a signal was received.

        The one raised by the signal itself may be lost, if it came during a callback of a C library.
        """
        if self.received:
            self.interrupting = False
            raise KeyboardInterrupt

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)
        if self.interrupting:
            self.interrupting = False  # only once: the cleanup must not be interrupted
            raise KeyboardInterrupt
