"""Workers under a limit of the operating system: a small disk of their own, or little memory.

SmallDisk: a tmpfs over the worker's folder in a mount namespace that a holder process keeps (`unshare`,
no privileges needed where the system lets users make namespaces). SmallMemory: a memory cgroup; its limit
makes the kernel kill the worker, which needs the right to make cgroups.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

DISK_MB = 192
HOLDER_S = 900
"""The holder ends by itself after this time, whatever happens to the driver."""
_COMMAND_S = 30.0
_CGROUPS = Path("/sys/fs/cgroup")


class Unavailable(RuntimeError):
    """This machine does not let us set the limit; the text says what is missing."""


class SmallDisk:
    """A disk of DISK_MB over a folder, seen only by processes that are started with `prefix`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        mount = f'mount -t tmpfs -o size={DISK_MB}m tmpfs "$1" && echo mounted && exec sleep {HOLDER_S}'
        self._holder = subprocess.Popen(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout is not None and self._holder.stderr is not None
        if self._holder.stdout.readline() != b"mounted\n":
            raise Unavailable(f"no disk of its own: {self._holder.stderr.read().decode()}")
        self.prefix = [
            *("nsenter", "--target", str(self._holder.pid), "--user", "--mount", "--preserve-credentials"),
            f"--wd={os.getcwd()}",
        ]

    def fill(self) -> None:
        """Leave no byte free."""
        filler = ["dd", "if=/dev/zero", f"of={self._folder / 'filler'}", "bs=4k"]
        done = subprocess.run([*self.prefix, *filler], capture_output=True, timeout=_COMMAND_S)
        if b"No space left" not in done.stderr:
            raise Unavailable(f"the disk does not fill: {done.stderr.decode()}")

    def free(self) -> None:
        """Give the space back."""
        command = [*self.prefix, "rm", str(self._folder / "filler")]
        subprocess.run(command, check=True, capture_output=True, timeout=_COMMAND_S)

    def close(self) -> None:
        """Let go of the disk, which ends with the last process that sees it."""
        self._holder.kill()
        self._holder.wait()


class SmallMemory:
    """A cgroup whose processes the kernel kills when they use more than its limit."""

    def __init__(self, name: str) -> None:
        second = (_CGROUPS / "cgroup.controllers").exists()
        self._path = (_CGROUPS if second else _CGROUPS / "memory") / name
        self._limit = self._path / ("memory.max" if second else "memory.limit_in_bytes")
        self._usage = self._path / ("memory.current" if second else "memory.usage_in_bytes")
        try:
            self._path.mkdir()
            self._limit.read_text()
        except OSError as error:
            raise Unavailable(f"no memory cgroup of its own ({error}): run it as root") from None
        enter = f'echo $$ > {self._path / "cgroup.procs"} && exec "$@"'
        self.prefix = ["sh", "-c", enter, "sh"]

    def squeeze(self) -> None:
        """Allow little more than what is in use now; nothing happens while the use grows faster than that."""
        with contextlib.suppress(OSError):
            self._limit.write_text(str(int(self._usage.read_text()) + 2**20))

    def allow(self, megabytes: int) -> None:
        """Allow so much."""
        self._limit.write_text(str(megabytes * 2**20))

    def close(self) -> None:
        """Remove the cgroup; nothing may run in it any more."""
        self._path.rmdir()


def missing(fault: str) -> str | None:
    """Return why a fault cannot be made on this machine, or None."""
    try:
        if fault == "disk":
            if shutil.which("unshare") is None or shutil.which("nsenter") is None:
                raise Unavailable("no unshare and nsenter (util-linux)")
            SmallDisk(Path("/mnt")).close()
        elif fault == "oom":
            SmallMemory(f"ledgerflow-chaos-{os.getpid()}").close()
    except Unavailable as why:
        return str(why)
    return None
