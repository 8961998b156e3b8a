"""The batch path of the ledger: a run of commands at once, with the results of `Ledger.apply` one by one.

    Run -> read    (accounts, payments, what is irregular)      `read`
        -> decide  (a code, a mode and a state a command)       `decide`
        -> touch   (counters after every command)               `touch`
        -> write   (rows of accounts, payments, legs)           here
        -> blocks  (events as columns, in order)                `events`

Every command that is accepted adds its amount to four counters in one of a few ways, its mode; what stands
in an account after each command is then a running sum per account. Only a command whose account could hit
its limit within the run is decided in order, over the balances of just those accounts. What is irregular
(account events, holds to be captured, journals, accounts that are frozen or have a maximum, something that
falls due, a closed period, a leg that comes twice, counters that come near 64 bits) ends the run: the row
path takes over there. A property test holds both paths against each other.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.domain.kernel.columns import OTHER, Block, Run
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.ledger.batch.decide import NO_STATE, STATES, DecidedRun, decide
from pipeline.domain.ledger.batch.events import blocks, codes_of
from pipeline.domain.ledger.batch.read import CLASSES, FIELDS, LEG_REQUESTED, Facts, read
from pipeline.domain.ledger.batch.touch import Touches, touch
from pipeline.domain.ledger.rows import LEG_ROW, PAYMENT_ROW, write_watermark
from pipeline.domain.ledger.stream import LedgerRules, dedupe_window

RUN_MAX = 8192
"""Commands applied at once at most: it bounds the sums, and the work that an irregular command costs."""


class LedgerBatch:
    """The batch path over the rows of one branch; holds no state of its own."""

    classes = CLASSES
    fields = FIELDS

    def __init__(self, rules: LedgerRules | None = None) -> None:
        self._window = dedupe_window(rules)

    def apply(self, run: Run, rows: PrefetchingRows) -> tuple[int, list[Block]]:
        """Apply the commands up to the first irregular one; return how many, and what they say."""
        length = int(np.argmax(np.append(run.kinds[:RUN_MAX] == OTHER, True)))
        if not length:
            return 0, []
        facts = read(run.slice(0, length), rows)
        decision = decide(facts, self._window)
        if not decision.length:
            return 0, []
        touches = touch(facts, decision)
        _write(facts, decision, touches, rows)
        return decision.length, blocks(facts, decision, touches)


def _write(facts: Facts, decision: DecidedRun, touches: Touches, rows: PrefetchingRows) -> None:
    """Write the accounts touched, the payments, the legs and the watermark."""
    touched = touches.account[touches.last]
    packed = facts.accounts.table[touched].tobytes()
    width = facts.accounts.table.itemsize
    starts = range(0, len(packed), width)
    keys = facts.accounts.keys.take(touched).to_pylist()
    rows.put_many(zip(keys, [packed[start : start + width] for start in starts], strict=True))
    legs = np.flatnonzero(facts.run.kinds[: decision.length] == LEG_REQUESTED)
    rows.put_many((key, LEG_ROW.head) for key in facts.row_keys.take(legs).to_pylist())
    _write_payments(facts, decision, rows)
    if decision.watermark is not None:
        write_watermark(rows, decision.watermark)


def _write_payments(facts: Facts, decision: DecidedRun, rows: PrefetchingRows) -> None:
    at = np.flatnonzero(decision.state != NO_STATE)
    states, codes = _STATES.take(decision.state[at]), codes_of(facts, decision, at)
    occurred_at = facts.columns["occurred_at"].take(at).to_pylist()
    for place, position in enumerate(at.tolist()):
        known = facts.payments.get(position)
        if known is not None:
            occurred_at[place] = known.occurred_at  # of the payment, not of what came after
    columns = [facts.columns[name].take(at) for name in _REMEMBERED]
    cells = zip(*[column.to_pylist() for column in (states, codes, *columns)], occurred_at, strict=True)
    rows.put_many(zip(facts.row_keys.take(at).to_pylist(), map(PAYMENT_ROW.pack, cells), strict=True))


_STATES = pa.array(STATES)
_REMEMBERED = (
    "debtor_account_id",
    "creditor_account_id",
    "amount_minor",
    "currency",
    "reference",
)
