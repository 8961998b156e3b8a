"""What is over is deleted: the queue of what has ended hands its keys back when their windows may be over.

Whether a row is over is asked of the row itself. A row that counts on is queued again, if nothing else does.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.reconciliation.breaks.rows import DAY_ROW, LIFE_ROW, Day, read_life
from pipeline.domain.reconciliation.breaks.scope import Scope, sweep_life
from pipeline.domain.reconciliation.breaks.summary import sweep_day
from pipeline.domain.reconciliation.chain import sweeping
from pipeline.domain.reconciliation.chain.findings import Moment
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.claims import sweep_accepted, sweep_match
from pipeline.domain.reconciliation.desk.earlier import sweep_earlier
from pipeline.domain.reconciliation.desk.figures import forget_unsound, item_of_break
from pipeline.domain.reconciliation.desk.rows import UNSOUND_ROW, item_of


def sweep(account: AccountDesk, scope: Scope, moment: Moment, keys: Sequence[bytes]) -> None:
    """Delete the rows whose windows are over, of the keys that have come up."""
    for key in keys:
        family = chr(key[0])
        if family in sweeping.FAMILIES:
            if sweeping.forget(account, moment, key) is not None:
                account.again(key)
        elif family == LIFE_ROW.family:
            _sweep_break(account, scope, key)
        elif family == DAY_ROW.family:
            if sweep_day(account.get(key, Day), scope):
                account.again(key)
            else:
                account.put(key, None)
        elif family == UNSOUND_ROW.family:
            if forget_unsound(account, scope, key):
                account.again(key)
        elif not sweep_earlier(account, scope, key):
            sweep_match(account, scope, item_of(account.part, key))


def _sweep_break(account: AccountDesk, scope: Scope, key: bytes) -> None:
    """Delete a break that is over, and its item where nobody waits for it any more."""
    life = read_life(account.table, key)
    if life is None or not scope.is_over(life.ended_at):
        return
    item = item_of_break(account, key.rpartition(b"\0")[2].decode(), life)
    if item is not None:
        sweep_accepted(account, scope, item)
    sweep_life(account.table, key, scope.watermark, scope.keep_us)
