"""What is wrong with a file, in one line with its place."""

from __future__ import annotations


class FileRefused(ValueError):
    """A file that cannot be used. The text has the file, the row and the column where there are such."""


def refused(file: str, what: str, column: str | None = None, row: int | None = None) -> FileRefused:
    """Return what refuses a file. Rows count from 1, without the line of names."""
    place = "" if row is None else f"row {row:,}"
    if column is not None:
        place = f"{place}, column {column}" if place else f"column {column}"
    return FileRefused(f"{file}: {place}: {what}" if place else f"{file}: {what}")
