"""Word tokens of free text: what two descriptions of one payment are compared by.

Tokens are compared for equality only, so they may also be keyed hashes. A word that a bank has cut short is
just one more word. Order is kept a little by pairs: neighbours of at most PAIR_CHARS_MAX letters each, as
initials are, are joined to a token of their own (`J B` is `J`, `B` and `J+B`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.domain.kernel.protected_texts import WORDS_MAX, protected_text
from pipeline.domain.reconciliation.texts.plain import plain, runs

WORD_CHARS_MAX = 32
"""A longer word is cut here."""
PAIR_CHARS_MAX = 3


def word_tokens(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the word tokens of some texts: sorted, each once, at most WORDS_MAX."""
    found: dict[str, None] = {}
    for text in texts:
        for token in tokens_in_order(text):
            found.setdefault(token)
            if len(found) >= WORDS_MAX:
                return tuple(sorted(found))
    return tuple(sorted(found))


def tokens_in_order(text: str) -> Iterator[str]:
    """Yield the word tokens of a text in its order, as often as they come; those of an encrypted text."""
    if (protected := protected_text(text)) is not None:
        yield from protected.words
        return
    before = ""
    for run in runs(plain(text)):
        word = run[:WORD_CHARS_MAX]
        yield word
        if before and len(before) <= PAIR_CHARS_MAX and len(word) <= PAIR_CHARS_MAX:
            yield f"{before}+{word}"
        before = word
