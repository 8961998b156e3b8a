"""Postings of corrections: they are of the break that asked for them, and nothing else takes them.

a part of the leg has come  -> it waits with its break
all of it has come          -> the break's items and these postings are one match, tier CORRECTION
it is taken back            -> that match is undone, the break is open again
all of it is taken back     -> the postings cancel each other: one match of theirs
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.breaks import facts, states
from pipeline.domain.reconciliation.breaks.rows import Life
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.desk import figures
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.claims import claim, is_free, match_of, undo
from pipeline.domain.reconciliation.desk.items import Texts, as_item
from pipeline.domain.reconciliation.desk.rows import (
    CLAIMED,
    CORRECTION,
    MISSING,
    OPEN,
    Entry,
    Posting,
    line_item,
    posting_item,
)
from pipeline.domain.reconciliation.groups.kinds import alone


def take_correction(
    account: AccountDesk, scope: Scope, event: ev.PostingRecorded, posting: Posting, texts: Texts
) -> bool:
    """Take in a posting of a correction, or of the reversal of one; return whether it is one.

    `posting`: as it is without that, not written yet.
    """
    told = facts.corrected(scope, event)
    if told is None:
        return False
    item = figures.item_of_break(account, told.break_id, told.life)
    if item is None:
        return False  # it is over: the posting is one as any other
    bound = msgspec.structs.replace(posting, status=MISSING, break_id=told.break_id, due_at=scope.watermark)
    account.write(figures.comes(account, scope, bound), texts)
    if told.life.status in states.ENDED:
        claim(account, scope, _explained(account, scope, told, item), CORRECTION)
        return True
    if item.status == CLAIMED and item.tier == CORRECTION:
        undo(account, scope, match_of(account, item), scope.watermark + MICROSECONDS_PER_DAY)
    else:
        figures.follow(account, scope, told.break_id, None)
    _net(account, scope, told)
    return True


def _explained(account: AccountDesk, scope: Scope, told: facts.Corrected, item: Entry) -> list[Entry]:
    """Return what is one match now: the break's item, what it differs from, the postings that explain it."""
    found = {item.key: item}
    for entry in (
        *_own_postings(account, told.break_id, told.life.postings),
        *_counterparts(account, scope, told, item),
    ):
        found[entry.key] = entry
    return list(found.values())


def _own_postings(account: AccountDesk, break_id: str, postings: tuple[str, ...]) -> list[Posting]:
    entries = (account.item(posting_item(one)) for one in postings)
    return [
        one
        for one in entries
        if isinstance(one, Posting) and one.status == MISSING and one.break_id == break_id
    ]


def _counterparts(account: AccountDesk, scope: Scope, told: facts.Corrected, item: Entry) -> list[Entry]:
    """Return the items from which that of a break differs by what was corrected; some may be taken by now."""
    life: Life = told.life
    if life.difference_minor == alone(as_item(item)):
        return []
    keys = [line_item(one.line_id) for one in life.counterpart_lines if one.line_id is not None]
    keys += [posting_item(one) for one in life.counterpart_postings]
    found = []
    for entry in map(account.item, keys):
        if entry is None or entry.status not in (OPEN, MISSING):
            continue
        if entry.break_id == told.break_id or is_free(scope, entry):
            found.append(entry)
    return found


def _net(account: AccountDesk, scope: Scope, told: facts.Corrected) -> None:
    """Match the postings that cancel each other; the break is not theirs any more, so it stays open."""
    netted = [
        msgspec.structs.replace(one, break_id="")
        for one in _own_postings(account, told.break_id, told.netted)
    ]
    if len(netted) > 1:
        claim(account, scope, netted, CORRECTION)
