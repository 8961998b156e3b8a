"""Text from outside, made safe to show: on a terminal, in a log, in a CSV file.

Names, ids and messages come from whoever may write to Kafka. A terminal obeys control characters, a reader is
misled by directions and by characters without width, a log by line breaks, and a spreadsheet calculates what
begins with an equals sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TextIO

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What a cell begins with that a spreadsheet takes for a formula; the last four are of full width."""
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def escaped(text: str) -> str:
    """Return a text in which every character can be seen: others are written as JSON does, such as `\\u001b`.

    That is all but letters, marks, digits, signs and the plain space: control characters (C0, C1, DEL), line
    breaks, overrides of direction, characters without width, surrogates, and what Unicode has not assigned.
    """
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(sign: str) -> str:
    if sign.isprintable():
        return sign
    if sign in _SHORT:
        return _SHORT[sign]
    code = ord(sign)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def escaped_lines(text: str) -> str:
    """Return a text of several lines of our own, such as a traceback, with each line escaped."""
    return text if text.isprintable() else "\n".join(map(escaped, text.split("\n")))


def csv_cell(value: Any) -> Any:
    """Return a value for a cell of CSV: a text is escaped, and never a formula; numbers stay as they are.

    What a spreadsheet would calculate is preceded by an apostrophe, which it shows as text.
    """
    if not isinstance(value, str):
        return value
    shown = escaped(value)
    is_formula = value.lstrip(" ").startswith(_FORMULA) and not _NUMBER.fullmatch(value)
    return f"'{shown}" if is_formula else shown


class EscapingStream:
    """A stream of text that escapes whatever is written to it, line by line.

    Rich writes past it, to `rich_proxied_file`: its own codes are not to be escaped, what it prints is
    escaped before (`pipeline.cli.screen`).
    """

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Write a text; return its length."""
        self.rich_proxied_file.write(escaped_lines(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts one after another."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)
