"""The journal by itself: entries, sequences, running balances, zero sums, clearing; no model is needed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.comparisons import Problem, wrong
from tests.chaos.ledger_accounts import ACCOUNT_ROW, MAXIMUM
from tests.chaos.log_reader import Record
from tests.chaos.wire import POSTINGS


@dataclass
class Fold:
    """The journal of one branch added up, entry by entry."""

    debits: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    credits: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    sequence: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    currency: dict[bytes, str] = field(default_factory=dict)
    open: dict[tuple[bytes, str], int] = field(default_factory=lambda: defaultdict(int))
    """By account, and payment or journal: what is held and neither released nor used."""
    placed: set[str] = field(default_factory=set)
    """The ids of the records that hold something; a journal has one for each of its pairs."""
    held: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))

    def balance(self, key: bytes) -> int:
        """Return an account's balance, minor units."""
        return self.credits[key] - self.debits[key]


def fold_journal(postings: Sequence[Record], ended: bool = True) -> tuple[Fold, list[Problem]]:
    """Add up a partition's journal; check pairs, sequences, running balances, holds and zero sums.

    `ended`: nothing more comes. While it grows, a reader may stop between the two postings of an entry.
    """
    fold, total = Fold(), Counter[str]()
    first: Mapping[str, Any] | None = None
    for record in postings:
        posting, key = record.fields, record.key or b""

        def stop(check: str, text: str, at: Record = record) -> tuple[Fold, list[Problem]]:
            return fold, [wrong(check, at, text)]

        if record.event == "HoldRecorded":
            if first is not None:
                return stop("entries", "a hold between the postings of an entry")
            placed = posting["change"] == "PLACED"
            fold.held[key] += posting["amount_minor"] * (1 if placed else -1)
            hold = key, posting["hold_id"]
            fold.open[hold] += posting["amount_minor"] * (1 if placed else -1)
            if placed and posting["event_id"] in fold.placed:
                return stop("holds", f"{posting['event_id']} is placed a second time")
            if posting["amount_minor"] <= 0 or fold.open[hold] < 0:
                return stop("holds", f"{posting['change']} of {posting['amount_minor']} by {hold}")
            if placed:
                fold.placed.add(posting["event_id"])
            if (posting["held_minor_after"], posting["balance_minor"]) != (fold.held[key], fold.balance(key)):
                return stop(
                    "holds", f"{posting['held_minor_after']} held on {key.decode()}, not {fold.held[key]}"
                )
            continue
        if record.event != "PostingRecorded":
            return stop("entries", f"{record.event or record.fault} in the journal")
        amount, side, currency = posting["amount_minor"], posting["side"], posting["currency"]
        (fold.debits if side == "DEBIT" else fold.credits)[key] += amount
        fold.sequence[key] += 1
        total[currency] += amount if side == "CREDIT" else -amount
        if posting["account_sequence"] != fold.sequence[key]:
            text = f"sequence {posting['account_sequence']} of {key.decode()}, not {fold.sequence[key]}"
            return stop("sequences", text)
        if posting["balance_minor_after"] != fold.balance(key):
            text = f"balance {posting['balance_minor_after']} of {key.decode()}, not {fold.balance(key)}"
            return stop("running_balance", text)
        if fold.currency.setdefault(key, currency) != currency or posting["branch"] != record.partition:
            return stop("entries", "a posting of another currency or branch than its account's")
        used = fold.held[key] - posting["held_minor_after"]
        hold = key, posting["payment_id"] or posting.get("journal_id") or ""
        # A debit takes its amount out of what is held by its id, or nothing.
        if used not in ((0, amount) if side == "DEBIT" else (0,)) or used > fold.open[hold]:
            return stop(
                "holds", f"{posting['held_minor_after']} held on {key.decode()} after {fold.held[key]}"
            )
        fold.open[hold] -= used
        fold.held[key] -= used
        if first is None:
            first = posting
            continue
        same = all(first[name] == posting[name] for name in ("entry_id", "amount_minor", "currency"))
        if not same or (first["side"], side) != ("DEBIT", "CREDIT") or amount <= 0:
            return stop("entries", f"no entry with the posting before it: {posting['entry_id']}")
        if total[currency]:
            return stop("zero_sum", f"{currency} sums to {total[currency]} after this entry")
        first = None
    if ended and first is not None:
        return fold, [wrong("entries", postings[-1], "half an entry at the end")]
    return fold, []


def clearing_not_zero(folds: Iterable[Fold]) -> list[Problem]:
    """Check that the clearing accounts of all branches together are zero; call it when it is quiet."""
    left: Counter[tuple[str, str]] = Counter()
    for fold in folds:
        for key, currency in fold.currency.items():
            tenant, _, account_id = key.decode().partition("/")
            if account_id.startswith("$clearing:"):
                left[tenant, currency] += fold.balance(key)
    return [
        Problem("clearing", POSTINGS, -1, -1, f"{tenant} has {amount} {currency} in flight when it is quiet")
        for (tenant, currency), amount in sorted(left.items())
        if amount
    ]


def account_row_key(record_key: bytes) -> bytes:
    """Return the table key of an account, from its record key."""
    return b"a\0" + record_key.replace(b"/", b"\0", 1)


def compare_fold(
    place: tuple[str, int], rows: Mapping[bytes, tuple[bytes, int]], fold: Fold
) -> list[Problem]:
    """Check that the last changelog row of every account is the fold of its postings; when it is quiet."""
    for key in fold.currency:
        row, offset = rows.get(account_row_key(key), (b"", -1))
        if len(row) not in (ACCOUNT_ROW.size, ACCOUNT_ROW.size + MAXIMUM.size):
            return [Problem("table", *place, offset, f"no row of {key.decode()}")]
        *_, held, debits, _, credits, sequence = ACCOUNT_ROW.unpack_from(row)
        folded = fold.held[key], fold.debits[key], fold.credits[key], fold.sequence[key]
        if (held, debits, credits, sequence) != folded:
            return [Problem("table", *place, offset, f"the row of {key.decode()} is not its postings' sum")]
    return []
