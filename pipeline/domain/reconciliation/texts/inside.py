"""References inside free text: what looks like the number of an invoice, an order or a payment.

A creditor reference with right check digits is one, in groups or compact. Else a word with digits is one if
it is long enough to be no accident, and no date, amount or year. A word may be joined by `-`, `/`, `.` or
`_`.
"""

from __future__ import annotations

import re

from pipeline.domain.kernel.protected_texts import REFERENCES_MAX, protected_text
from pipeline.domain.reconciliation.texts.plain import plain
from pipeline.domain.reconciliation.texts.references import strong_reference
from schemas.remittance import TEXT_CHARS_MAX, split

_CHARS_MIN, _CHARS_MAX = 6, 36
_DIGITS_MIN = 3

_APART = {code: " " if chr(code) in ",;:()[]{}<>|+\"'?*#=" else chr(code) for code in range(128)}
"""What ASCII characters are in a text whose words are parted by white space only."""
_DIGITS = re.compile(r"\d[^\d]*\d[^\d]*\d")
"""As many digits as _DIGITS_MIN."""
_CREDITOR = re.compile(r"[Rr][Ff]\d\d")
_TAG = re.compile(r"(EREF|KREF|MREF|ABWA|SVWZ|IREF|PREF|RTRN)\+")
_DATE = re.compile(
    r"(19|20)\d\d[-/.]?(0[1-9]|1[0-2])[-/.]?(0[1-9]|[12]\d|3[01])"
    r"|(0?[1-9]|[12]\d|3[01])[-/.](0?[1-9]|1[0-2])[-/.]((19|20)?\d\d)"
    r"|(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2])(19|20)\d\d"
    r"|(0?[1-9]|1[0-2])[-/.](19|20)\d\d"
)
_AMOUNT = re.compile(r"[A-Z]{0,3}[-]?\d{1,3}([.' ]?\d{3})*[.,]\d{1,2}[A-Z]{0,3}")


def references_inside(text: str) -> tuple[str, ...]:
    """Return the references in a free text, in normal form: each once, in order, at most REFERENCES_MAX.

    Of an encrypted text they are its tokens.
    """
    if (protected := protected_text(text)) is not None:
        return protected.references
    if not text.isascii() and _DIGITS.search(text) is None:
        return ()
    words, found = plain(text), dict[str, None]()
    if "RF" in words and len(text) <= TEXT_CHARS_MAX and _CREDITOR.search(text):
        creditor = split(text).creditor_reference
        if creditor is not None:
            found[creditor] = None
    if "+" in words:
        words = _TAG.sub(" ", words)
    for word in words.translate(_APART).split():
        if len(word) < _CHARS_MIN or word.isalpha():
            continue
        word = word.strip("-/._")
        if _looks_like_one(word):
            form = strong_reference(word)
            if form:
                found.setdefault(form)
        if len(found) >= REFERENCES_MAX:
            break
    return tuple(found)


def _looks_like_one(word: str) -> bool:
    """Whether a word is as long and has as many digits as a reference, and is neither amount nor date."""
    if not _CHARS_MIN <= len(word) <= _CHARS_MAX:
        return False
    if word.isascii():
        if _DIGITS.search(word) is None:
            return False
    elif sum(map(str.isdigit, word)) < _DIGITS_MIN:
        return False
    if "." in word and _AMOUNT.fullmatch(word):
        return False
    return not word[0].isdecimal() or _DATE.fullmatch(word) is None
