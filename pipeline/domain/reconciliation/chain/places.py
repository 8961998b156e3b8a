"""Where a content was seen: repeats and twins of a line, by two look-ups at most.

A content that was seen at one place only, as nearly all are, has one row. Another place with the same content
has a row of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pipeline.domain.reconciliation.chain.findings import Work
from pipeline.domain.reconciliation.chain.inputs import key_of
from pipeline.domain.reconciliation.chain.rows import (
    CONTRADICTS,
    Content,
    Place,
    content_key,
    place_key,
)


class Known(NamedTuple):
    """What is known of a content at a place."""

    content: bytes
    place: bytes
    held: int | None
    """How many lines have it there, `CONTRADICTS`, or None: it was not seen there."""
    twin: bytes
    """The key of the line that had the content first, at another place, or empty."""
    is_first: bool
    """Whether the content was seen nowhere else before."""
    content_key: bytes
    """The row of the content."""


def held_at(work: Work, content: bytes, place: bytes) -> Known:
    """Return what is known of a content at a place."""
    key = content_key(work.account, content)
    first = work.rows.get(key, Content)
    if first is None or work.at.is_over(first.at):
        return Known(content, place, None, b"", True, key)
    if first.place == place:
        return Known(content, place, first.held, b"", True, key)
    twin = b"" if first.held == CONTRADICTS else key_of(content, first.place, 1)
    other = work.rows.get(place_key(work.account, content, place), Place)
    held = None if other is None or work.at.is_over(other.at) else other.held
    return Known(content, place, held, twin, False, key)


def hold(work: Work, known: Known, held: int) -> None:
    """Write how many lines have a content at a place."""
    at = work.at.watermark
    if known.is_first:
        key = known.content_key
        work.rows.put(key, Content(known.place, held, at))
    else:
        key = place_key(work.account, known.content, known.place)
        work.rows.put(key, Place(held, at))
        _keep_first(work, known.content_key)
    work.outcome.ended.append(key)


def _keep_first(work: Work, key: bytes) -> None:
    """Keep the row of a content for as long as that of another place, which is found through it."""
    first = work.rows.get(key, Content)
    assert first is not None  # else the place would be the first
    work.rows.put(key, msgspec.structs.replace(first, at=work.at.watermark))
    work.outcome.ended.append(key)
