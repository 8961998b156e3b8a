"""How a run of `up` takes signals: none is lost, whatever it interrupts."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from pipeline.cli.stopping import Signals


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Signals that are taken; afterwards they are as before."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    taken = Signals()
    taken.install()
    yield taken
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_interrupts_and_the_second_is_only_noted(signals: Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert (signals.received, signals.exit_code) == ([signal.SIGTERM, signal.SIGINT], 143)


def test_a_signal_whose_interrupt_a_callback_has_swallowed_is_not_lost(signals: Signals) -> None:
    signals.raise_if_received()
    with contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signals.raise_if_received()


def test_a_run_that_is_interrupted_before_it_takes_signals_ends_as_by_ctrl_c() -> None:
    assert Signals().exit_code == 130
