"""The parent of a Java process, with a small program in its place: it ends it, and says nothing itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import psutil

from pipeline.runtime.local import guardian
from tests.progress import SILENCE_S, ended

SLEEPS = [sys.executable, "-I", "-c", "import time; time.sleep(600)"]
SIGTERM_CODE = 128 + 15


def guarded(folder: Path, command: list[str], output: int | IO[bytes]) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-I", guardian.__file__, str(folder / "log"), *command]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE)


def test_it_says_the_process_id_and_ends_with_the_code_of_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-c", "import os; print(os.getpid()); raise SystemExit(7)"]
    with guarded(tmp_path, command, subprocess.PIPE) as process:
        assert process.stdout is not None
        said = int(process.stdout.readline())
        assert ended(process) == 7
    assert int((tmp_path / "log").read_text()) == said


def test_a_process_whose_owner_goes_away_is_ended(tmp_path: Path) -> None:
    with guarded(tmp_path, SLEEPS, subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        child = psutil.Process(int(process.stdout.readline()))
        process.stdin.close()
        assert ended(process) == SIGTERM_CODE
        assert not child.is_running()


def test_an_owner_that_goes_away_before_it_knows_the_process_id_is_noticed_too(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a start: nobody reads any more what the guardian says."""
    reader, writer = os.pipe()
    os.close(reader)
    with guarded(tmp_path, SLEEPS, writer) as process:
        os.close(writer)
        _, err = process.communicate(timeout=SILENCE_S)  # closes the pipe that stands for the owner
    assert (process.returncode, err) == (SIGTERM_CODE, b"")
