"""Where the values of a TOML text stand, so that an error can point into the file.

`tomllib` reads TOML and forgets the places. This walks over a text that it has read already, so all of it is
valid; a value that is not found (an inline table) has no place, and the error then names its table alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_BARE = re.compile(r"[^=\n]*")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}
_HEX = {"x": 2, "u": 4, "U": 8}


class Place(NamedTuple):
    """A key or the header of a table: one of an array of tables by its number."""

    table: str
    number: int
    """Of the tables of this name, from 0; of a plain table, and of the text itself, 0."""
    key: str
    """Empty: the header."""


def places_of(text: str) -> dict[Place, int]:
    """Return where each value begins, and each header, in characters from the start of the text."""
    found: dict[Place, int] = {}
    numbers: dict[str, int] = {}
    table, at = "", 0
    while at < len(text):
        sign = text[at]
        if sign in " \t\r\n":
            at += 1
        elif sign == "#":
            at = _line_end(text, at)
        elif sign == "[":
            end = _line_end(text, at)
            table = text[at:end].partition("#")[0].strip().strip("[] \t").strip("\"'")
            numbers[table] = numbers.get(table, -1) + 1
            found[Place(table, numbers[table], "")] = at
            at = end
        else:
            at = _key(text, at, table, numbers.get(table, 0), found)
    return found


def _key(text: str, at: int, table: str, number: int, found: dict[Place, int]) -> int:
    """Add the place of a key's value; return where the value ends."""
    bare = _BARE.match(text, at)
    assert bare is not None  # it matches nothing, too
    start = bare.end() + 1
    while start < len(text) and text[start] in " \t":
        start += 1
    found.setdefault(Place(table, number, bare.group().strip().strip("\"'")), start)
    return max(_value_end(text, start), at + 1)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _value_end(text: str, at: int) -> int:
    depth = 0
    while at < len(text):
        sign = text[at]
        if sign in "\"'":
            at = _string_end(text, at)
            continue
        if sign == "\n" and depth == 0:
            break
        if sign == "#":
            at = _line_end(text, at)
            continue
        depth += (sign in "[{") - (sign in "]}")
        at += 1
    return at


def _string_end(text: str, at: int) -> int:
    quote = text[at]
    marks = quote * 3 if text.startswith(quote * 3, at) else quote
    at += len(marks)
    while at < len(text) and not text.startswith(marks, at):
        at += 2 if text[at] == "\\" and quote == '"' else 1
    at += len(marks)
    if len(marks) == 3:  # up to two quotes more belong to the text
        while text.startswith(quote, at):
            at += 1
    return at


def characters_of(text: str, at: int) -> tuple[str, list[int]]:
    """Return the string that begins at a place, and where in the text each of its characters stands.

    The list has one place more, of the end. Empty if there is no string.
    """
    if at >= len(text) or text[at] not in "\"'":
        return "", []
    quote, end = text[at], _string_end(text, at)
    width = 3 if text.startswith(quote * 3, at) else 1
    at, end = at + width, end - width
    if width == 3 and text.startswith("\n", at):
        at += 1
    said: list[str] = []
    places: list[int] = []
    while at < end:
        sign, length = (text[at], 1) if quote == "'" or text[at] != "\\" else _unescaped(text, at)
        if sign:
            said.append(sign)
            places.append(at)
        at += length
    return "".join(said), [*places, end]


def _unescaped(text: str, at: int) -> tuple[str, int]:
    """Return what an escape stands for, and its length; nothing for a line that goes on on the next one."""
    letter = text[at + 1 : at + 2]
    if letter in _HEX:
        digits = text[at + 2 : at + 2 + _HEX[letter]]
        return chr(int(digits, 16)), 2 + len(digits)
    if letter in _ESCAPES:
        return _ESCAPES[letter], 2
    end = at + 1
    while end < len(text) and text[end] in " \t\r\n":
        end += 1
    return "", end - at
