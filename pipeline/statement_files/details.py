"""The payments of a batch booking, within the bounds of an event."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.statement_files.form import DETAIL_CHARS_MAX, DETAILS_BYTES_MAX, DETAILS_MAX, Detail


def bounded_details(given: Iterable[Detail]) -> tuple[Detail, ...]:
    """Return the first details, texts cut, so that they fit into an event; without texts if need be."""
    kept: list[Detail] = []
    for detail in given:
        if len(kept) == DETAILS_MAX:
            break
        text = None if detail.description is None else detail.description[:DETAIL_CHARS_MAX].rstrip()
        name = None if detail.counterparty is None else detail.counterparty[:DETAIL_CHARS_MAX].rstrip()
        kept.append(msgspec.structs.replace(detail, description=text, counterparty=name))
    if sum(map(_bytes, kept)) > DETAILS_BYTES_MAX:
        kept = [msgspec.structs.replace(detail, description=None) for detail in kept]
    if sum(map(_bytes, kept)) > DETAILS_BYTES_MAX:
        kept = [msgspec.structs.replace(detail, counterparty=None) for detail in kept]
    return tuple(kept) if sum(map(_bytes, kept)) <= DETAILS_BYTES_MAX * 3 // 2 else ()


def _bytes(detail: Detail) -> int:
    texts = (detail.reference, detail.description, detail.counterparty)
    return 20 + sum(len(text.encode("utf-8", "replace")) for text in texts if text)
