"""Plain text: capital letters and digits, without accents; what every other form of a text begins with."""

from __future__ import annotations

import re
import unicodedata

TEXT_CHARS_MAX = 1_000
"""What is longer is cut here, which bounds the work for a text."""

_SPLIT_LETTERS = str.maketrans(
    {"ß": "SS", "Æ": "AE", "æ": "AE", "Ø": "O", "ø": "O", "Œ": "OE", "œ": "OE", "Ł": "L", "ł": "L"}
)
_BETWEEN = re.compile(r"[\W_]+")


def plain(text: str) -> str:
    """Return a text in capital letters, its accents left out; at most TEXT_CHARS_MAX characters of it."""
    text = text[:TEXT_CHARS_MAX]
    if text.isascii():
        return text.upper()
    decomposed = unicodedata.normalize("NFKD", text.translate(_SPLIT_LETTERS))
    return "".join(one for one in decomposed if not unicodedata.combining(one)).upper()


def runs(text: str) -> list[str]:
    """Return the runs of letters and digits of a plain text, in its order."""
    return [one for one in _BETWEEN.split(text) if one]


def compact(text: str) -> str:
    """Return the letters and digits of a plain text, and nothing between them."""
    return text if text.isalnum() else _BETWEEN.sub("", text)
