"""Makes the README's picture of a demo: `python -m tests.cli.picture [SECONDS]`; 25 by default.

Runs `ledgerflow up --demo --duration SECONDS` in a new folder, on a terminal of its own, and writes its lines
and the last screen to pipeline/cli/dashboard.svg. What the demo says after that goes to standard output. It
takes the usual ports, so nothing else may have them.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "pipeline" / "cli" / "dashboard.svg"
COLUMNS, LINES = 110, 40
READ_BYTES = 65_536
_REDRAWN = re.compile(r"\r?\x1b\[2K(?:\x1b\[1A\x1b\[2K)+")
"""What a live screen begins with, except its first one: the lines of the one before are erased."""
_NO_STYLE = re.compile(r"\x1b\[\?\d+[hl]")


def told(options: list[str], folder: Path) -> str:
    """Return all that `ledgerflow up` writes to a terminal, its signs for the terminal included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    command = [sys.executable, "-m", "pipeline.cli", "up", *options]
    there = {**os.environ, "TERM": "xterm-256color", "TZ": "UTC", "PYTHONPATH": str(ROOT)}
    there.pop("COLUMNS", None)
    process = subprocess.Popen(command, cwd=folder, env=there, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = bytearray()
    while True:
        try:
            read = os.read(ours, READ_BYTES)
        except OSError:  # the other end is closed
            break
        if not read:
            break
        said += read
    os.close(ours)
    process.wait()
    return said.decode(errors="replace")


def parts_of(said: str) -> tuple[str, str, str]:
    """Return the lines before the first screen, the last screen, and what came after it."""
    first, *later = _REDRAWN.split(_NO_STYLE.sub("", said))
    if not later:
        raise ValueError("there was no screen")
    before, _, _ = first.partition("╭")
    *screens, after = later
    return before, (screens or [first[len(before) :]])[-1], after


def drawn(text: str, title: str) -> str:
    """Return a picture of what a terminal shows, SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text))
    return console.export_svg(title=title, unique_id="ledgerflow")


def main(arguments: list[str]) -> None:
    """Make the picture."""
    options = ["--demo", "--duration", arguments[0] if arguments else "25"]
    with tempfile.TemporaryDirectory(prefix="ledgerflow-picture-") as folder:
        said = told(options, Path(folder))
    before, screen, after = parts_of(said)
    print(after)
    asked = f"$ ledgerflow up {' '.join(options)}\n"
    PICTURE.write_text(drawn(asked + before + screen, "ledgerflow up --demo"), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
