"""The normal form of a reference: what the books and a bank write differently becomes one text.

Case, blanks, punctuation and the zeros in front of a number say nothing: `inv-0012/A`, `INV 0012 A` and
`INV0012A` are one reference, `000815` and `815` are, and so is a creditor reference (ISO 11649) in groups of
four and in its compact form.
"""

from __future__ import annotations

from pipeline.domain.kernel.protected_texts import protected_text
from pipeline.domain.reconciliation.texts.placeholders import is_placeholder
from pipeline.domain.reconciliation.texts.plain import compact

REFERENCE_CHARS_MAX = 140
"""Longer texts are no references (ISO 20022: Max140Text)."""


def normal_reference(text: str) -> str:
    """Return the normal form of a reference; empty if nothing of it can identify a payment.

    Of an encrypted text it is its token.
    """
    protected = protected_text(text)
    return _normal(text) if protected is None else protected.reference


def _normal(text: str) -> str:
    if len(text) > REFERENCE_CHARS_MAX:
        return ""
    form = compact(text)
    return form.lstrip("0") if form.isdecimal() else form


def strong_reference(text: str) -> str:
    """Return the normal form of a reference; empty also if it is a placeholder."""
    form = normal_reference(text)
    return "" if is_placeholder(form) else form
