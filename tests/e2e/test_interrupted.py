"""Ctrl-C at every moment of a start: one line, exit code 130, no traceback.

The interpreter itself takes some hundredths of a second until it comes to a program's first line, and what an
interrupt does there is its own affair. These tests keep it out: they block SIGINT before the program starts,
as the system allows, and the program lets it through as its first act. So each moment counts, from 0 on.

A program keeps ignoring what is ignored when it starts, and a shell starts its background jobs that way. So
that these tests find the same there, each says itself how SIGINT is to be at the start of its command.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.cli.endpoints import Endpoints, WorkerEndpoint
from pipeline.runtime import interrupts
from pipeline.runtime.folders import own_folder
from pipeline.runtime.settings import load_settings
from tests.e2e.running_up import CLI, ROOT, Ended
from tests.progress import SILENCE_S

MOMENTS_S = (
    *(0.0, 0.06, 0.35, 0.9),
    *(pytest.param(moment_s, marks=pytest.mark.long) for moment_s in (0.01, 0.03, 0.1, 0.2, 0.6, 1.5)),
)
"""From the first instruction until all is imported and the command waits for what does not come."""
NOBODY = "127.0.0.1:9"
BEFORE_IT_BEGAN = f"{interrupts.BEFORE_IT_BEGAN}\n"


def _as_in_a_foreground_job_but_held() -> None:
    """Between fork and exec: an interrupt ends the program, and waits until that lets it through."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def interrupted(command: Sequence[str], moment_s: float, data_dir: Path) -> Ended:
    """Start a command with SIGINT blocked, interrupt it so long after, wait until it has ended."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "LEDGERFLOW_DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_as_in_a_foreground_job_but_held,
    )
    time.sleep(moment_s)  # nothing is waited for: the moment is what is tried
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SILENCE_S)
    return Ended(process.returncode, out, err)


@pytest.mark.parametrize("moment_s", MOMENTS_S)
def test_a_command_that_is_interrupted_says_one_line(moment_s: float, tmp_path: Path) -> None:
    worker = WorkerEndpoint(os.getpid(), f"http://{NOBODY}")  # it is not ready, for as long as one looks
    Endpoints(NOBODY, f"http://{NOBODY}", (worker,), os.getpid()).write(tmp_path)
    ended = interrupted([*CLI, "switch"], moment_s, tmp_path)
    assert (ended.code, ended.out) == (130, "")
    assert ended.err in {BEFORE_IT_BEGAN, "error: stopped\n"}


@pytest.mark.parametrize("moment_s", MOMENTS_S)
def test_a_worker_that_is_interrupted_before_it_takes_part_says_one_line(
    moment_s: float, tmp_path: Path
) -> None:
    with own_folder(load_settings(data_dir=tmp_path), 0, 0.0):  # it waits for its folder
        ended = interrupted([sys.executable, "-m", "topologies.worker"], moment_s, tmp_path)
    assert ended == Ended(130, "", BEFORE_IT_BEGAN)


def test_an_interrupt_that_is_ignored_stays_ignored() -> None:
    process = subprocess.Popen(
        [*CLI, "version"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as a shell's background jobs
    )
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert process.returncode == 0
