"""Rows that the stream before has written are taken over: items, breaks, indexes, lines that come again."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import msgspec
import pytest

from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.outbox import Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.breaks import states
from pipeline.domain.reconciliation.breaks.rows import LIFE_ROW, Life, life_key, read_life
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.earlier import (
    TAKEN_MAX,
    earlier_line,
    repeats_earlier,
    take_over,
)
from pipeline.domain.reconciliation.desk.items import index_keys
from pipeline.domain.reconciliation.desk.rows import (
    CLAIMED,
    MISSING,
    NEWEST,
    OPEN,
    Entry,
    Line,
    Posting,
    decode,
)
from pipeline.domain.reconciliation.item_rows import BREAK_ROW, Break
from pipeline.domain.tenants.break_rules import BreakRules
from tests.reconciliation_desk.entries import DAY, Entries
from tests.reconciliation_desk.rows_before import Table, before, random_tables, rows_of

KEEP = 100 * DAY
read_break = unpacker(BREAK_ROW, Break)


def take(rows: MemoryRows, limit: int = 1_000) -> tuple[list[Entry], int]:
    """Take over all that is earlier, event by event; return what arrives, and how many events it takes."""
    arrived: list[Entry] = []
    for count in range(1, limit):
        account = AccountDesk(rows, "acme", "nostro", KEEP)
        assert account.watermark is not None
        out = Outbox()
        cause = SimpleNamespace(tenant_id="acme", account_id="nostro")
        scope = Scope(cause, account.watermark, rows, out, BreakRules(), KEEP, account.end)

        def arrive(entry: Entry, account: AccountDesk = account) -> None:
            arrived.append(account.write(entry))

        is_left = take_over(account, scope, arrive)
        account.move_to(account.watermark)
        account.close()
        assert out.items == [], "nobody is told"
        if not is_left:
            return arrived, count
    raise AssertionError("it does not end")


def families(rows: MemoryRows) -> set[str]:
    return {chr(key[0]) for key in rows.data}


def lives(rows: MemoryRows) -> list[Life]:
    found = (read_life(rows, key) for key in sorted(rows.data) if key[:1] == LIFE_ROW.family.encode())
    return [life for life in found if life is not None]


ITEMS: dict[str, tuple[str, list[tuple[str, str, tuple[str, ...]]]]] = {
    "an open posting": ("1 posting P1 5 INV-0012", [("P1", OPEN, ("ENTRYP1", "INV0012"))]),
    "of a payment": ("1 posting P1 5 pay:PAY-1", [("P1", OPEN, ("PAY1", "ENTRYP1"))]),
    "an open line": ("1 line S1/2 5 INV-0012", [("S1/2", OPEN, ("INV0012",))]),
    "a line with a placeholder": ("1 line S1/2 5 NOTPROVIDED", [("S1/2", OPEN, ())]),
    "a line without a reference": ("1 line S1/2 5", [("S1/2", OPEN, ())]),
    "both missing": (
        "1 posting P1 5 A1\n1 line S1/2 -7 B2\n9 tick",
        [("P1", MISSING, ("ENTRYP1", "A1")), ("S1/2", MISSING, ("B2",))],
    ),
    "an amount that differs": (
        "1 posting P1 5 INV1\n1 line S1/2 7 INV1",
        [("P1", MISSING, ("ENTRYP1", "INV1")), ("S1/2", MISSING, ("INV1",))],
    ),
    "a repeated line": (
        "1 posting P1 5 INV1\n1 line S1/1 5 INV1\n1 line S1/2 5 INV1",
        [("S1/2", MISSING, ("INV1",))],
    ),
    "nothing is open": ("1 posting P1 5 INV1\n1 line S1/1 5 INV1", []),
}


@pytest.mark.parametrize(("ledger", "wanted"), ITEMS.values(), ids=ITEMS.keys())
def test_open_items_arrive_in_the_newest_form(
    ledger: str, wanted: list[tuple[str, str, tuple[str, ...]]]
) -> None:
    rows = before(ledger)
    arrived, _ = take(rows)
    shown = [
        (one.posting_id if isinstance(one, Posting) else f"{one.statement_id}/{one.line_no}", one)
        for one in arrived
    ]
    assert sorted((name, one.status, one.references) for name, one in shown) == wanted
    assert families(rows).isdisjoint("reaub"), "the earlier indexes are empty"
    account = AccountDesk(rows, "acme", "nostro", KEEP)
    assert not account.desk.earlier
    for one in arrived:
        assert account.item(one.key) == one and one.form == NEWEST
        assert all(b"j\0acme\0nostro\0" + key in rows.data for key in index_keys(one))


def test_open_items_are_due_when_they_were() -> None:
    rows = before("1 posting P1 5 A1\n1 line S1/2 -7 B2\n9 tick\n9 posting P3 6 A3")
    due = {key: value for key, value in rows.data.items() if key[:1] == b"d"}
    take(rows)
    assert {key: value for key, value in rows.data.items() if key[:1] == b"d"} == due
    assert len(due) == 1


BREAKS: dict[str, tuple[str, tuple[str, int, str, str | None, str | None]]] = {
    "of a posting": ("1 posting P1 5 A1\n9 tick", ("MISSING_EXTERNAL", -5, states.OPEN, None, "P1")),
    "of a line": ("1 line S1/2 -7 B2\n9 tick", ("MISSING_INTERNAL", -7, states.OPEN, "S1", None)),
    "of both": ("1 posting P1 5 I\n1 line S1/2 7 I", ("AMOUNT", 2, states.OPEN, "S1", None)),
    "a repeated line": (
        "1 posting P1 5 I\n1 line S1/1 5 I\n1 line S1/2 5 I",
        ("DUPLICATE", 5, states.OPEN, "S1", None),
    ),
    "a number again": ("1 line S1/1 5 I\n1 line S1/1 6 I", ("DUPLICATE", 0, states.OPEN, "S1", None)),
    "a statement": ("1 close S1 0 9 0", ("CLOSING_BALANCE", 0, states.OPEN, "S1", None)),
    "a resolved one": (
        "1 posting P1 5 I\n9 tick\n9 line S1/1 5 I",
        ("MISSING_EXTERNAL", -5, states.RESOLVED, None, "P1"),
    ),
}


@pytest.mark.parametrize(("ledger", "wanted"), BREAKS.values(), ids=BREAKS.keys())
def test_a_break_gets_a_life_as_it_is(
    ledger: str, wanted: tuple[str, int, str, str | None, str | None]
) -> None:
    rows = before(ledger)
    ((key, value),) = ((key, value) for key, value in rows.data.items() if key[:1] == b"b")
    opened, break_id = read_break(value), key.rpartition(b"\0")[2].decode()
    arrived, _ = take(rows)
    life = read_life(rows, life_key("acme", "nostro", break_id))
    assert life is not None and [life] == lives(rows)
    said = (life.kind, life.difference_minor, life.status, life.statement_id, life.posting_id)
    assert said == wanted
    assert (life.detail, life.opened_at, life.resolution) == (
        opened.detail,
        opened.opened_at,
        opened.resolution,
    )
    assert (life.ended_at is None) == (life.status == states.OPEN)
    if wanted[0] == "AMOUNT":
        assert life.counterpart_postings == ("P1",)
        assert {one.break_id for one in arrived} == {break_id}


def test_only_a_few_are_taken_over_at_once() -> None:
    count = 3 * TAKEN_MAX + 1
    rows = before("\n".join(f"1 posting P{number} {number + 5} R{number}" for number in range(count)))
    arrived, events = take(rows)
    assert (len(arrived), len({one.key for one in arrived}), events) == (count, count, 4)


def test_breaks_count_too_and_come_first() -> None:
    postings = "\n".join(f"1 posting P{number} {number + 5} R{number}" for number in range(TAKEN_MAX))
    rows = before(f"{postings}\n9 tick")
    arrived, events = take(rows)
    assert (len(arrived), len(lives(rows)), events) == (TAKEN_MAX, TAKEN_MAX, 3)


def test_an_account_that_is_new_has_nothing_earlier() -> None:
    account = AccountDesk(MemoryRows(), "acme", "nostro", KEEP)
    assert not account.desk.earlier
    scope = Scope(SimpleNamespace(), 0, account.table, Outbox(), BreakRules(), KEEP, account.end)
    assert not take_over(account, scope, lambda entry: None)


def test_other_accounts_are_left_alone() -> None:
    rows = before("1 posting P1 5 A1\n9 tick")
    other = before("1 posting P9 5 A1\n9 tick").data
    theirs = {key.replace(b"\0nostro\0", b"\0nostro2\0"): value for key, value in other.items()}
    rows.data.update(theirs)
    take(rows)
    assert theirs.items() <= rows.data.items()


# --- a line that comes again


def test_a_line_that_comes_again_is_known_by_its_earlier_key_and_digest() -> None:
    ledger = "1 line S1/2 5 INV-1"
    event, rows = Entries().read(ledger), before(ledger)
    for is_taken in (False, True):
        if is_taken:
            take(rows)
        account = AccountDesk(rows, "acme", "nostro", KEEP)
        known = earlier_line(account, "S1", 2)
        assert known is not None and repeats_earlier(known, event)
        assert not repeats_earlier(known, msgspec.structs.replace(event, amount_minor=6))
        assert not repeats_earlier(known, msgspec.structs.replace(event, description="other"))
        more = msgspec.structs.replace(event, event_id="again", counterparty_name="ACME", fee_minor=3)
        assert repeats_earlier(known, more), "the stream before did not look at that"
        assert earlier_line(account, "S1", 3) is None and earlier_line(account, "S2", 2) is None


def test_a_matched_line_is_known_too() -> None:
    rows = before("1 posting P1 5 INV1\n1 line S1/2 5 INV1")
    event = Entries().read("1 line S1/2 5 INV1")
    take(rows)
    known = earlier_line(AccountDesk(rows, "acme", "nostro", KEEP), "S1", 2)
    assert known is not None and known.status == CLAIMED and repeats_earlier(known, event)


@pytest.mark.parametrize("table", random_tables())
def test_nothing_is_lost_and_nothing_comes_twice(table: Table) -> None:
    rows = rows_of(table)
    unclaimed = Counter[bytes]()
    for key, value in rows.data.items():
        if key[:1] in (b"o", b"l"):
            content: type[Posting] | type[Line] = Posting if key[:1] == b"o" else Line
            unclaimed[key] += decode(value, content).status != CLAIMED
    breaks = sum(key[:1] == b"b" for key in rows.data)
    arrived, _ = take(rows)
    keys = Counter(one.key[:1] + b"\0acme\0nostro" + one.key[1:] for one in arrived)
    assert keys == +unclaimed
    assert len(lives(rows)) == breaks
    assert families(rows).isdisjoint("reaub")
    assert all(isinstance(one, Line | Posting) and one.status in (OPEN, MISSING) for one in arrived)
