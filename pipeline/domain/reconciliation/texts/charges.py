"""Booking texts by which a bank says that it takes a fee: OUR CHARGES, HANDLING FEE, ENTGELT.

A text is one that begins with a word for a fee, or with such a word behind words that say what it is for.
Further inside a text the same word may be what somebody pays for: `Miller freight charges`, `membership fee`.
"""

from __future__ import annotations

from pipeline.domain.kernel.protected_texts import protected_text
from pipeline.domain.reconciliation.texts.plain import first_runs, plain

_FEES = frozenset(
    (
        *("CHARGE", "CHARGES", "COMISION", "COMISIONES", "COMMISSION", "COMMISSIONE", "COMMISSIONI"),
        *("COMMISSIONS", "ENTGELT", "ENTGELTE", "FEE", "FEES", "FRAIS", "GEBUEHR", "GEBUEHREN", "GEBUHR"),
        *("GEBUHREN", "KOMMISSION", "KOSTEN", "PROVISION", "PROVISIONEN", "SPESE", "SPESEN"),
    )
)
_BEFORE = frozenset(
    (
        *(
            "ACCOUNT",
            "AGENT",
            "BANK",
            "BANKING",
            "CABLE",
            "CORRESPONDENT",
            "FOREIGN",
            "FX",
            "HANDLING",
            "OUR",
        ),
        *("INTERNATIONAL", "OVERDRAFT", "PAYMENT", "PROCESSING", "SEPA", "SERVICE", "SWIFT", "TRANSACTION"),
        *("TRANSFER", "WIRE", "YOUR"),
    )
)
WORDS_MAX = 4
"""Words of a text that are looked at."""


def says_charge(text: str) -> bool:
    """Return whether a booking text begins as the one of a fee does."""
    if (protected := protected_text(text)) is not None:
        return protected.says_charge
    for word in first_runs(plain(text), WORDS_MAX):
        if word in _FEES:
            return True
        if word not in _BEFORE:
            return False
    return False
