"""The batch path of the ledger: applies a run of commands at once, with the results of `Ledger.apply`.

    Run -> read    (accounts, payments, irregular commands)     `read`
        -> decide  (code, mode and state of each command)       `decide`
        -> touch   (counters after every command)               `touch`
        -> write   (rows of accounts, payments, legs)           here
        -> endings (what has ended goes into its queue)         `endings`
        -> blocks  (events as columns, in order)                `events`

An accepted command adds its amount to counters in one of a few ways, its mode. So an account's counters after
each command are running sums. Only commands on an account that could reach its limit within the run are
decided in order.

An irregular command ends the run, and the row path applies it: account events, holds for captures, payments
with `expected_sequence`, `execute_at` or `balancing` or between currencies, rates, reviews where some need
two people, what two have approved, debits that are back-dated, journals, accounts that are frozen or have a
maximum, a time that has not come, a row that is over, a due item, a closed period, a repeated leg, counters
close to 64 bits. A property test compares both paths.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.domain.kernel.columns import OTHER, Block, Run
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.ledger.batch.decide import NO_STATE, SETTLED, STATES, DecidedRun, decide
from pipeline.domain.ledger.batch.endings import ENDS, note_endings
from pipeline.domain.ledger.batch.events import blocks, codes_of
from pipeline.domain.ledger.batch.facts import CLASSES, FIELDS, LEG_REQUESTED, Facts
from pipeline.domain.ledger.batch.read import labels_of, read
from pipeline.domain.ledger.batch.touch import Touches, touch
from pipeline.domain.ledger.retention import Retention
from pipeline.domain.ledger.rows import LEG_ROW, PAYMENT_ROW, write_watermark
from pipeline.domain.ledger.stream import LedgerRules, dedupe_window, kept

RUN_MAX = 8192
"""The most commands of a run: it bounds the sums, and the work that is lost at an irregular command."""


class LedgerBatch:
    """Applies runs of commands to the rows of one branch; holds no state of its own."""

    classes = CLASSES
    fields = FIELDS

    def __init__(self, rules: LedgerRules | None = None) -> None:
        rules = rules or LedgerRules()
        self._retention = Retention(dedupe_window(rules), kept(rules))
        self._ahead_max = rules.clock_ahead_us
        self._reviews_by_rows = rules.tenants.some_reviews_need_two

    def apply(self, run: Run, rows: PrefetchingRows) -> tuple[int, list[Block]]:
        """Apply the commands before the first irregular one; return how many, and their outputs."""
        length = int(np.argmax(np.append(run.kinds[:RUN_MAX] == OTHER, True)))
        if not length:
            return 0, []
        facts = read(run.slice(0, length), rows, reviews_by_rows=self._reviews_by_rows)
        decision = decide(facts, self._retention, self._ahead_max)
        if not decision.length:
            return 0, []
        touches = touch(facts, decision)
        _write(facts, decision, touches, rows)
        note_endings(facts, decision, self._retention, rows)
        return decision.length, blocks(facts, decision, touches)


def _write(facts: Facts, decision: DecidedRun, touches: Touches, rows: PrefetchingRows) -> None:
    """Write the changed accounts, the payments, the legs and the watermark."""
    touched = touches.account[touches.last]
    packed = facts.accounts.table[touched].tobytes()
    width = facts.accounts.table.itemsize
    starts = range(0, len(packed), width)
    keys = facts.accounts.keys.take(touched).to_pylist()
    rows.put_many(zip(keys, [packed[start : start + width] for start in starts], strict=True))
    legs = np.flatnonzero(facts.run.kinds[: decision.length] == LEG_REQUESTED)
    keys = facts.row_keys.take(legs).to_pylist()
    asked_at = facts.columns["occurred_at"].take(legs).to_pylist()
    taken = map(LEG_ROW.pack, zip(asked_at, facts.home[legs].tolist(), strict=True))
    rows.put_many(zip(keys, taken, strict=True))
    _write_payments(facts, decision, rows)
    if decision.watermark is not None:
        write_watermark(rows, decision.watermark)


def _write_payments(facts: Facts, decision: DecidedRun, rows: PrefetchingRows) -> None:
    at = np.flatnonzero(decision.state != NO_STATE)
    states, codes = _STATES.take(decision.state[at]), codes_of(facts, decision, at)
    occurred_at = facts.columns["occurred_at"].take(at).to_pylist()
    settled = (decision.state[at] == SETTLED).tolist()
    counts_at = [time if ends else None for time, ends in zip(occurred_at, settled, strict=True)]
    metadata = labels_of(facts.columns["metadata"].take(at))
    asked: list[int | None] = [None] * len(at)
    execute_at: list[int | None] = [None] * len(at)
    reversing: list[int | None] = [None] * len(at)
    for place, position in enumerate(at.tolist()):
        known = facts.payments.get(position)
        if known is not None:
            occurred_at[place] = known.occurred_at  # the time of the payment, not of the later command
            asked[place], execute_at[place] = known.asked_minor, known.execute_at
            reversing[place] = known.reversing
    columns = [
        column.to_pylist()
        for column in (states, codes, *[facts.columns[name].take(at) for name in _REMEMBERED])
    ]
    types = facts.columns["payment_type"].take(at).to_pylist()
    # No end of a hold, no tolerance, no link: a payment that is held for captures, or linked, goes by rows.
    # Neither another currency, a rate nor an exchange: a payment between currencies goes by rows, too.
    ends = zip(decision.watermarks[at].tolist(), ENDS[decision.state[at]].tolist(), strict=True)
    ended_at = [time if has_ended else None for time, has_ended in ends]
    no = [None] * len(at)
    kept = (no, metadata, counts_at, asked, no, no, no, no, execute_at, no, ended_at, reversing)
    cells = zip(*columns, occurred_at, types, *kept, strict=True)
    rows.put_many(zip(facts.row_keys.take(at).to_pylist(), map(PAYMENT_ROW.pack, cells), strict=True))


_STATES = pa.array(STATES)
_REMEMBERED = (
    "debtor_account_id",
    "creditor_account_id",
    "amount_minor",
    "currency",
    "reference",
)
