"""An encrypted text with what streams may compare of it, as one text: it stands where the text would.

    pt1;<envelope>;r=<token>;i=<token>,<token>;w=<token>,<token>;c=0;o=125000USD

Tokens are keyed hashes that `pipeline/personal` makes of normal forms. They are compared for equality only,
as normal forms are, so what matches texts reads them in the place of the text. The envelope is not read here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PREFIX = "pt1;"
REFERENCES_MAX = 8
WORDS_MAX = 24
AMOUNTS_MAX = 2
TOKEN_CHARS = 22
"""128 bits in base64url."""

_TOKEN = f"[A-Za-z0-9_-]{{{TOKEN_CHARS}}}"


def _listed(one: str, count_max: int) -> str:
    return f"((?:{one}(?:,{one}){{0,{count_max - 1}}})?)"


_FORM = re.compile(
    PREFIX
    + r"(p1\.[A-Za-z0-9_.-]{1,22000})"
    + f";r=({_TOKEN}|)"
    + f";i={_listed(_TOKEN, REFERENCES_MAX)}"
    + f";w={_listed(_TOKEN, WORDS_MAX)}"
    + ";c=([01])"
    + f";o={_listed('[0-9]{1,18}[A-Z]{3}', AMOUNTS_MAX)}"
)


class ProtectedText(NamedTuple):
    """What an encrypted text says in the clear."""

    envelope: str
    """The text, encrypted."""
    reference: str = ""
    """The token of the text as one reference; empty where it is none, or a placeholder."""
    references: tuple[str, ...] = ()
    """The tokens of the references inside the text, in its order; at most REFERENCES_MAX."""
    words: tuple[str, ...] = ()
    """The tokens of its words, in its order; at most WORDS_MAX."""
    says_charge: bool = False
    """Whether it begins as the text of a fee does."""
    amounts: tuple[tuple[int, str], ...] = ()
    """The first amount that it names, minor units and currency, and the first in another currency."""

    def text(self) -> str:
        """Return it as one text."""
        amounts = ",".join(f"{minor}{currency}" for minor, currency in self.amounts)
        return (
            f"{PREFIX}{self.envelope};r={self.reference};i={','.join(self.references)}"
            f";w={','.join(self.words)};c={int(self.says_charge)};o={amounts}"
        )


def protected_text(text: str) -> ProtectedText | None:
    """Return what an encrypted text says in the clear; None of any other text."""
    if not text.startswith(PREFIX):
        return None
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    envelope, reference, references, words, charge, amounts = found.groups()
    return ProtectedText(
        *(envelope, reference, _split(references), _split(words), charge == "1"),
        tuple((int(one[:-3]), one[-3:]) for one in _split(amounts)),
    )


def _split(listed: str) -> tuple[str, ...]:
    return tuple(listed.split(",")) if listed else ()
