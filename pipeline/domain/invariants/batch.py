"""The batch path of the invariants: checks a run of postings and holds at once, as long as none is broken.

    Run -> a record with unusual figures or names is irregular and ends it
        -> accounts numbered, their rows read -> records sorted by account, in the order of the log
        -> within each account: running sequence numbers, balances, holds, entries
        -> in the log: pairs of postings
        -> the first record that breaks an invariant ends the run, too -> rows

The record that ends the run is left to the row path, which reports what is wrong. A property test compares
both paths.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.invariants.batch_events import POSTING, totals_blocks
from pipeline.domain.invariants.rows import (
    ACCOUNT_COLUMNS,
    ACCOUNT_ROW,
    BRANCH_KEY,
    ENTRIES,
    UNKNOWN,
    FirstPosting,
    fingerprint,
    read_branch,
)
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import OTHER, Block, Run, joined, numpy_of
from pipeline.domain.kernel.layouts import fixed_rows
from pipeline.domain.kernel.rows import PrefetchingRows

CLASSES = (ev.PostingRecorded, ev.HoldRecorded)
HOLD = 1
assert CLASSES[POSTING] is ev.PostingRecorded and CLASSES[HOLD] is ev.HoldRecorded
LARGE = 2**61
"""Records with larger figures are irregular, so that sums and differences of two fit into 64 bits."""
NUMBERS = ("amount_minor", "account_sequence", "balance_minor_after", "balance_minor", "held_minor_after")
FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("event_id", "tenant_id", "correlation_id", "account_id", "currency"), pa.string()),
    **dict.fromkeys(("side", "change", "entry_id"), pa.string()),
    **dict.fromkeys(("occurred_at", *NUMBERS), pa.int64()),
}


class InvariantBatch:
    """Checks runs of records against the rows of one partition; holds no state of its own."""

    classes = CLASSES
    fields = FIELDS

    def apply(self, run: Run, rows: PrefetchingRows) -> tuple[int, list[Block]]:
        """Apply the records before the first irregular or broken one; return how many, and the totals."""
        run = run.slice(0, _first(_irregular(run)))
        while len(run):
            branch = read_branch(rows)
            pairs, accounts = _pairs(run, branch.half), _accounts(run, rows)
            sound = _first(pairs.broken | accounts.broken)
            if sound == len(run):
                branch.records += len(run)
                branch.half = pairs.half
                rows.put_many([*_rows_of(accounts), (BRANCH_KEY, branch.pack())])
                return len(run), totals_blocks(run, rows)
            run = run.slice(0, sound)
        return 0, []


def _first(wrong: np.ndarray) -> int:
    """Return the position of the first true element; the length where there is none."""
    return int(np.argmax(np.append(wrong, True)))


def _irregular(run: Run) -> np.ndarray:
    """Return which records are left to the row path: of another class, or with unusual figures; bool."""
    columns = run.columns
    irregular = (run.kinds == OTHER) | (numpy_of(columns["amount_minor"], 0) <= 0)
    irregular |= numpy_of(pc.binary_length(columns["currency"]), 0) != 3
    known = pc.is_in(columns["change"], pa.array(["PLACED", "RELEASED"]))
    irregular |= (run.kinds == HOLD) & ~numpy_of(known)
    for name in NUMBERS:
        figures = numpy_of(columns[name], 0)
        irregular |= (figures >= LARGE) | (figures <= -LARGE)
    found: np.ndarray = irregular
    return found


class _Pairs(NamedTuple):
    """The postings of a run in pairs: each entry has two, one after the other."""

    broken: np.ndarray
    """For each record, whether it should be the second posting of the entry and is not."""
    half: FirstPosting | None
    """The last posting if its entry is not complete."""


def _pairs(run: Run, half: FirstPosting | None) -> _Pairs:
    """Compare each second posting with the first one of its entry; `half`: one left from the run before."""
    places = np.flatnonzero(run.kinds == POSTING)
    names = FirstPosting.__struct_fields__
    taken = pa.array(places)
    columns = {name: run.columns[name].take(taken) for name in names}
    if half is not None:
        for name in names:
            first = pa.array([getattr(half, name)], columns[name].type)
            columns[name] = pa.concat_arrays([first, columns[name]])
        places = np.append(-1, places)
    count = len(places)
    same = np.ones(count // 2, bool)
    for name in ("tenant_id", "entry_id", "side", "amount_minor", "currency"):
        # Compare each posting with the next one: faster than taking the first and second ones separately.
        equal = numpy_of(pc.equal(columns[name][:-1], columns[name][1:]))[::2]
        same &= ~equal if name == "side" else equal
    broken = np.zeros(len(run), bool)
    broken[places[1::2][~same]] = True
    last = FirstPosting(*(columns[name][count - 1].as_py() for name in names)) if count % 2 else None
    return _Pairs(broken, last)


class _Accounts(NamedTuple):
    """The accounts after the records of a run."""

    broken: np.ndarray
    """For each record, whether it does not follow from the previous records of its account."""
    keys: list[bytes]
    heads: np.ndarray
    """ACCOUNT_COLUMNS."""


def _accounts(run: Run, rows: PrefetchingRows) -> _Accounts:
    """Read the accounts of a run, and follow the records of each."""
    encoded = joined("\0", "a", run.columns["tenant_id"], run.columns["account_id"]).dictionary_encode()
    keys = encoded.dictionary.cast(pa.binary()).to_pylist()
    number = numpy_of(encoded.indices)
    order = np.argsort(number, kind="stable")
    account = number[order]
    starts = np.flatnonzero(np.diff(account, prepend=-1))
    currency = _currencies(run.columns["currency"])[order]
    heads = _heads(keys, currency[starts], rows)

    is_posting = run.kinds[order] == POSTING
    amount = numpy_of(run.columns["amount_minor"])[order]
    credit = numpy_of(pc.equal(run.columns["side"], "CREDIT"), False)[order]
    stated = {name: numpy_of(run.columns[name], 0)[order] for name in NUMBERS[1:4]}
    held = numpy_of(run.columns["held_minor_after"], UNKNOWN)[order]
    balance = np.where(is_posting, stated["balance_minor_after"], stated["balance_minor"])
    sequence = heads["sequence"][account] + _running(is_posting.astype(np.int64), starts, account)
    moved = np.where(is_posting, np.where(credit, amount, -amount), 0)
    folded = heads["balance_minor"][account] + _running(moved, starts, account)
    before = np.empty_like(held)
    before[1:] = held[:-1]
    before[starts] = heads["held_minor"]
    placed = numpy_of(pc.equal(run.columns["change"], "PLACED"), False)[order]

    broken = (currency != heads["currency"][account]) | (balance != folded)
    broken |= is_posting & (stated["account_sequence"] != sequence)
    broken |= ~_held_follows(before, held, amount, is_posting & ~credit, ~is_posting, placed)
    marks = _marks(run.columns["entry_id"].take(pa.array(order[is_posting])))
    again, entries = _entries(marks, account[is_posting], heads["entries"])
    broken[is_posting] |= again

    last = np.append(starts, len(order))[1:] - 1
    heads["sequence"] = sequence[last]
    heads["balance_minor"] = balance[last]
    heads["held_minor"] = held[last]
    heads["entries"] = entries
    in_log = np.empty_like(broken)
    in_log[order] = broken
    return _Accounts(in_log, keys, heads)


def _held_follows(
    before: np.ndarray,
    held: np.ndarray,
    amount: np.ndarray,
    debit: np.ndarray,
    hold: np.ndarray,
    placed: np.ndarray,
) -> np.ndarray:
    """Return whether each amount held follows from the previous one; either may be UNKNOWN."""
    less = held == before - amount
    follows = np.where(hold, np.where(placed, held == before + amount, less), held == before)
    follows |= debit & less
    found: np.ndarray = (held == UNKNOWN) | ((held >= 0) & (follows | (before == UNKNOWN)))
    return found


def _running(values: np.ndarray, starts: np.ndarray, account: np.ndarray) -> np.ndarray:
    """Return the running sums within each account, the element itself included."""
    sums = np.cumsum(values)
    below = np.append(0, sums)[starts]
    found: np.ndarray = sums - below[account]
    return found


def _currencies(column: pa.Array) -> np.ndarray:
    """Return a column of currencies, three bytes each, as an array of S3."""
    encoded = column.dictionary_encode()
    known = np.array([one.encode() for one in encoded.dictionary.to_pylist()], "S3")
    found: np.ndarray = known[numpy_of(encoded.indices)]
    return found


def _heads(keys: list[bytes], currency: np.ndarray, rows: PrefetchingRows) -> np.ndarray:
    """Read accounts; a new one gets the currency of its first record. Raises UnreadableRow."""
    found = rows.get_many(keys)
    table = np.zeros(len(keys), ACCOUNT_COLUMNS)
    table["layout"], table["currency"] = ACCOUNT_ROW.layout, currency
    known = np.array([row is not None for row in found], bool)
    table[known] = fixed_rows(ACCOUNT_ROW, [row for row in found if row is not None], ACCOUNT_COLUMNS)
    return table


def _marks(entries: pa.Array) -> np.ndarray:
    """Return the fingerprints of entries."""
    encoded = entries.dictionary_encode()
    known = np.array([fingerprint(one) for one in encoded.dictionary.to_pylist()], np.uint64)
    found: np.ndarray = known[numpy_of(encoded.indices)]
    return found


def _entries(marks: np.ndarray, account: np.ndarray, heads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which postings repeat an entry of their account, and the last entries of each account.

    `line` has the entries of one account after another, those of its row before those of the run.
    """
    accounts = len(heads)
    place = np.arange(len(marks)) + ENTRIES * (account + 1)
    line = np.zeros(len(marks) + ENTRIES * accounts, np.uint64)
    ends = ENTRIES * np.arange(1, accounts + 1) + np.searchsorted(account, np.arange(accounts), "right")
    old = ends - np.bincount(account, minlength=accounts) - ENTRIES
    line[old[:, None] + np.arange(ENTRIES)] = heads[:, ::-1]
    line[place] = marks
    again = np.zeros(len(marks), bool)
    for back in range(1, ENTRIES + 1):
        again |= line[place - back] == marks
    return again, line[ends[:, None] - 1 - np.arange(ENTRIES)]


def _rows_of(accounts: _Accounts) -> list[tuple[bytes, bytes]]:
    packed, width = accounts.heads.tobytes(), ACCOUNT_COLUMNS.itemsize
    return [(key, packed[at * width : (at + 1) * width]) for at, key in enumerate(accounts.keys)]
