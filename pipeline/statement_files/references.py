"""References at import: ids in their fields and in free text, as they stand; placeholders are none.

What is found is only copied. Normal forms (case, blanks, punctuation) are made by the stream.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.statement_files.form import DESCRIPTION_CHARS_MAX, TEXT_CHARS_MAX
from schemas.remittance import TEXT_CHARS_MAX as REMITTANCE_CHARS_MAX
from schemas.remittance import is_creditor_reference, split

PLACEHOLDERS = frozenset(
    (
        *("NOTPROVIDED", "NOTAVAILABLE", "NOTGIVEN", "NOTSPECIFIED", "NOTSUPPLIED", "NOTREQUIRED", "NONREF"),
        *("NOREF", "NOREFERENCE", "NONE", "NULL", "NIL", "NA", "UNKNOWN", "EMPTY", "BLANK", "DEFAULT", "REF"),
        *("REFERENCE", "EREF", "KREF", "MREF", "CRED", "SVWZ", "OTHR", "UNSTRUCTURED", "TBA", "TBD"),
    )
)
"""What stands where no reference was given, in capitals and without punctuation."""
KEYWORDS = (
    *("EREF", "KREF", "MREF", "CRED", "DEBT", "COAM", "OAMT", "SVWZ", "ABWA", "ABWE", "IBAN", "BIC"),
    *("PURP", "MDAT", "SQTP", "ORCR", "ORMR", "DDAT"),
)
"""Of the texts of German banks: the keyword, then a plus sign or a colon, then what it names."""
_KEYWORD = re.compile(r"(?:^|(?<=[\s?]))(" + "|".join(KEYWORDS) + r")(\+|: ?)")
_CODE_WORD = re.compile(
    r"/(EREF|MREF|REMI|CNTP|NAME|IBAN|BIC|ORDP|BENM|CSID|MARF|RTRN|PREF|TRTP|ISDT|PURP|CDTRREF)/"
)
_NO_WORD = re.compile(r"[^0-9A-Za-z]+")
_CREDITOR = re.compile(r"(?<![0-9A-Za-z])RF[0-9]{2}[0-9A-Za-z]{1,21}(?![0-9A-Za-z])", re.IGNORECASE)
_SPACES = re.compile(r"[\s\x00-\x1f\x7f]+")


def clean(text: str | None, most: int = TEXT_CHARS_MAX) -> str | None:
    """Return a text without control characters and runs of blanks, cut at a length; None if empty."""
    if text is None:
        return None
    found = _SPACES.sub(" ", text).strip()[:most].strip()
    return found or None


def described(parts: Iterable[str | None]) -> str:
    """Return the texts of a booking as one, each once."""
    cleaned = (clean(part, DESCRIPTION_CHARS_MAX) for part in parts)
    return " ".join(dict.fromkeys(part for part in cleaned if part))[:DESCRIPTION_CHARS_MAX].rstrip()


def is_placeholder(text: str) -> bool:
    """Return whether a text stands for a reference that was not given."""
    word = _NO_WORD.sub("", text).upper()
    return word in PLACEHOLDERS or not word.strip("0X")


def reference(text: str | None) -> str | None:
    """Return a reference as it stands; None for a placeholder."""
    found = clean(text)
    return None if found is None or is_placeholder(found) else found


def creditor_reference(text: str) -> str | None:
    """Return the one creditor reference (ISO 11649) that is in a text; None where there is none, or two."""
    if len(text) <= REMITTANCE_CHARS_MAX:
        found = split(text).creditor_reference
        if found is not None:
            return found
    proven = {one.upper() for one in _CREDITOR.findall(text) if is_creditor_reference(one.upper())}
    return proven.pop() if len(proven) == 1 else None


def keyed_parts(text: str) -> dict[str, str]:
    """Return what a free text names by keywords: `EREF+123 SVWZ+rent`, or `/EREF/123/REMI/rent`."""
    marks = list(_CODE_WORD.finditer(text)) or list(_KEYWORD.finditer(text))
    parts: dict[str, str] = {}
    for at, mark in enumerate(marks):
        stop = marks[at + 1].start() if at + 1 < len(marks) else len(text)
        parts.setdefault(
            mark[1],
            text[mark.end() : stop].strip(" /") if mark[0][0] == "/" else text[mark.end() : stop].strip(),
        )
    return parts


def external_reference(is_credit: bool, end_to_end_id: str | None, *others: str | None) -> str | None:
    """Return the reference of a booking: `others` in their order, the strongest first.

    The payer gives the end-to-end id. So it comes first where we have paid, and last where we are paid.
    """
    order = (*others, end_to_end_id) if is_credit else (end_to_end_id, *others)
    return next((found for found in map(reference, order) if found is not None), None)
