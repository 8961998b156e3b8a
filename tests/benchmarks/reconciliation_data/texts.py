"""References, and the free text of a posting as banks hand it on: rewritten, cut, with codes of their own."""

from __future__ import annotations

from tests.benchmarks.reconciliation_data.chance import Chance
from tests.benchmarks.reconciliation_data.words import CODES, MONTHS, PREFIXES, PURPOSES

CUTS = (15, 27, 35)
"""Characters that banks and formats leave of a text."""
_PLAIN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "AE", "Ö": "OE", "Ü": "UE", "ß": "ss", "ć": "c", "Ć": "C"}
)


def reference(chance: Chance) -> str:
    """Return a reference as a system of the books makes it; no two are the same, in all likelihood."""
    form = chance.below(6)
    if form == 0:
        return f"INV-2026-{chance.digits(8)}"
    if form == 1:
        return f"RE {chance.digits(9)}"
    if form == 2:
        return f"PO45{chance.digits(9)}"
    if form == 3:
        return f"E2E{int(chance.digits(12)):X}X{chance.digits(3)}"
    if form == 4:
        return chance.digits(11)
    return creditor_reference(f"{chance.digits(10)}")


def creditor_reference(number: str) -> str:
    """Return the ISO 11649 reference of a number, compact: RF, two check digits, the number."""
    return f"RF{98 - int(f'{number}271500') % 97:02d}{number}"


def spaced(text: str) -> str:
    """Return a text in blocks of four."""
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))


def respelled(chance: Chance, text: str) -> str:
    """Return a reference with other case, blanks or punctuation; letters and digits stay."""
    form = chance.below(4)
    if form == 0:
        return text.lower()
    if form == 1:
        return spaced(text.replace("-", "").replace(" ", "")).upper()
    if form == 2:
        return text.replace("-", "/").replace(" ", "-").upper() + "."
    return text.replace("-", "").replace(" ", "").upper()


def purpose(chance: Chance) -> str:
    """Return what a payment is for, in the books' words."""
    said = chance.one_of(PURPOSES)
    form = chance.below(4)
    if form == 0:
        return f"{said} {chance.one_of(MONTHS)} 2026"
    if form == 1:
        return f"{said} {chance.digits(5)}"
    if form == 2:
        return f"{said} customer {chance.digits(4)}"
    return said


def line_text(chance: Chance, name: str, said: str) -> str:
    """Return what a good bank makes of name and purpose: all words, its own prefix, often upper case."""
    text = f"{name} {said}".strip()
    if chance.happens(600):
        text = f"{chance.one_of(PREFIXES)} {text}"
    return text.upper().translate(_PLAIN) if chance.happens(500) else text


def cut(chance: Chance, name: str, said: str) -> str:
    """Return name and purpose cut off, mostly within a word."""
    text = f"{name} {said}"
    if chance.happens(400):
        text = text.upper().translate(_PLAIN)
    return text[: chance.one_of(CUTS)].rstrip()


def rewritten(chance: Chance, name: str, said: str) -> str:
    """Return some of the words in the bank's way: upper case, no umlauts, some gone, codes added."""
    names = [word for word in name.translate(_PLAIN).upper().split() if word not in ("&", "CO.")]
    words = said.translate(_PLAIN).upper().split()
    kept = [word for word in names if chance.happens(750)] or names[:1]
    kept_said = [word for word in words if chance.happens(700)]
    if not kept_said and len(kept) < 2:
        kept = names[:2]
    parts = [kept, kept_said]
    if chance.happens(300):
        parts.reverse()
    for _ in range(chance.between(1, 3)):
        parts.insert(chance.below(len(parts) + 1), [chance.one_of(CODES)])
    return " ".join(word for part in parts for word in part)


def money(amount_minor: int) -> str:
    """Return an amount of two decimals as banks write it in texts."""
    whole, cents = divmod(abs(amount_minor), 100)
    return f"{whole:,}.{cents:02d}".replace(",", "'") if whole % 2 else f"{whole},{cents:02d}"
