"""What commands write to: streams and consoles on which no text from outside is obeyed.

    typer.echo, print   -> `guarded` streams, which escape everything but line breaks
    tables and messages -> `screen()` and its `Table`, which escape texts and then style them

Consoles are as wide as the terminal; for a file or pipe wide enough for a whole line. A table whose columns
do not fit into a terminal side by side is shown row by row, a line for each column: nothing is cut.
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
        """Print as Rich does; tables so that they fit."""
        super().print(*map(self._fitting, objects), **options)

    def _fitting(self, one: Any) -> Any:
        if isinstance(one, Table) and self.is_terminal and not one.fits(self):
            return one.row_by_row()
        return escaped_lines(one) if isinstance(one, str) else one


class Table(table.Table):
    """A table whose cells are escaped. A cell wraps between words; one of a column that folds does not."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row as Rich does."""
        super().add_row(*(escaped(cell) if isinstance(cell, str) else cell for cell in cells), **options)

    def fits(self, console: Console) -> bool:
        """Return whether the columns fit side by side; see that only those of prose give way."""
        needed = 0
        for column in self.columns:
            column.no_wrap = column.no_wrap or column.overflow == "fold"
            width = self._measure_column(console, console.options, column)
            needed += width.maximum if column.no_wrap else width.minimum
        return needed <= console.width

    def row_by_row(self) -> table.Table:
        """Return the same rows, a line for each cell that is not empty; a blank line ends each row."""
        lines = Table(show_header=False, box=None, pad_edge=False)
        lines.add_column(no_wrap=True, style=self.header_style)
        lines.add_column(overflow="fold")
        cells = zip(*(column.cells for column in self.columns), strict=True)
        for row in cells:
            for column, cell in zip(self.columns, row, strict=True):
                if cell != "":
                    table.Table.add_row(lines, column.header, cell)
            table.Table.add_row(lines, "", "")
        return lines


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
