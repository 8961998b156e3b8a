"""One side of a match: a posting of the books or a line of a statement, as matching sees it."""

from __future__ import annotations

import msgspec

CHARGE = "CHARGE"
PLAIN = frozenset(("", CHARGE))
"""Kinds of lines of which the statement says nothing."""

VALUE_DAYS_MAX = 21
"""A value date that is further from the booking is a wrong one."""


class Item(msgspec.Struct, frozen=True, gc=False):
    """A posting or a line, in normal form; what matching compares, and nothing else.

    Amounts are minor units, signed from the account holder's view: a credit is positive, and a line has its
    posting's sign. Days are days since 1970-01-01. Words are compared for equality only, so keyed tokens do
    as well.
    """

    key: bytes
    """Unique in the account. Ties are broken by it."""
    is_line: bool
    currency: str
    amount_minor: int
    day: int
    """A posting's date; a line's value date."""
    booked_day: int
    """A line's booking date; a posting's date again."""
    references: tuple[str, ...]
    """Strong references in normal form, without placeholders; a posting's own ids come first."""
    own_ids: int = 0
    """How many of `references` are ids that no other payment has."""
    words: tuple[str, ...] = ()
    """Word tokens of all free text: sorted, each once, bounded."""
    counterparty: tuple[str, ...] = ()
    """Word tokens of the other party's name or account: sorted, each once, bounded."""
    kind: str = ""
    """What the statement says of a line: "", FEE, REVERSAL, BATCH, INFORMATION; CHARGE: nothing, but its text
    begins as the one of a fee does, which binds nothing."""
    original: tuple[int, str] | None = None
    """Instructed amount (minor units) and currency, where the bank says them (foreign exchange)."""

    @property
    def has_wrong_value_date(self) -> bool:
        """Whether a line's value date is so far from its booking that nobody can have meant it."""
        return abs(self.day - self.booked_day) > VALUE_DAYS_MAX
