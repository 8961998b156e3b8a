"""How a run of `up` is told to end."""

from __future__ import annotations

import signal
from types import FrameType


class Signals:
    """SIGINT, SIGTERM and SIGHUP. The first one ends the run in good order, the second one hurries it."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.interrupting = True
        """Whether the next signal interrupts what is being waited for."""

    def install(self) -> None:
        """Take the signals from now on."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._take)

    @property
    def exit_code(self) -> int:
        """The exit code of a run that was interrupted; by Python itself, where no signal was taken."""
        return 128 + (self.received or [signal.SIGINT])[0]

    def raise_if_received(self) -> None:
        """Raise KeyboardInterrupt if a signal has come whose own was lost: in a callback it ends nothing."""
        if self.received:
            self.interrupting = False
            raise KeyboardInterrupt

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)
        if self.interrupting:
            self.interrupting = False  # once: what cleans up behind must not be interrupted
            raise KeyboardInterrupt
