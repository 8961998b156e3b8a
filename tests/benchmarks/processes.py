"""Runs one measured process to its end, and watches how much memory it takes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 600.0
SAMPLE_S = 0.1
MIB = 2**20


class RunFailed(RuntimeError):
    """A measured process ended without its result; the text has the end of its log."""


def run(module: str, job: dict[str, Any], log: Path) -> dict[str, Any]:
    """Run `python -m <module> <job>`; return its JSON line and `rss_mib`, its peak resident memory."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(job)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        peak = _Peak(process.pid)
        peak.start()
        try:
            output, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            output = ""
        finally:
            process.kill()
            process.wait()
            peak.join()
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise RunFailed(f"{module} gave no result (exit code {process.returncode}):\n{tail}")
    return {**json.loads(lines[-1]), "rss_mib": round(peak.peak_bytes / MIB)}


class _Peak(threading.Thread):
    """Samples the resident memory of a process until it has ended."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self.peak_bytes = 0

    def run(self) -> None:
        """Sample until the process is gone or waited for."""
        while not self._ended.wait(SAMPLE_S):
            try:
                self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)
            except psutil.Error:
                return

    def join(self, timeout: float | None = None) -> None:
        """End the sampling and wait for it."""
        self._ended.set()
        super().join(timeout)
