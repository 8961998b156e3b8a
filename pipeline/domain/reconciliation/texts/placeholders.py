"""Texts where a reference should be and that refer to nothing: NOTPROVIDED, NONREF, an own account number.

Some are known by their text. The others are constants, known by how often they come: a bank or a payer writes
the same text for every payment. Neither binds a line to a posting; as words they still count for a little.
"""

from __future__ import annotations

# fmt: off
PLACEHOLDERS = frozenset({
    "AUTO", "BANKREF", "BLANK", "CASH", "CREDIT", "CREF", "DD", "DEBIT", "DUMMY", "EFT", "EMPTY",
    "EREF", "FIXME", "INSTRID", "INVOICE", "KEINE", "KEINEREFERENZ", "KREF", "MISC", "MREF", "MSGID",
    "NA", "NAN", "NICHTANGEGEBEN", "NICHTVORHANDEN", "NIL", "NILL", "NO", "NOID", "NOINFO", "NONE",
    "NONREF", "NONREFERENCE", "NOREF", "NOREFERENCE", "NOREFERENCEPROVIDED", "NOTAPPLICABLE",
    "NOTAVAILABLE", "NOTGIVEN", "NOTKNOWN", "NOTPROVIDED", "NOTSPECIFIED", "NULL", "OHNE",
    "OHNEREFERENZ", "OTHER", "PAYMENT", "PENDING", "REF", "REFERENCE", "REFERENZ", "SANSREFERENCE",
    "SEPA", "SIEHEANLAGE", "SVWZ", "TBA", "TBD", "TEST", "TODO", "TRANSFER", "UEBERWEISUNG",
    "UNBEKANNT", "UNDEFINED", "UNKNOWN", "UNSPECIFIED", "VARIOUS", "VIREMENT", "WIRE", "ZERO",
})
# fmt: on
"""Placeholders in normal form."""

CONSTANT_FROM = 8
"""So many items of one side with the same reference, in one account: it is a constant, not a reference."""


def is_placeholder(reference: str, own_accounts: frozenset[str] = frozenset()) -> bool:
    """Return whether a reference (in normal form) refers to nothing.

    `own_accounts` are the holder's own account numbers in normal form: banks write them where they have
    nothing else. A single character, or one character repeated (`0000`, `XXXX`), is a placeholder.
    """
    return (
        len(reference) < 2
        or reference in PLACEHOLDERS
        or reference in own_accounts
        or (len(reference) > 2 and not reference.strip(reference[0]))
    )


def is_constant(items_with_it: int) -> bool:
    """Return whether a reference that so many items of one side of an account have had is a constant."""
    return items_with_it >= CONSTANT_FROM
