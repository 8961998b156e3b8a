"""XML from outside: a reader that obeys nothing in it and holds little of it.

A document type is refused, so there are no entities to expand or to fetch. Depth, elements, attributes and
texts have bounds. Elements that are asked for are handed over as they end, and then forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from xml.parsers import expat

from pipeline.statement_files.form import FileRefused, refused

DEPTH_MAX = 64
ELEMENTS_MAX = 4_000_000
HELD_MAX = 1_000_000
"""Elements that are in memory at one time."""
ATTRIBUTES_MAX = 64
TEXT_CHARS_MAX = 100_000
_ENCODINGS = ("utf-8", "utf-16", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252")


class Element:
    """An element: its name without a namespace, its attributes, its text without that of its children."""

    __slots__ = ("attributes", "children", "line", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.name, self.attributes, self.line = name, attributes, line
        self.text = ""
        self.children: list[Element] = []

    def all(self, path: str) -> Iterator[Element]:
        """Yield the elements at a path of names, such as `Refs/EndToEndId`."""
        name, _, rest = path.partition("/")
        for child in self.children:
            if child.name == name:
                if rest:
                    yield from child.all(rest)
                else:
                    yield child

    def first(self, path: str) -> Element | None:
        """Return the first element at a path; None if there is none."""
        return next(self.all(path), None)

    def told(self, *paths: str) -> str | None:
        """Return the text of the first element at one of the paths that has one."""
        for path in paths:
            for found in self.all(path):
                if text := found.text.strip():
                    return text
        return None


def read_xml(data: bytes, ends: dict[str, Callable[[Element, list[Element]], None]]) -> None:
    """Read a document; call `ends[name](element, elements around it)` as an element of that name ends.

    It is taken out of the one around it before. Raises FileRefused.
    """
    reader = _Reader(ends)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _no_document_type
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.XmlDeclHandler = _known_encoding
    reader.parser = parser
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code) or "not well-formed"
        raise refused(f"line {error.lineno:,}", f"this is no XML: {what}; ask for the file again") from None
    except (LookupError, UnicodeError, ValueError) as error:
        if isinstance(error, FileRefused):
            raise
        raise refused("", "its encoding cannot be read: ask for it in UTF-8") from None


def _no_document_type(*_: Any) -> None:
    raise refused("", "it has a document type (<!DOCTYPE ...>), which no statement has: it is not read")


def _known_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in _ENCODINGS:
        raise refused("line 1", f"the encoding {encoding[:40]!r} is not read: ask for it in UTF-8")


class _Reader:
    def __init__(self, ends: dict[str, Callable[[Element, list[Element]], None]]) -> None:
        self.parser: Any = None
        self._ends = ends
        self._open: list[Element] = []
        self._elements = self._held = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the begin of an element. Raises FileRefused."""
        self._elements += 1
        self._held += 1
        line = self.parser.CurrentLineNumber
        if self._elements > ELEMENTS_MAX or self._held > HELD_MAX:
            raise refused(f"line {line:,}", "it has more elements than any statement: divide it")
        if len(self._open) >= DEPTH_MAX:
            raise refused(f"line {line:,}", f"elements are more than {DEPTH_MAX} deep: this is no statement")
        if len(attributes) > ATTRIBUTES_MAX:
            raise refused(f"line {line:,}", "an element has too many attributes: this is no statement")
        self._open.append(Element(name.rpartition(" ")[2], attributes, line))

    def characters(self, text: str) -> None:
        """Take a piece of the open element's text. Raises FileRefused."""
        element = self._open[-1]
        if len(element.text) + len(text) > TEXT_CHARS_MAX:
            raise refused(f"line {element.line:,}, {element.name[:40]}", "the text is too long")
        element.text += text

    def end(self, _name: str) -> None:
        """Take the end of the open element."""
        element = self._open.pop()
        handler = self._ends.get(element.name)
        if handler is None:
            if self._open:
                self._open[-1].children.append(element)
            return
        handler(element, self._open)
        self._held -= _size(element)


def _size(element: Element) -> int:
    count, left = 0, [element]
    while left:
        count += 1
        left += left.pop().children
    return count
