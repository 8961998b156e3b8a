"""Reconciliation: ledgers of postings, lines and statements, and what each entry brings to light."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.domain.kernel.layouts import UnknownLayout
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.reconciliation.matching import DUE_MAX
from pipeline.domain.reconciliation.rows import BankLine, chain_key, line_key, read
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.sortable import amount_prefixes, sortable
from pipeline.domain.reconciliation.statements import CHAIN_LENGTH
from pipeline.domain.reconciliation.stream import apply, keys
from tests.reconciliation.desk import DAY, LATER, Desk, check, show

MATCHES = {
    "by reference, posting first": """
        1 posting P1 -100 INV1      |
        1 line S1/1 -100 INV1       | S1/1 = P1 by REFERENCE
    """,
    "by reference, line first": """
        1 line S1/1 -100 INV1       |
        1 posting P1 -100 INV1      | S1/1 = P1 by REFERENCE
    """,
    "by payment id and by entry id, at any distance of dates": """
        1 posting P1 -100 pay:PAY1  |
        1 posting P2 -100           |
        2 line S1/1 -100 entry-P2   | S1/1 = P2 by REFERENCE
        2 line S1/2 -100 PAY1 day:9 | S1/2 = P1 by REFERENCE
    """,
    "a reference used again: the nearest day": """
        1 posting P1 -9 RENT        |
        2 posting P2 -9 RENT        |
        2 line S1/1 -9 RENT         | S1/1 = P2 by REFERENCE
        2 line S1/2 -9 RENT day:1   | S1/2 = P1 by REFERENCE
    """,
    "a line without a reference, by amount and date": """
        1 posting P1 250            |
        4 line S1/1 250             | S1/1 = P1 by AMOUNT_DATE
    """,
    "a posting finds the line without a reference that came before it": """
        1 line S1/1 250             |
        1 posting P1 250 INV1       | S1/1 = P1 by AMOUNT_DATE
    """,
    "a day outside the window is no match, nor is the other sign": """
        1 posting P1 250            |
        1 line S1/1 250 day:5       |
        1 line S1/2 -250            |
    """,
    "the nearest day, then the lowest sequence": """
        1 posting P1 70             |
        2 posting P2 70             |
        2 posting P3 70             |
        2 line S1/1 70              | S1/1 = P2 by AMOUNT_DATE
        2 line S1/2 70              | S1/2 = P3 by AMOUNT_DATE
        2 line S1/3 70              | S1/3 = P1 by AMOUNT_DATE
    """,
    "a day before and a day after are equally near: the lowest sequence": """
        3 posting P1 70             |
        1 posting P2 70             | MISSING_EXTERNAL 70 on P2
        2 line S1/1 70              | S1/1 = P1 by AMOUNT_DATE
        2 line S1/2 70              | S1/2 = P2 by AMOUNT_DATE; resolved MISSING_EXTERNAL matched
    """,
    "equally near, the lowest sequence before": """
        1 posting P1 70             |
        3 posting P2 70             | MISSING_EXTERNAL 70 on P1
        2 line S1/1 70              | S1/1 = P1 by AMOUNT_DATE; resolved MISSING_EXTERNAL matched
    """,
    "weekly debits of 100 match their own week, not last week's (actual 5354)": """
        1  posting W1 -100          |
        8  posting W2 -100          | MISSING_EXTERNAL -100 on W1
        8  line S2/1 -100           | S2/1 = W2 by AMOUNT_DATE
        15 line S3/1 -100           |
        15 posting W3 -100          | S3/1 = W3 by AMOUNT_DATE
        15 line S1/1 -100 day:2     | S1/1 = W1 by AMOUNT_DATE; resolved MISSING_EXTERNAL matched
    """,
    "genuine duplicates each match their own posting (actual 8221)": """
        1 posting P1 -5 COFFEE      |
        1 posting P2 -5 COFFEE      |
        1 line S1/1 -5 COFFEE       | S1/1 = P1 by REFERENCE
        1 line S1/2 -5 COFFEE       | S1/2 = P2 by REFERENCE
        1 line S1/3 -7              |
        1 line S1/4 -7              |
        1 posting P3 -7             | S1/3 = P3 by AMOUNT_DATE
        1 posting P4 -7             | S1/4 = P4 by AMOUNT_DATE
    """,
    "a line that names a posting still to come takes no other posting": """
        1 posting P1 -100 INV1      |
        1 line S1/2 -100 INV2       |
        1 posting P2 -100 INV2      | S1/2 = P2 by REFERENCE
        1 line S1/1 -100 INV1       | S1/1 = P1 by REFERENCE
    """,
    "a reference that nobody knows: by amount and date when the grace has run out": """
        2 posting P1 -100 INV1      |
        1 line S1/1 -100 BANK77     |
        3 tick                      | S1/1 = P1 by AMOUNT_DATE
    """,
}

BREAKS = {
    "a posting without a line, which comes late": """
        1 posting P1 -100 INV1      |
        2 tick                      |
        3 tick                      | MISSING_EXTERNAL -100 on P1
        4 tick                      |
        9 line S1/1 -100 INV1       | S1/1 = P1 by REFERENCE; resolved MISSING_EXTERNAL matched
    """,
    "a line without a posting, which comes late": """
        1 line S1/1 80              |
        3 tick                      | MISSING_INTERNAL 80 on S1/1
        4 posting P1 80             | S1/1 = P1 by AMOUNT_DATE; resolved MISSING_INTERNAL matched
    """,
    "the reference matches, the amount does not": """
        1 posting P1 -100 INV1      |
        1 line S1/1 -101 INV1       | AMOUNT -1 on S1/1/P1
        9 tick                      |
    """,
    "an amount off by one is not let pass (beancount 411)": """
        1 posting P1 10000          |
        2 line S1/1 10001           |
        3 tick                      | MISSING_EXTERNAL 10000 on P1
        4 line S1/2 9999            | MISSING_INTERNAL 10001 on S1/1
    """,
    "an amount put right by a later line: its posting is matched, the wrong line waits and is missing": """
        1 posting P1 -100 INV1      |
        1 line S1/1 -101 INV1       | AMOUNT -1 on S1/1/P1
        2 line S1/2 -100 INV1       | S1/2 = P1 by REFERENCE; resolved AMOUNT matched
        3 tick                      | MISSING_INTERNAL -101 on S1/1
    """,
    "an amount put right by a later posting": """
        1 line S1/1 -101 INV1       |
        1 posting P1 -100 INV1      | AMOUNT -1 on S1/1/P1
        2 posting P2 -101 INV1      | S1/1 = P2 by REFERENCE; resolved AMOUNT matched
        3 tick                      | MISSING_EXTERNAL -100 on P1
    """,
    "a posting in an AMOUNT break is not matched by date until the break is resolved": """
        1 posting P1 -100 INV1      |
        1 line S1/1 -101 INV1       | AMOUNT -1 on S1/1/P1
        2 line S1/2 -100            |
        2 posting P2 -101 INV1      | S1/1 = P2 by REFERENCE; resolved AMOUNT matched
        5 tick                      | S1/2 = P1 by AMOUNT_DATE
    """,
    "missing at first, then there with another amount": """
        1 posting P1 -100 INV1      |
        3 tick                      | MISSING_EXTERNAL -100 on P1
        4 line S1/1 -90 INV1        | resolved MISSING_EXTERNAL line_arrived; AMOUNT 10 on S1/1/P1
        5 line S1/2 -8 INV2         |
        8 tick                      | MISSING_INTERNAL -8 on S1/2
        9 posting P2 -9 INV2        | resolved MISSING_INTERNAL posting_arrived; AMOUNT 1 on S1/2/P2
    """,
    "a line booked twice under one reference": """
        1 posting P1 -100 INV1      |
        1 line S1/1 -100 INV1       | S1/1 = P1 by REFERENCE
        1 line S1/2 -100 INV1       | DUPLICATE -100 on S1/2
        9 tick                      |
    """,
    "the repeat takes no other posting of the same amount": """
        1 posting P1 -100 INV1      |
        1 posting P2 -100 INV2      |
        1 line S1/1 -100 INV1       | S1/1 = P1 by REFERENCE
        1 line S1/2 -100 INV1       | DUPLICATE -100 on S1/2
        1 line S1/3 -100 INV2       | S1/3 = P2 by REFERENCE
    """,
    "a repeat that had its own posting after all": """
        1 posting P1 -5 COFFEE      |
        1 line S1/1 -5 COFFEE       | S1/1 = P1 by REFERENCE
        1 line S1/2 -5 COFFEE       | DUPLICATE -5 on S1/2
        2 posting P2 -5 COFFEE      | S1/2 = P2 by REFERENCE; resolved DUPLICATE matched
    """,
    "a text may be used again next month, an id of ours may not": """
        1 posting P1 -9 RENT        |
        1 line S1/1 -9 RENT         | S1/1 = P1 by REFERENCE
        9 line S2/1 -9 RENT         |
        9 posting P2 -9 RENT        | S2/1 = P2 by REFERENCE
        9 posting P3 -9 pay:PAY3    |
        9 line S2/2 -9 PAY3         | S2/2 = P3 by REFERENCE
        19 line S3/1 -9 PAY3        | DUPLICATE -9 on S3/1
    """,
    "a repeat of a line that was matched by amount and date": """
        1 posting P1 -100           |
        1 line S1/1 -100 BANK77     |
        3 tick                      | S1/1 = P1 by AMOUNT_DATE
        4 line S1/2 -100 BANK77     |
        6 tick                      | DUPLICATE -100 on S1/2
    """,
    "an item that comes when its grace is long over": """
        9 tick                      |
        1 posting P1 -100 INV1      | MISSING_EXTERNAL -100 on P1
        9 line S1/1 30 day:2        | MISSING_INTERNAL 30 on S1/1
        1 line S1/2 -100 INV1       | S1/2 = P1 by REFERENCE; resolved MISSING_EXTERNAL matched
    """,
    "grace is counted, not guessed: two items that are due find each other": """
        1 line S1/1 -40 BANK1       |
        1 posting P1 -40            |
        3 tick                      | S1/1 = P1 by AMOUNT_DATE
    """,
}

STATEMENTS = {
    "a sound statement says nothing": """
        1 line S1/1 30              |
        1 line S1/2 -10             |
        1 close S1 100 120 2        |
    """,
    "line numbers may start at zero": """
        1 line S1/0 30              |
        1 line S1/1 -10             |
        1 close S1 100 120 2        |
    """,
    "no lines, other balance: not reconciled": """
        1 close S1 100 120 0        | CLOSING_BALANCE 20 on S1
    """,
    "no lines where two are announced: not reconciled, even if the balance stands": """
        1 close S1 100 100 2        | SEQUENCE_GAP 0 on S1
        1 line S1/1 30              | CLOSING_BALANCE -30 on S1
        1 line S1/2 -30       | resolved SEQUENCE_GAP line_arrived; resolved CLOSING_BALANCE line_arrived
    """,
    "a line is missing, then comes": """
        1 line S1/1 30              |
        1 line S1/3 5               |
        1 close S1 100 125 3        | SEQUENCE_GAP 0 on S1; CLOSING_BALANCE -10 on S1
        1 line S1/2 -10       | resolved SEQUENCE_GAP line_arrived; resolved CLOSING_BALANCE line_arrived
    """,
    "the right count with a hole": """
        1 line S1/1 30              |
        1 line S1/3 -10             |
        1 close S1 100 120 2        | SEQUENCE_GAP 0 on S1
    """,
    "the right count, but the first line is missing": """
        1 line S1/2 30              |
        1 line S1/3 -10             |
        1 close S1 100 120 2        | SEQUENCE_GAP 0 on S1
    """,
    "one line more than announced": """
        1 line S1/1 30              |
        1 close S1 100 130 1        |
        1 line S1/2 1               | SEQUENCE_GAP 0 on S1; CLOSING_BALANCE -1 on S1
    """,
    "the closing balance is wrong": """
        1 line S1/1 30              |
        1 close S1 100 131 1        | CLOSING_BALANCE 1 on S1
    """,
    "opens with another balance than the one before closed with": """
        1 close S1 100 100 0        |
        2 close S2 101 101 0        | OPENING_BALANCE 1 on S2
    """,
    "the statement between comes late": """
        1 close S1 100 100 0        |
        3 close S3 150 150 0        | OPENING_BALANCE 50 on S3
        2 line S2/1 50              |
        2 close S2 100 150 1        | resolved OPENING_BALANCE statement_arrived
    """,
    "a late statement that fits neither side": """
        1 close S1 100 100 0        |
        3 close S3 100 100 0        |
        2 close S2 70 70 0          | OPENING_BALANCE -30 on S2; OPENING_BALANCE 30 on S3
    """,
}


@pytest.mark.parametrize("ledger", MATCHES.values(), ids=MATCHES.keys())
def test_an_item_finds_its_counterpart(ledger: str) -> None:
    check(ledger)


@pytest.mark.parametrize("ledger", BREAKS.values(), ids=BREAKS.keys())
def test_what_differs_is_a_break(ledger: str) -> None:
    check(ledger)


@pytest.mark.parametrize("ledger", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_a_statement_is_sound_or_says_so(ledger: str) -> None:
    check(ledger, grace_days=300)


def test_a_tolerance_is_set_never_inferred() -> None:
    check(
        """
        1 posting P1 10000          |
        1 posting P2 10001          |
        1 posting P3 5 INV3         |
        1 line S1/1 10003           | S1/1 = P2 by AMOUNT_DATE
        1 line S1/2 9997            |
        1 line S1/3 9998            | S1/3 = P1 by AMOUNT_DATE
        1 line S1/4 7 INV3          | S1/4 = P3 by REFERENCE
        1 posting P4 1              |
        1 line S1/5 -1              |
        """,
        amount_tolerance_minor=2,
    )


def test_a_window_of_no_days_asks_for_the_same_day() -> None:
    check(
        """
        1 posting P1 70             |
        1 line S1/1 70 day:2        |
        1 line S1/2 70              | S1/2 = P1 by AMOUNT_DATE
        """,
        date_window_days=0,
    )


@pytest.mark.parametrize("name", ["date_window_days", "amount_tolerance_minor", "grace_days"])
def test_rules_are_bounded(name: str) -> None:
    for value in (-1, 2**62):
        with pytest.raises(ValueError, match=name):
            ReconciliationSettings(**{name: value})


def test_a_repeat_of_any_event_has_no_effect() -> None:
    desk = Desk()
    ledger = [
        "1 posting P1 -100 INV1",
        "1 line S1/1 -100 INV1",
        "1 line S1/2 5",
        "1 close S1 100 0 3",
        "5 tick",
    ]
    events = [desk.read(entry) for entry in ledger]
    for event in events:
        desk.apply(event)
    before = dict(desk.rows.data)
    assert [desk.apply(event) for event in events] == [[]] * len(events)
    assert [desk.apply(msgspec.structs.replace(event, event_id="retry")) for event in events] == [[]] * len(
        events
    )
    assert desk.rows.data == before


@pytest.mark.parametrize(
    ("first", "other"),
    [("1 line S1/1 -100 INV1", "1 line S1/1 -101 INV1"), ("1 close S1 5 5 0", "1 close S1 5 6 0")],
    ids=["line", "statement"],
)
def test_the_same_number_with_other_content_is_one_duplicate_each(first: str, other: str) -> None:
    desk = Desk()
    desk.run(first)
    conflict = desk.read(other)
    (opened,) = desk.apply(conflict)
    assert (opened.type, opened.statement_id) == ("DUPLICATE", "S1")
    assert desk.apply(conflict) == [] and desk.run(first) == []
    (another,) = desk.apply(msgspec.structs.replace(conflict, **_other_content(conflict)))
    assert another.break_id != opened.break_id


def _other_content(event: Any) -> dict[str, Any]:
    return {"description": "x"} if hasattr(event, "description") else {"line_count": 7}


def test_a_break_id_does_not_depend_on_the_event_that_uncovers_it() -> None:
    one, other = Desk(), Desk()
    (first,) = one.run("1 posting P1 -100\n3 tick")
    (second,) = other.run("1 posting P1 -100\n1 posting P2 7\n1 line S1/1 7\n4 tick")[-1:]
    assert first.break_id == second.break_id and first.event_id != second.event_id


def test_a_clock_ahead_does_not_end_the_grace_of_others() -> None:
    desk = Desk()
    desk.run("1 posting P1 -100")
    assert desk.apply(desk.read("900 posting P2 7"), recorded_at=2 * DAY) == []
    assert [show(result) for result in desk.run("4 tick")] == [
        "MISSING_EXTERNAL -100 on P1",
        "MISSING_EXTERNAL 7 on P2",
    ]


def test_one_event_settles_a_bounded_number_of_due_items() -> None:
    desk = Desk()
    for number in range(DUE_MAX + 5):
        desk.run(f"1 posting P{number} {number + 1}")
    assert [len(desk.run("9 tick")) for _ in range(3)] == [DUE_MAX, 5, 0]


def test_the_chain_of_statements_is_bounded_and_a_stranger_to_it_is_not_checked() -> None:
    desk = Desk()
    for day in range(10, 12 + CHAIN_LENGTH):
        assert desk.run(f"{day} close S{day} 5 5 0") == []
    assert desk.run("1 close S1 9 9 0") == []
    assert len(desk.run(f"{12 + CHAIN_LENGTH} close S99 6 6 0")) == 1
    assert len(msgspec.msgpack.decode(desk.rows.data[chain_key("acme", "nostro", "EUR")][1:])) == CHAIN_LENGTH


REFUSALS = {
    "another currency than its statement": ("currency_mismatch", "1 line S1/2 5", {"currency": "USD"}),
    "closed in another currency": ("currency_mismatch", "1 close S1 0 5 1", {"currency": "USD"}),
    "a negative line number": ("line_no_must_not_be_negative", "1 line S1/-1 5", {}),
    "a negative number of lines": ("line_count_must_not_be_negative", "1 close S1 0 0 -1", {}),
    "an amount too large": ("overflow", "1 posting P1 5", {"amount_minor": 2**61 + 1}),
    "a line too large": ("overflow", "1 line S1/2 5", {"amount_minor": -(2**63)}),
    "a sum too large": ("overflow", "1 line S1/2 5", {"amount_minor": 2**61}),
    "a balance too large": ("overflow", "1 close S1 0 0 0", {"opening_balance_minor": 2**62}),
    "an id with NUL": ("malformed_id", "1 posting P1 5", {"posting_id": "a\0b"}),
    "an empty id": ("malformed_id", "1 line S1/2 5", {"statement_id": ""}),
}


@pytest.mark.parametrize(("code", "entry", "changes"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_leaves_nothing_behind(code: str, entry: str, changes: dict[str, Any]) -> None:
    desk = Desk()
    desk.run("1 line S1/1 5")
    with pytest.raises(Reject) as refusal:
        desk.apply(msgspec.structs.replace(desk.read(entry), **changes))
    assert refusal.value.code == code


def test_an_event_of_another_log_is_refused() -> None:
    with pytest.raises(Reject, match="unexpected_event"):
        Desk().apply(object())
    assert tuple(keys(object())) == ()


@pytest.mark.parametrize("reference", ["", "  ", "IN\0V1"])
def test_a_blank_or_broken_reference_is_none(reference: str) -> None:
    desk = Desk()
    desk.run("1 posting P1 5 INV1")
    line = msgspec.structs.replace(desk.read("1 line S1/1 5"), external_reference=reference)
    assert [show(result) for result in desk.apply(line)] == ["S1/1 = P1 by AMOUNT_DATE"]


def test_the_largest_figures_still_fit() -> None:
    desk, limit = Desk(), 2**61
    shown = [show(r) for r in desk.run(f"1 posting P1 -{limit} INV1\n1 line S1/1 {limit} INV1")]
    assert shown == [f"AMOUNT {2 * limit} on S1/1/P1"]
    (opened,) = desk.run(f"1 close S1 {limit} -{limit} 1")
    assert opened.amount_minor == -3 * limit >= -(2**63)


@pytest.mark.parametrize(
    ("amount", "tolerance", "inside", "outside"),
    [
        (100, 0, [100], [101, 1000, -100]),
        (-5, 2, [-7, -5, -3], []),
        (0, 9, [-9, 9], []),
        (95, 10, [85, 105], []),
    ],
)
def test_amount_prefixes_cover_the_tolerance(
    amount: int, tolerance: int, inside: list[int], outside: list[int]
) -> None:
    prefixes = amount_prefixes(amount, tolerance)
    assert len(prefixes) <= 2
    assert all(sortable(number).startswith(tuple(prefixes)) for number in inside)
    assert not any(sortable(number).startswith(tuple(prefixes)) for number in outside)


def test_an_unknown_layout_is_an_error_not_a_guess() -> None:
    desk = Desk()
    desk.run("1 line S1/1 5")
    key = line_key("acme", "nostro", "S1", 1)
    desk.rows.data[key] = b"\x09" + desk.rows.data[key][1:]
    with pytest.raises(UnknownLayout, match="unknown layout 9"):
        read(desk.rows, key, BankLine)


def test_keys_names_rows_that_apply_writes_or_reads() -> None:
    for entry in ("1 posting P1 5", "1 line S1/1 5", "1 close S1 0 0 0"):
        desk = Desk()
        event = desk.read(entry)
        apply(event, Arrival(LATER, 0, 4), desk.rows, Outbox())
        assert set(keys(event)) <= set(desk.rows.data)
