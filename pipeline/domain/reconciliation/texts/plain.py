"""Plain text: capital letters and digits, without accents; what every other form of a text begins with."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

TEXT_CHARS_MAX = 1_000
"""What is longer is cut here, which bounds the work for a text."""

_SPLIT_LETTERS = str.maketrans(
    {"ß": "SS", "Æ": "AE", "æ": "AE", "Ø": "O", "ø": "O", "Œ": "OE", "œ": "OE", "Ł": "L", "ł": "L"}
)
_BETWEEN = re.compile(r"[\W_]+")
_RUN = re.compile(r"[^\W_]+")
_COMPACT = {code: chr(code).upper() if chr(code).isalnum() else None for code in range(128)}
"""What ASCII characters are in compact text."""


def plain(text: str) -> str:
    """Return a text in capital letters, its accents left out; at most TEXT_CHARS_MAX characters of it."""
    text = text[:TEXT_CHARS_MAX]
    if text.isascii():
        return text.upper()
    decomposed = unicodedata.normalize("NFKD", text.translate(_SPLIT_LETTERS))
    return "".join(one for one in decomposed if not unicodedata.combining(one)).upper()


def runs(text: str) -> list[str]:
    """Return the runs of letters and digits of a plain text, in its order."""
    return _RUN.findall(text)


def first_runs(text: str, count: int) -> Iterator[str]:
    """Yield the first runs of letters and digits of a plain text, at most `count`."""
    return (match[0] for match in islice(_RUN.finditer(text), count))


def compact(text: str) -> str:
    """Return the letters and digits of a text in plain form, and nothing between them."""
    if text.isascii():
        return text[:TEXT_CHARS_MAX].translate(_COMPACT)
    return _BETWEEN.sub("", plain(text))
