"""Remittance information: what the text of a payment refers to, split as ISO 20022 splits it.

    reference --> creditor_reference (structured: ISO 11649, its check digits proven)
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
"""What ISO 20022 lets one text have (Max140Text). A longer one is not looked into, so the work is bounded."""
GROUP_CHARS = 4
"""On paper a reference stands in groups of four; only the last one may be shorter."""
_GROUPS_MAX = 7

_COMPACT = re.compile("RF[0-9]{2}[A-Z0-9]{1,21}")
_START = re.compile("[Rr][Ff][0-9]{2}")
_WORD = re.compile("[A-Za-z0-9]+")
_MAYBE = "(^| )[Rr][Ff][0-9][0-9]"
"""What every text with a reference has (RE2): the others need no second look."""
_AS_DIGITS = {ord(letter): str(number) for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10)}


class Remittance(NamedTuple):
    """A reference in its two parts; None where there is no such part."""

    creditor_reference: str | None
    remittance_text: str | None


def is_creditor_reference(text: str) -> bool:
    """Return whether `text` is a creditor reference as it stands on the wire.

    Source: ISO 11649, check digits by ISO 7064 MOD 97-10. Those are 02 to 98: 00, 01 and 99 leave the same
    remainder as 97, 98 and 02, and nobody gives them out.
    """
    if _COMPACT.fullmatch(text) is None or not 2 <= int(text[2:4]) <= 98:
        return False
    return int((text[4:] + text[:4]).translate(_AS_DIGITS)) % 97 == 1


def creditor_reference(body: str) -> str:
    """Return the creditor reference of 1 to 21 digits and upper-case letters: with `RF` and check digits."""
    remainder = int(f"{body}RF00".translate(_AS_DIGITS)) % 97
    return f"RF{98 - remainder:02}{body}"


def split(reference: str) -> Remittance:
    """Split the reference of a payment that was written before these were two fields.

    Words are parted by spaces, and by nothing else. A creditor reference is one word, or words as on paper:
    `RF18 5390 0754 7034`; letters may be small. It counts if its check digits are right and

    1. the whole text is this one reference, or else
    2. the text can be read as this one reference, and as no other.

    A text that can be read as two references has none: which one is meant is not for a program to say. With
    a reference, `remittance_text` is the other words, with one space between them. Without one it is the
    text as it stands. It is None where nothing but spaces is left. No word is lost either way.
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
    """Yield each creditor reference that can be read, compact, with its first word and the one after it."""
    for start, word in enumerate(words):
        if _START.match(word) is None:
            continue
        stops = _ends_of_groups(words, start) if len(word) == GROUP_CHARS else [start + 1]
        for stop in stops:
            compact = "".join(words[start:stop])
            if _WORD.fullmatch(compact) and is_creditor_reference(compact.upper()):
                yield compact.upper(), start, stop


def _ends_of_groups(words: list[str], start: int) -> Iterator[int]:
    """Yield where a reference on paper may end: behind each group, up to the first that is not of four."""
    for stop in range(start + 2, min(start + _GROUPS_MAX, len(words)) + 1):
        size = len(words[stop - 1])
        if size <= GROUP_CHARS:
            yield stop
        if size != GROUP_CHARS:
            return
