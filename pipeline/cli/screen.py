"""The consoles of commands: as wide as the terminal; for a file or pipe wide enough for a whole line."""

from __future__ import annotations

from rich.console import Console

PIPE_COLUMNS = 240


def screen(*, stderr: bool = False) -> Console:
    """Return a console on standard output (or error) without automatic highlighting."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_COLUMNS
    return console
