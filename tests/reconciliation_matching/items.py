"""Postings and lines for tests, short to write: amounts in minor units, days as numbers."""

from __future__ import annotations

from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.texts.inside import references_inside
from pipeline.domain.reconciliation.texts.placeholders import is_placeholder
from pipeline.domain.reconciliation.texts.references import normal_reference
from pipeline.domain.reconciliation.texts.words import word_tokens


def posting(
    key: str,
    day: int,
    amount_minor: int,
    reference: str = "",
    text: str = "",
    party: str = "",
    currency: str = "EUR",
) -> Item:
    """Return a posting of the books."""
    return Item(
        key=key.encode(),
        is_line=False,
        currency=currency,
        amount_minor=amount_minor,
        day=day,
        booked_day=day,
        references=strong(reference, text),
        words=word_tokens((reference, text)),
        counterparty=word_tokens((party,)),
    )


def line(
    key: str,
    booked_day: int,
    amount_minor: int,
    reference: str = "",
    text: str = "",
    value_day: int | None = None,
    party: str = "",
    kind: str = "",
    original: tuple[int, str] | None = None,
) -> Item:
    """Return a line of a statement."""
    return Item(
        key=key.encode(),
        is_line=True,
        currency="EUR",
        amount_minor=amount_minor,
        day=booked_day if value_day is None else value_day,
        booked_day=booked_day,
        references=strong(reference, text),
        words=word_tokens((reference, text)),
        counterparty=word_tokens((party,)),
        kind=kind,
        original=original,
    )


def strong(reference: str, text: str) -> tuple[str, ...]:
    """Return the strong references of an item: its own, then those in its text, without placeholders."""
    form = normal_reference(reference)
    own = () if is_placeholder(form) else (form,)
    return tuple(dict.fromkeys((*own, *references_inside(text))))
