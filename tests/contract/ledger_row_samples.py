"""Samples of the rows of the ledger, and of those made from its journal: history and invariants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs

from pipeline.domain.history import rows as history
from pipeline.domain.invariants import rows as invariants
from pipeline.domain.kernel.events import JournalLeg, JournalSubmitted
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.kernel.stored_commands import as_stored
from pipeline.domain.ledger import (
    account_changes,
    due,
    freezes,
    holds,
    journals,
    limits,
    links,
    openings,
    proposals,
    rates,
    retention,
    scheduled_journals,
    walk,
)
from pipeline.domain.ledger import rows as ledger
from pipeline.domain.ledger.exchange import Exchange
from pipeline.domain.ledger.pairs import Leg
from pipeline.domain.ledger.payment_row import Payment
from tests.contract.row_kinds import AT, HIGH, LOW, Sample, only_there

LEG = Leg(1, 2, "alice", "DEBIT", 12_50, "EUR", "fee", 10**8)

LIMITS = [limits.Limit(AT, "e-1", "c-1", 5, None, HIGH), limits.Limit(AT, "e-2", "c-1", None, 5, None)]


def _number(key: bytes) -> tuple[Callable[[int], bytes], Callable[[bytes], int]]:
    def write(number: int) -> bytes:
        rows = MemoryRows()
        ledger.write_number(rows, key, number)
        return rows.data[key]

    return write, lambda row: ledger.unpack_number(key, row)


def read_under(key: bytes, read: Callable[[MemoryRows], Any]) -> Callable[[bytes], Any]:
    def reader(row: bytes) -> Any:
        rows = MemoryRows()
        rows.put(key, row)
        return read(rows)

    return reader


LABELS = {"order": "4711", "é": ""}
PAYMENTS = (
    Payment("SETTLED", "ok", "alice", "bob", HIGH, "EUR", "invoice é€", AT, "transfer", None),
    Payment(
        "EXPIRED", "expired", "alice", "bob", 5, "EUR", "", LOW, "deposit", AT, LABELS, asked_minor=9,
        capture_tolerance_bp=1500, execute_at=HIGH, ended_at=HIGH, reversing=0,
    ),
    Payment(
        "SETTLED", "ok", "alice", "bob", 5, "EUR", "", LOW, "transfer", None, creditor_currency="USD",
        exchange=Exchange(HIGH, "USD", 108 * 10**6, "EUR", "q-1"),
    ),
    Payment(
        "REJECTED", "rate_not_found", "alice", "bob", 5, "EUR", "", LOW, "transfer", None,
        creditor_currency="USD", named_rate_e8=HIGH,
    ),
)  # fmt: skip
WAITS = {"account_id": "alice", "legs": [{"amount_minor": HIGH, "leg_no": 1}], "reason": "é€"}
PROPOSALS = (
    proposals.Proposal(
        "OPEN", "journal_reversed", "5f" * 32, 2, ["idp", "anna é€", "s-1", None, "3"], AT, HIGH, LOW, "c-1",
        WAITS,
    ),
    proposals.Proposal(
        "REJECTED", "account_limit_set", "5f" * 32, 0, ["idp", "bert", "s-2", None, None], LOW, AT, HIGH,
        "c-2", None, "e-9",
    ),
)  # fmt: skip
CAPTURE = holds.Capture("k-1", 5, "", "POSTED", True, False, HIGH)
HOLDS = (
    holds.Hold(AT, True, 0, 0, "", "c-1", "e-1", []),
    holds.Hold(AT, False, 5, 7, "expired", "c", "e", [CAPTURE]),
)
JOURNALS = (
    journals.Journal(
        "alice", "PREPARING", "ok", None, [LEG], "ref", None, None, False, None, "REJECT", None, [],
        AT, "c-1", "e-1", [], [], False,
    ),
    journals.Journal(
        "alice", "REFUSED", "account_closed", 2, [LEG, LEG], "ref é€", "why", "j-0", True, AT,
        "NEXT_PERIOD", AT, [0, 3], LOW, "c-1", "e-1",
        [journals.ReversedAmount("bob", "CREDIT", "EUR", 9)], [1], True, LABELS,
        confirmations=[journals.Confirmation("n-1", [(1, 5), (2, HIGH)], False, True)], execute_at=HIGH,
        ended_at=AT, reversing=2,
    ),
)  # fmt: skip
_STILL_OPEN = {"ended_at": None, "reversing": None}
_PAID_BEFORE = {"ended_at": None, "reversing": 0}
_FIRST = {**_STILL_OPEN, "execute_at": None}
SCHEDULED = JournalSubmitted(
    *("e-1", "north", AT, "c-1", None, "j-1", "alice"),
    (JournalLeg(1, 0, "alice", "DEBIT", 5, "EUR"), JournalLeg(2, 0, "bob", "CREDIT", 5, "EUR", "fee é€", 9)),
    *("rent é€", None, None, "REFUSE"),
    metadata=LABELS,
    execute_at=HIGH,
)
_ONE_CURRENCY = structs.replace(CAPTURE, credited_minor=None)
_UNKNOWN = structs.replace(_ONE_CURRENCY, final=None, rest=None)
PARTS = (
    journals.BranchLegs([LEG], "HELD"),
    journals.BranchLegs([LEG], "POSTED", [journals.LegPayment(1, "p-1", "ref é€")]),
    journals.BranchLegs([LEG], "RELEASED", None, HIGH, 7),
    journals.BranchLegs([LEG], "HELD", None, AT, 7, [0, 3]),
)
LINKS = (
    links.Link(
        "alice", "SETTLED", "ok", None,
        [links.LinkedPayment("p-1", "bob", 12_50, "EUR", "transfer", "ref é€")], None, None, AT, [], [],
    ),
    links.Link(
        "alice", "PREPARING", "creditor_closed", 1,
        [links.LinkedPayment(f"p-{number}", "bob", HIGH, "EUR", "payment", "") for number in (1, 2)],
        links.LinkOpening("checking", "EUR", LOW, None), LABELS, LOW, [2], [0],
    ),
    links.Link(
        "alice", "REJECTED", "too_many_holds", 0,
        [links.LinkedPayment("p-1", "bob", 1, "EUR", "", "ref é€")], None, None, LOW, [], [], HIGH,
    ),
)  # fmt: skip
EARLIER: dict[tuple[str, str, int], tuple[Any, ...]] = {
    ("ledger", "payment", 1): (structs.replace(PAYMENTS[0], payment_type="", **_PAID_BEFORE),),
    ("ledger", "payment", 2): (
        structs.replace(PAYMENTS[0], **_PAID_BEFORE),
        structs.replace(PAYMENTS[1], capture_tolerance_bp=None, execute_at=None, **_PAID_BEFORE),
    ),
    ("ledger", "payment", 3): tuple(
        structs.replace(payment, **_PAID_BEFORE)
        for payment in (*PAYMENTS, structs.replace(PAYMENTS[0], link_id="l-1"))
    ),
    ("ledger", "link", 1): LINKS[:2],
    ("ledger", "leg", 1): (retention.TakenLeg(None, None),),
    ("ledger", "journal_part", 1): (PARTS[0],),
    ("ledger", "journal_part", 2): PARTS[:2],
    ("ledger", "journal_part", 3): PARTS[:3],
    ("ledger", "hold", 1): (HOLDS[0], structs.replace(HOLDS[1], captures=[_UNKNOWN])),
    ("ledger", "hold", 2): (HOLDS[0], structs.replace(HOLDS[1], captures=[_ONE_CURRENCY])),
    ("ledger", "journal", 1): tuple(
        structs.replace(journal, rest=None, metadata=None, confirmations=[], **_FIRST) for journal in JOURNALS
    ),
    ("ledger", "journal", 2): tuple(
        structs.replace(journal, confirmations=[], **_FIRST) for journal in JOURNALS
    ),
    ("ledger", "journal", 3): tuple(structs.replace(journal, **_STILL_OPEN) for journal in JOURNALS),
    ("ledger", "limit", 1): (limits.Limits(None, LIMITS),),
}
"""What the golden rows of earlier layouts are read as now, as in `row_samples`."""


def _waiting(approved_by: str | None) -> scheduled_journals.Waiting:
    """Return a journal as it waits, with who has approved it."""
    said = {name: getattr(SCHEDULED, name) for name in SCHEDULED.__struct_fields__}
    return scheduled_journals.Waiting(**said, approved_by=approved_by)


SAMPLES = (
    Sample(
        ledger.ACCOUNT_ROW,
        lambda account: account.pack(),
        ledger.unpack_account,
        (
            ledger.Account(0, "EUR"),
            ledger.Account(3, "JPY", ledger.CLOSED, None, 1, 2, 3, HIGH, 5, ledger.FROZEN_DEBIT),
            ledger.Account(1, "USD", ledger.OPEN, -7, 1, 2, 3, 4, HIGH, 3, LOW),
        ),
    ),
    Sample(
        ledger.OPENING_ROW,
        ledger.OPENING_ROW.pack,
        openings.unpack_opening,
        (openings.Opening(12_50, 0), openings.Opening(LOW, None)),
    ),
    Sample(
        ledger.PAYMENT_ROW,
        ledger.PAYMENT_ROW.pack,
        ledger.unpack_payment,
        (*PAYMENTS, structs.replace(PAYMENTS[0], link_id="l-1")),
    ),
    Sample(ledger.LINK_ROW, ledger.LINK_ROW.pack, links.unpack_link, LINKS),
    Sample(
        ledger.LEG_ROW,
        ledger.LEG_ROW.pack,
        retention.unpack_leg,
        (retention.TakenLeg(AT, 3), retention.TakenLeg(LOW, None)),
    ),
    Sample(
        ledger.RATE_ROW,
        ledger.RATE_ROW.pack,
        rates.unpack_quote,
        (rates.Quote(108 * 10**6, "q-1", AT), rates.Quote(1, "é", LOW)),
    ),
    Sample(
        ledger.CHANGE_ROW,
        ledger.CHANGE_ROW.pack,
        account_changes.unpack_change,
        (
            account_changes.Change(AT, "account_limit_set", [5, None, HIGH, LOW]),
            account_changes.Change(LOW, "account_frozen", ["BOTH", AT]),
            account_changes.Change(AT, "account_closed", []),
        ),
    ),
    Sample(
        ledger.HOLD_ROW,
        ledger.HOLD_ROW.pack,
        holds.unpack_hold,
        HOLDS,
    ),
    Sample(
        ledger.JOURNAL_ROW,
        ledger.JOURNAL_ROW.pack,
        journals.unpack_journal,
        JOURNALS,
    ),
    Sample(
        ledger.JOURNAL_PART_ROW,
        ledger.JOURNAL_PART_ROW.pack,
        journals.unpack_branch_legs,
        PARTS,
    ),
    Sample(
        ledger.LIMIT_ROW,
        ledger.LIMIT_ROW.pack,
        limits.unpack_limits,
        (limits.Limits(None, LIMITS), limits.Limits(AT, [])),
    ),
    Sample(
        ledger.FREEZE_ROW,
        ledger.FREEZE_ROW.pack,
        freezes.unpack_ends,
        ([freezes.FreezeEnd(1, AT, "e-1", "c-1"), freezes.FreezeEnd(2, HIGH, "e é€", "c")],),
    ),
    only_there(ledger.EARLIER_DUE_ROW),
    only_there(ledger.DUE_ROW),
    only_there(ledger.ACCOUNT_DUE_ROW),
    Sample(ledger.OPEN_HOLDS_ROW, *_number(b"o\0north\0alice"), (1, HIGH)),
    Sample(ledger.NEXT_DUE_ROW, *_number(due.NEXT_KEY), (AT, LOW)),
    Sample(ledger.PERIOD_ROW, *_number(ledger.closed_key("north")), (AT, LOW)),
    Sample(ledger.REVERSAL_ROW, *_number(ledger.taken_key("north", "p-1")), (12_50, HIGH)),
    Sample(
        ledger.SCHEDULED_ROW,
        lambda command: ledger.SCHEDULED_ROW.pack(as_stored(command)),
        scheduled_journals.unpack_scheduled,
        (_waiting(None), _waiting("https://id.example bert")),
    ),
    only_there(ledger.SCHEDULED_ON_ROW),
    Sample(
        ledger.PROPOSAL_ROW,
        ledger.PROPOSAL_ROW.pack,
        proposals.unpack_proposal,
        PROPOSALS,
    ),
    Sample(ledger.OPEN_PROPOSALS_ROW, *_number(b"u\0north\0alice"), (1, HIGH)),
    Sample(
        ledger.WALK_ROW,
        ledger.WALK_ROW.pack,
        walk.unpack_walk,
        (walk.Walk(AT, b"p\0acme\0P"), walk.DONE),
    ),
    Sample(ledger.WATERMARK_ROW, *_number(b"w"), (AT, LOW)),
    Sample(
        history.HEAD_ROW,
        lambda head: head.pack(),
        history.unpack_head,
        (
            history.Head(0, "EUR"),
            history.Head(2, "USD", 33, AT, LOW, 5, [history.EMPTY_ZONE, history.Zone(LOW, HIGH, -5, 7)]),
        ),
    ),
    Sample(
        history.LINE_ROW,
        lambda line: line.pack(),
        history.unpack_line,
        (
            history.Line("DEBIT", AT, LOW, -5, -5, HIGH, 0, "r-1", "e-1", "c\0é€", "p-1", "ref\0é€"),
            history.Line("PLACED", AT, AT, 0, 5, 0, 5, "r-2", "", "c-1", None, None),
        ),
    ),
    Sample(history.ZONE_ROW, history.pack_zone, history.unpack_zone, (history.Zone(LOW, HIGH, -5, 7),)),
    Sample(
        invariants.ACCOUNT_ROW,
        lambda account: account.pack(),
        read_under(
            invariants.account_key("north", "a"),
            lambda rows: invariants.read_account(rows, "north", "a", b""),
        ),
        (
            invariants.CheckedAccount(b"EUR"),
            invariants.CheckedAccount(b"USD", 2, 3, 4, LOW, invariants.UNKNOWN, (2**64 - 1, *range(7))),
        ),
    ),
    Sample(
        invariants.CLEARING_ROW,
        lambda clearing: clearing.pack(),
        read_under(b"c", lambda rows: invariants.read_clearing(rows, b"c")),
        (invariants.Clearing(1, HIGH, 2, LOW),),
    ),
    Sample(
        invariants.BRANCH_ROW,
        lambda branch: branch.pack(),
        read_under(invariants.BRANCH_KEY, invariants.read_branch),
        (
            invariants.CheckedBranch(),
            invariants.CheckedBranch(
                5, 4, 3, 2, invariants.FirstPosting("north", "e-1", "alice", "DEBIT", 12_50, "EUR")
            ),
        ),
    ),
)  # fmt: skip
