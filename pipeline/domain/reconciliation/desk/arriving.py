"""An item arrives: claimed at once by a clean reference, or it waits.

An item without references meets its candidates at once; others a day of event time later: until then their
reference may find them.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.assigning.blocking import by_reference
from pipeline.domain.reconciliation.assigning.clean import is_clean
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.desk import figures
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.claims import claim, is_free
from pipeline.domain.reconciliation.desk.deciding import meet_and_decide
from pipeline.domain.reconciliation.desk.items import NO_TEXTS, Texts, as_item
from pipeline.domain.reconciliation.desk.knowledge import items_with, note_references
from pipeline.domain.reconciliation.desk.rejections import is_rejected
from pipeline.domain.reconciliation.desk.rows import (
    INFORMATION,
    MISSING,
    REFERENCE,
    Entry,
    Posting,
    row_of,
)
from pipeline.domain.reconciliation.groups.around import counts
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.texts.placeholders import is_constant


def arrive(account: AccountDesk, scope: Scope, entry: Entry, texts: Texts = NO_TEXTS) -> None:
    """Take an item in that has no row, or is in no index: claim it, or let it wait."""
    entry = _without_constants(account, entry)
    item = as_item(entry)
    if not counts(item):
        account.write(msgspec.structs.replace(entry, status=INFORMATION, ended_at=scope.watermark))
        account.end(scope.watermark, row_of(account.part, entry.key))
        return
    other = _clean_counterpart(account, scope, entry, item) if item.references else None
    at_once = REFERENCE if other is not None and not entry.break_id else None
    entry = figures.comes(account, scope, entry, at_once)
    if other is not None:
        claim(account, scope, (entry, other), REFERENCE)
        return
    waiting = msgspec.structs.replace(entry, due_at=scope.watermark + MICROSECONDS_PER_DAY)
    waiting = account.write(waiting, texts)
    if not item.references or entry.status == MISSING:  # an item of before that is missing is never due
        meet_and_decide(account, scope, waiting)


def _without_constants(account: AccountDesk, entry: Entry) -> Entry:
    """Count the references of an item, and return it without those that are constants."""
    own = entry.own_ids if isinstance(entry, Posting) else 0
    others = entry.references[own:]
    if not others:
        return entry
    desk = account.desk
    counters = desk.of_postings if isinstance(entry, Posting) else desk.of_lines
    note_references(counters, others)
    kept = tuple(one for one in others if not is_constant(items_with(counters, one)))
    if len(kept) == len(others):
        return entry
    return msgspec.structs.replace(entry, references=entry.references[:own] + kept)


def _clean_counterpart(account: AccountDesk, scope: Scope, entry: Entry, item: Item) -> Entry | None:
    """Return the one free item that an arriving one is a clean pair with (`clean.clean_match`)."""
    found = None
    for key in by_reference(item, account.index):
        other = account.item(key)
        if other is None or not is_free(scope, other) or is_rejected(entry, (entry.key, key)):
            continue
        if other.amount_minor != entry.amount_minor:
            continue  # as `is_clean` asks, too, for more work
        one = as_item(other)
        if is_clean(one, item) if item.is_line else is_clean(item, one):
            if found is not None:
                return None
            found = other
    return found
