"""The most memory that this process has had."""

from __future__ import annotations

from pathlib import Path


def peak_kb() -> int:
    """Return it in kB.

    That of `getrusage` begins with what the process had that started this one, and says little where that
    is large.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])
