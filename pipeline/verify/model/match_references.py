"""Which references two items have in common, in the judge's own normal form.

text -> normal -> placeholders and constants are none -> in_common
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.verify.model.match_protected import reference_in

LONGEST = 140
PLACEHOLDERS = frozenset(
    {"NOTPROVIDED", "NONREF", "NOREF", "NOREFERENCE", "NONE", "NULL", "NA", "EREF", "KREF", "UNKNOWN"}
)
"""What banks write where a reference is missing, in normal form."""
CONSTANT_FROM = 8
"""From so many items of one side on a reference names nothing."""
STREAM_COUNTERS, COUNTERS = 32, 1_024
"""How many references the stream counts at a time, an account and side; and how many the judge does."""
INSIDE_CHARS_MIN = 5
"""The shortest reference that is looked for inside a text."""


def squeezed(text: str) -> str:
    """Return a text in capitals, without accents, blanks and punctuation."""
    flat = unicodedata.normalize("NFKD", text.upper().replace("ß", "SS"))
    return "".join(sign for sign in flat.upper() if sign.isalnum())


def normal(text: str | None) -> str:
    """Return the normal form of a reference; empty where it is none."""
    form = squeezed(reference_in(text or ""))
    if form.isdigit():
        form = form.lstrip("0")
    return form if len(form) <= LONGEST else ""


def is_placeholder(form: str) -> bool:
    """Whether a normal form names nothing."""
    return not form or form in PLACEHOLDERS or set(form) == {"X"}


def references_of(texts: Iterable[str | None]) -> frozenset[str]:
    """Return the references that are none of the placeholders."""
    return frozenset(form for text in texts if not is_placeholder(form := normal(text)))


def placeholders_of(texts: Iterable[str]) -> frozenset[str]:
    """Return the placeholders among texts."""
    return frozenset(form for text in texts if (form := normal(text)) and is_placeholder(form))


def is_inside(reference: str, text: str) -> bool:
    """Whether a text without blanks has a reference; a short one would be in many by chance."""
    return len(reference) >= INSIDE_CHARS_MIN and reference in text


@dataclass
class Counted:
    """How often references came on one side of an account: never more than they did (Misra-Gries)."""

    counts: dict[str, int] = field(default_factory=dict)
    items: int = 0
    seen: int = 0
    """References, each time one came."""

    def see(self, references: Iterable[str]) -> frozenset[str]:
        """Count references; return those that are constants for sure, however few the stream can count."""
        found = sorted(references)
        self.items += 1
        self.seen += len(found)
        for reference in found:
            if reference in self.counts or len(self.counts) < COUNTERS:
                self.counts[reference] = self.counts.get(reference, 0) + 1
                continue
            self.counts = {name: count - 1 for name, count in self.counts.items() if count > 1}
        sure = CONSTANT_FROM + self.seen // STREAM_COUNTERS + 1
        return frozenset(one for one in found if self.counts.get(one, 0) >= sure)
