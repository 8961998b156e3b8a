"""What commands write to: streams and consoles on which no text from outside is obeyed.

    typer.echo, print   -> `guarded` streams, which escape everything but line breaks
    tables and messages -> `screen()` and its `Table`, which escape texts and then style them

Consoles are as wide as the terminal; for a file or pipe wide enough for a whole line.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from rich import table
from rich.console import Console

from pipeline.runtime.escaping import EscapingStream, escaped, escaped_lines

PIPE_COLUMNS = 240


class Screen(Console):
    """A console whose texts are escaped; what is no text (a `Text`, a table) is escaped where it is made."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as Rich does."""
        super().print(*(escaped_lines(one) if isinstance(one, str) else one for one in objects), **options)


class Table(table.Table):
    """A table whose cells are escaped."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row as Rich does."""
        super().add_row(*(escaped(cell) if isinstance(cell, str) else cell for cell in cells), **options)


def screen(*, stderr: bool = False) -> Screen:
    """Return a console on standard output (or error) without automatic highlighting."""
    stream = sys.stderr if stderr else sys.stdout
    console = Screen(file=getattr(stream, "rich_proxied_file", stream), stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_COLUMNS
    return console


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Escape whatever is written to standard output and error meanwhile, but for line breaks."""
    streams = sys.stdout, sys.stderr
    guards: Any = EscapingStream(sys.stdout), EscapingStream(sys.stderr)
    sys.stdout, sys.stderr = guards
    try:
        yield
    finally:
        if (sys.stdout, sys.stderr) == guards:
            sys.stdout, sys.stderr = streams
