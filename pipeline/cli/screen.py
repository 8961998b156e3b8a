"""Where commands write: a terminal as wide as it is; a file or a pipe wide enough for whole rows."""

from __future__ import annotations

from rich.console import Console

PIPE_COLUMNS = 240


def screen(*, stderr: bool = False) -> Console:
    """Return a console on standard output (or error) that colours nothing by itself."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_COLUMNS
    return console
