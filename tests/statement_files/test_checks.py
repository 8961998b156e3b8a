"""What is said about a file: lines, sums, gaps and overlaps of a chain; and the events of statements."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.events import StatementClosed, StatementLine
from pipeline.statement_files.accounts import Account, account_of, accounts_of
from pipeline.statement_files.as_events import count_of, events_of
from pipeline.statement_files.checks import problems_of
from pipeline.statement_files.form import Detail, FileRefused, Line, Statement, statement_id_of
from pipeline.statement_files.references import is_placeholder

DAY_US = 86_400_000_000
NOSTRO = Account("north", "nostro")


def statement(day: int, opening: int | None, closing: int | None, *amounts: int, **more: Any) -> Statement:
    """Return a statement of a day with lines of these amounts."""
    at = day * DAY_US
    lines = tuple(Line(f"line {n}", minor, "EUR", at, day, "text") for n, minor in enumerate(amounts))
    fields: dict[str, Any] = {"statement_id": f"S{day}-{opening}", "place": f"day {day}", "account": "A"}
    fields |= {"currency": "EUR", "from_us": at, "closed_us": at}
    return Statement(lines=lines, opening_minor=opening, closing_minor=closing, **fields | more)


def said(*statements: Statement) -> list[str]:
    """Return what does not hold."""
    return list(problems_of(statements))


def test_an_unbroken_chain_says_nothing_in_whatever_order_it_comes() -> None:
    chain = [statement(1, 0, 100, 100), statement(2, 100, 150, 50), statement(3, 150, 150, 1, -1)]
    assert said(*chain) == said(*chain[::-1]) == []


def test_several_of_one_day_are_ordered_by_their_balances_and_not_by_their_names() -> None:
    nine = statement(1, 0, 100, 100, statement_id="S9")
    ten = statement(1, 100, 150, 50, statement_id="S10")
    assert said(ten, nine) == said(nine, ten) == []
    assert said(ten, statement(2, 150, 160, 10), nine) == []


def test_a_gap_is_said_with_both_balances() -> None:
    (gap,) = said(statement(1, 0, 100, 100), statement(3, 150, 160, 10))
    assert (
        gap
        == "day 3: it opens with 1.50 EUR, day 1 closes with 1.00 EUR: a statement is missing between them"
    )


def test_a_missing_number_is_a_gap_even_if_the_balances_fit() -> None:
    (gap,) = said(statement(1, 0, 100, 100, sequence_no=4), statement(2, 100, 110, 10, sequence_no=6))
    assert "it has number 6, the one before 4" in gap
    assert said(statement(1, 0, 9, 9, sequence_no=365), statement(2, 9, 10, 1, sequence_no=1)) == []


def test_an_overlap_is_said() -> None:
    early = statement(5, 0, 100, 100, from_us=1 * DAY_US)
    late = statement(7, 60, 160, 100, from_us=4 * DAY_US)
    assert "they overlap" in said(early, late)[0]


def test_lines_that_do_not_make_the_closing_balance() -> None:
    (one,) = said(statement(1, 0, 100, 99))
    assert one == "day 1: opening balance and lines make 0.99 EUR, the closing balance is 1.00 EUR"


def test_the_same_statement_twice_is_one_and_another_content_is_said() -> None:
    one = statement(1, 0, 100, 100)
    assert said(one, one) == []
    assert "says something else" in said(one, statement(1, 0, 90, 90, statement_id=one.statement_id))[0]


def test_an_id_is_that_of_one_statement() -> None:
    assert statement_id_of("001", "2025-03-02", None, None, 5) != statement_id_of(
        "001", "2026-03-02", None, None, 5
    )
    assert statement_id_of("$a/b\0", "2026-03-02", 3, 2, 5) == "a-b-@2026-03-02#3.2"
    assert statement_id_of("", "2026-03-02", None, None, None) == "statement@2026-03-02"
    assert len(statement_id_of("x" * 900, "2026-03-02", 10**9, 10**9, 2**61)) <= 256


def test_events_carry_what_a_statement_says() -> None:
    line = Line(
        *("line 5", -1_250, "EUR", 3 * DAY_US + 5, 4, "rent May", "INV-1", "E2E-1", "B1", "PMNT.ICDT.ESCT"),
        *(
            "Anna",
            "DE89",
            True,
            "REVERSAL",
            -1_300,
            "USD",
            25,
            (Detail(-1_250, "EUR", "INV-1", "rent", "Anna"),),
        ),
    )
    whole = statement(3, 5_000, 3_750, sequence_no=7, page=2)
    whole = msgspec.structs.replace(whole, lines=(line,))
    told, closed = events_of(whole, NOSTRO)
    assert isinstance(told, StatementLine) and isinstance(closed, StatementClosed)
    assert told.key() == closed.key() == b"north/nostro"
    record = told.to_avro()
    assert record["details"] == [
        {
            "amount_minor": -1_250,
            "currency": "EUR",
            "reference": "INV-1",
            "description": "rent",
            "counterparty": "Anna",
        }
    ]
    shown = ("line_no", "amount_minor", "external_reference", "end_to_end_id", "fee_minor", "is_reversal")
    assert [record[name] for name in shown] == [1, -1_250, "INV-1", "E2E-1", 25, True]
    assert (record["original_amount_minor"], record["original_currency"]) == (-1_300, "USD")
    assert (closed.line_count, closed.sequence_no, closed.page) == (1, 7, 2)
    assert closed.occurred_at >= told.occurred_at
    assert count_of(whole) == 2


def test_ids_of_events_come_from_their_content_alone() -> None:
    one = statement(1, 0, 150, 100, 50)
    ids = [event.event_id for event in events_of(one, NOSTRO)]
    moved = msgspec.structs.replace(one, place="elsewhere", lines=tuple(
        msgspec.structs.replace(line, place="elsewhere") for line in one.lines
    ))  # fmt: skip
    assert [event.event_id for event in events_of(moved, NOSTRO)] == ids
    assert len(set(ids)) == 3
    assert {event.event_id for event in events_of(one, Account("north", "other"))}.isdisjoint(ids)
    changed = msgspec.structs.replace(one.lines[0], counterparty_name="Anna")
    other = [
        e.event_id for e in events_of(msgspec.structs.replace(one, lines=(changed, one.lines[1])), NOSTRO)
    ]
    assert [a == b for a, b in zip(ids, other, strict=True)] == [False, True, True]


def test_a_statement_without_a_balance_is_never_closed() -> None:
    events = list(events_of(statement(1, 0, None, 100), NOSTRO))
    assert [type(event) for event in events] == [StatementLine]


def test_accounts_are_found_by_the_bank_s_name() -> None:
    found = accounts_of(
        b'[accounts]\n"DE89 3704" = "north/eur"\n"CH93 USD" = "north/chusd"\nCH93 = "north/ch"\n'
        b'"12-34" = "south/x"\n'
    )
    named = {"de893704": "EUR", "DE893704EUR": "EUR", "CH93": "USD", "ch 93": "CHF", "12-34": "EUR"}
    accounts = [
        str(found.of(statement(1, 0, 0, account=name, currency=currency))) for name, currency in named.items()
    ]
    assert accounts == ["north/eur", "north/eur", "north/chusd", "north/ch", "south/x"]
    for name in ("DE89", "", "1234"):
        with pytest.raises(FileRefused, match="add it to --accounts"):
            found.of(statement(1, 0, 0, account=name))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "accounts = 1",
        "[accounts]\nA = 1",
        "[accounts]\nA = 'x'",
        "[accounts]\nA='a/b'\n'a '='a/b'",
        "[x]",
        "\xff[",
    ],
)
def test_files_of_accounts_that_cannot_be_used(text: str) -> None:
    with pytest.raises(FileRefused):
        accounts_of(text.encode("latin-1"))


@pytest.mark.parametrize("text", ["north", "north/", "/x", "a/b/c", "$a/b", "a/$b", "a" * 300 + "/b"])
def test_an_account_is_a_tenant_and_an_account(text: str) -> None:
    with pytest.raises(FileRefused):
        account_of(text)


def test_placeholders() -> None:
    for text in ("NOTPROVIDED", "Not Provided", "NONREF", "EREF+", "0000", "-", "N/A", "xxxx", "none."):
        assert is_placeholder(text), text
    for text in ("INV-0", "100", "X1", "RF18539007547034", "REFUND"):
        assert not is_placeholder(text), text
