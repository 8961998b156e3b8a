"""Remittance information: what the text of a payment refers to, split as ISO 20022 splits it.

    reference --> creditor_reference (structured: ISO 11649, with valid check digits)
              --> remittance_text    (unstructured: the rest)

A creditor reference is `RF`, two check digits and 1 to 21 letters or digits: the number by which a creditor
finds the invoice that a payment is for. On the wire it is compact and in upper case: `RF18539007547034`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

TEXT_CHARS_MAX = 140
"""The longest text of ISO 20022 (Max140Text). Longer ones are not searched, which bounds the work."""
GROUP_CHARS = 4
"""On paper a reference is written in groups of four characters; only the last group may be shorter."""
_GROUPS_MAX = 7

_COMPACT = re.compile("RF[0-9]{2}[A-Z0-9]{1,21}")
_START = re.compile("[Rr][Ff][0-9]{2}")
_WORD = re.compile("[A-Za-z0-9]+")
_MAYBE = "(^| )[Rr][Ff][0-9][0-9]"
"""Matches every text that contains a reference (RE2 syntax); the others need no further search."""
_AS_DIGITS = {ord(letter): str(number) for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10)}


class Remittance(NamedTuple):
    """A reference split in two parts; None where there is no such part."""

    creditor_reference: str | None
    remittance_text: str | None


def is_creditor_reference(text: str) -> bool:
    """Return whether `text` is a creditor reference as it stands on the wire.

    Source: ISO 11649, check digits by ISO 7064 MOD 97-10. These are 02 to 98: 00, 01 and 99 have the same
    remainder as 97, 98 and 02, and are never issued.
    """
    if _COMPACT.fullmatch(text) is None or not 2 <= int(text[2:4]) <= 98:
        return False
    return int((text[4:] + text[:4]).translate(_AS_DIGITS)) % 97 == 1


def creditor_reference(body: str) -> str:
    """Return the creditor reference of 1 to 21 digits and upper-case letters: with `RF` and check digits."""
    remainder = int(f"{body}RF00".translate(_AS_DIGITS)) % 97
    return f"RF{98 - remainder:02}{body}"


def split(reference: str) -> Remittance:
    """Split the reference of a payment from before the two fields existed.

    Only spaces separate words. A creditor reference is one word, or several words as on paper:
    `RF18 5390 0754 7034`; upper or lower case. It is accepted if its check digits are valid and

    1. the whole text is this reference, or else
    2. the text contains this reference and no other one.

    If a text contains two references, none is taken: a program cannot know which one is meant. With a
    reference, `remittance_text` is the other words, joined by single spaces. Without one it is the unchanged
    text. It is None if only spaces are left. No word is ever lost.
    """
    words = [word for word in reference.split(" ") if word]
    readings = list(_readings(words)) if len(reference) <= TEXT_CHARS_MAX else []
    whole = [found for found, start, stop in readings if (start, stop) == (0, len(words))]
    if whole:
        return Remittance(whole[0], None)
    if len({found for found, _, _ in readings}) != 1:
        return Remittance(None, reference if words else None)
    used = {at for _, start, stop in readings for at in range(start, stop)}
    rest = " ".join(word for at, word in enumerate(words) if at not in used)
    return Remittance(readings[0][0], rest or None)


def split_column(references: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return `split` of a column (string, no nulls) as two: creditor references and remittance texts."""
    blank = pc.equal(pc.utf8_trim(references, " "), "")
    texts = pc.if_else(blank, pa.scalar(None, pa.string()), references)
    found = pa.nulls(len(references), pa.string())
    maybe = pc.match_substring_regex(references, _MAYBE)
    parts = [split(reference) for reference in references.filter(maybe).to_pylist()]
    if not parts:
        return found, texts
    creditors, rests = (pa.array(part, pa.string()) for part in zip(*parts, strict=True))
    return pc.replace_with_mask(found, maybe, creditors), pc.replace_with_mask(texts, maybe, rests)


def _readings(words: list[str]) -> Iterator[tuple[str, int, int]]:
    """Yield each creditor reference in compact form, and its range of words: start, stop."""
    for start, word in enumerate(words):
        if _START.match(word) is None:
            continue
        stops = _ends_of_groups(words, start) if len(word) == GROUP_CHARS else [start + 1]
        for stop in stops:
            compact = "".join(words[start:stop])
            if _WORD.fullmatch(compact) and is_creditor_reference(compact.upper()):
                yield compact.upper(), start, stop


def _ends_of_groups(words: list[str], start: int) -> Iterator[int]:
    """Yield the possible ends of a reference on paper: after each group, up to one that is not of four."""
    for stop in range(start + 2, min(start + _GROUPS_MAX, len(words)) + 1):
        size = len(words[stop - 1])
        if size <= GROUP_CHARS:
            yield stop
        if size != GROUP_CHARS:
            return
