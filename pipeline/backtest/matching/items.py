"""Rows of files in the normal form in which matching compares them."""

from __future__ import annotations

from pipeline.backtest.matching.reading import Row
from pipeline.domain.reconciliation.assigning.blocking import REFERENCES_MAX
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.texts.inside import references_inside
from pipeline.domain.reconciliation.texts.placeholders import is_placeholder
from pipeline.domain.reconciliation.texts.references import normal_reference
from pipeline.domain.reconciliation.texts.words import word_tokens


def key_of(item_id: str, is_line: bool) -> bytes:
    """Return the key of an item: ids of lines and of postings may be the same texts."""
    return (b"l" if is_line else b"p") + item_id.encode()


def item_of(row: Row) -> Item:
    """Return a row as matching sees it."""
    reference, description = row.reference or "", row.description or ""
    own = () if row.is_line else _strong(row.item_id)
    inside = (one for text in (description, reference) for one in references_inside(text))
    references = dict.fromkeys((*own, *_strong(reference), *inside))
    return Item(
        key=key_of(row.item_id, row.is_line),
        is_line=row.is_line,
        currency=row.currency,
        amount_minor=row.minor,
        day=row.value_day if row.is_line else row.booked_day,
        booked_day=row.booked_day,
        references=tuple(references)[:REFERENCES_MAX],
        own_ids=len(own),
        words=word_tokens(filter(None, (description, reference, row.counterparty))),
        counterparty=word_tokens((row.counterparty,)) if row.counterparty else (),
    )


def _strong(text: str) -> tuple[str, ...]:
    form = normal_reference(text) if text and "\0" not in text else ""
    return () if not form or is_placeholder(form) else (form,)
