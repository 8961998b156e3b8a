"""What an endless run hears of its payments while it goes on; it waits where the ledger is far behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from pipeline.loadgen.generator import TrafficGenerator
from pipeline.loadgen.watches import Hearer, PaymentWatch

ANSWERS_WITHIN_S = 120.0
"""A ledger that has said nothing for so long is not waited for: probably no worker runs."""
LOOK_S = 0.1


class Hearing:
    """Reads fraud-commands, payment-events and reconciliation-results from now on. A context manager."""

    def __init__(
        self, traffic: TrafficGenerator, watch: Callable[[str, Hearer], PaymentWatch], stop: threading.Event
    ) -> None:
        """`watch`: makes what reads a topic."""
        self._traffic, self._stop = traffic, stop
        with ExitStack() as opened:
            self._receipts = opened.enter_context(watch("fraud-commands", traffic.receipts))
            self._answers = opened.enter_context(watch("payment-events", traffic.pace.answers))
            self._results = opened.enter_context(watch("reconciliation-results", traffic.people))
            self._open = opened.pop_all()

    def hear(self, on_wait: Callable[[], None]) -> float:
        """Take what has come; wait while the run is ahead of the ledger. Return for how long, seconds."""
        self._receipts.hear()
        self._answers.hear()
        self._results.hear()
        began = time.monotonic()
        while self._traffic.is_ahead and not self._stop.is_set():
            if time.monotonic() - self._answers.heard_at > ANSWERS_WITHIN_S:
                self._traffic.give_up()
                break
            on_wait()
            self._stop.wait(LOOK_S)
            self._answers.hear()
        return time.monotonic() - began

    def __enter__(self) -> Hearing:
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()
