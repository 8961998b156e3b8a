"""Word tokens of free text: what two descriptions of one payment are compared by.

Tokens are compared for equality only, so they may also be keyed hashes. A word that a bank has cut short is
just one more word. Order is kept a little by pairs: neighbours of at most PAIR_CHARS_MAX letters each, as
initials are, are joined to a token of their own (`J B` is `J`, `B` and `J+B`).
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.domain.reconciliation.texts.plain import plain, runs

WORDS_MAX = 24
"""Tokens of an item; those in front count."""
WORD_CHARS_MAX = 32
"""A longer word is cut here."""
PAIR_CHARS_MAX = 3


def word_tokens(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the word tokens of some texts: sorted, each once, at most WORDS_MAX."""
    found: dict[str, None] = {}
    for text in texts:
        before = ""
        for run in runs(plain(text)):
            word = run[:WORD_CHARS_MAX]
            found.setdefault(word)
            if before and len(before) <= PAIR_CHARS_MAX and len(word) <= PAIR_CHARS_MAX:
                found.setdefault(f"{before}+{word}")
            before = word
            if len(found) >= WORDS_MAX:
                return tuple(sorted(list(found)[:WORDS_MAX]))
    return tuple(sorted(found))
