"""Waits of tests: a figure that moves keeps one going, silence ends it, a count must stand."""

from __future__ import annotations

import itertools
import subprocess
import sys

import psutil
import pytest

from tests.progress import wait_for, wait_until_gone, wait_until_still


def test_a_wait_goes_on_for_as_long_as_its_figure_moves() -> None:
    looks = itertools.count()
    figures = itertools.count()
    # Without the figure it would have ended after the second look.
    found = wait_for(lambda: next(looks) == 4 and "found", "it", lambda: next(figures), silence_s=0.15)
    assert found == "found"


def test_a_wait_ends_where_nothing_moves_and_says_what_for() -> None:
    with pytest.raises(AssertionError, match=r"nothing has moved for 0 s: the alert \(at 7\)"):
        wait_for(lambda: None, "the alert", lambda: 7, silence_s=0.15)


def test_a_count_is_believed_once_it_stands() -> None:
    counts = itertools.chain([9, 8, 7], itertools.repeat(7))
    assert wait_until_still(lambda: next(counts), still_s=0.25) == 7


def test_processes_that_end_are_waited_for() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.3)"])
    wait_until_gone([psutil.Process(process.pid)])
    assert process.wait() == 0
