"""Markdown as the documents have it: tables, headings, links, code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"!?\[(?:[^\]\\]|\\.)*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block of code."""

    language: str
    text: str


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; a `|` in a cell is escaped."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join("| " + " | ".join(_cell(cell) for cell in line) + " |\n" for line in lines)


def _cell(cell: object) -> str:
    return str(cell).replace("|", "\\|").replace("\n", " ")


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a document."""
    for language, body in _FENCE.findall(text):
        yield Block(language, body)


def links(text: str) -> list[str]:
    """Return the targets of a document's links and pictures."""
    return _LINK.findall(_FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        base = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        name, count = base, 0
        while name in found:
            count += 1
            name = f"{base}-{count}"
        found.add(name)
    return found
