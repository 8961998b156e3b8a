"""What the text of a line says of its amount: that it is a fee, or was instructed in another currency."""

from __future__ import annotations

import re
import unicodedata

from pipeline.verify.model.currencies import CURRENCIES
from pipeline.verify.model.match_protected import charge_said, currencies_in

CHARGES = re.compile(
    r"\W*(?:\w+\W+){0,3}?"
    r"(?:CHARGES?|FEES?|ENTGELTE?|GEBUE?HR(?:EN)?|SPESEN?|FRAIS|[CK]OMMISSION(?:S|E|I)?|COMISION(?:ES)?"
    r"|KOSTEN|PROVISION(?:EN)?)\b"
)
"""A word for a fee among the first words: which ones may be before it is the stream's to know."""
CODES = re.compile(r"(?<![A-Z])([A-Z]{3}) ?(?=\d)|(?<=\d) ?([A-Z]{3})(?![A-Z])")
"""A currency's code before or behind a number."""


def says_charge(texts: tuple[str, ...]) -> bool:
    """Whether one of the texts may begin as the one of a fee."""
    return any(_may_be_charge(text) for text in texts)


def _may_be_charge(text: str) -> bool:
    said = charge_said(text)
    return CHARGES.match(flat(text)) is not None if said is None else said


def currencies_said(text: str, own: str) -> frozenset[str]:
    """Return the other currencies in which a text has an amount."""
    if (told := currencies_in(text)) is not None:
        return told - {own}
    codes = {code for pair in CODES.findall(flat(text)) for code in pair}
    return frozenset(code for code in codes if code in CURRENCIES and code != own)


def flat(text: str) -> str:
    """Return a text in capitals, without accents."""
    signs = unicodedata.normalize("NFKD", text.upper())
    return "".join(sign for sign in signs if not unicodedata.combining(sign))
