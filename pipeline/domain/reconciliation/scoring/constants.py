"""References that turned out to be constants are left out of an item as it comes; as words they stay."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.texts.placeholders import is_constant


def without_constants(item: Item, items_with: Callable[[str], int]) -> Item:
    """Return an item without the references that are constants.

    `items_with` returns how many items of this item's side, in its account, have had a reference. The
    payment's own ids are no constants, however often they come (parts, batches).
    """
    own, others = item.references[: item.own_ids], item.references[item.own_ids :]
    kept = tuple(one for one in others if not is_constant(items_with(one)))
    return item if len(kept) == len(others) else msgspec.structs.replace(item, references=own + kept)
