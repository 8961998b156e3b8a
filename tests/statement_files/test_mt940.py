"""MT940: marks, references, pages, years and what else banks do with it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from pipeline.statement_files.checks import problems_of
from pipeline.statement_files.form import FileRefused, Line, Statement
from tests.statement_files.files import BOOKING, IBAN, mt940

pytest.importorskip("mt940", reason="mt-940 is not installed: pip install '.[test,statements]'")
from pipeline.statement_files.mt940 import read_mt940


def line_of(booking: str) -> Line:
    """Return the line of a statement with one booking."""
    read = read_mt940(mt940(booking))
    assert not read.refused, read.refused
    return read.statements[0].lines[0]


def booked(line: Line) -> date:
    """Return the day of a booking."""
    return date(1970, 1, 1) + timedelta(days=line.booked_us // 86_400_000_000)


def value(line: Line) -> date:
    """Return the value date of a line."""
    return date(1970, 1, 1) + timedelta(days=line.value_day)


def whole(text: str) -> list[Statement]:
    """Return the statements of a file that are all read."""
    read = read_mt940(text)
    assert not read.refused, read.refused
    return read.statements


def test_a_statement_is_read() -> None:
    (statement,) = whole(mt940(BOOKING))
    assert (statement.account, statement.currency, statement.sequence_no, statement.page) == (
        IBAN,
        "EUR",
        1,
        None,
    )
    assert (statement.opening_minor, statement.closing_minor) == (10_000, 15_000)
    assert statement.statement_id == "STARTUMSE@2026-03-02#1"
    (line,) = statement.lines
    assert (line.amount_minor, line.end_to_end_id, line.bank_reference) == (5_000, "E2E-1", "B1")
    assert (line.counterparty_name, line.transaction_code) == ("ANNA SMITH", "NTRF/166")
    assert line.description == "CREDIT EREF+E2E-1 SVWZ+RENT MAY"
    assert not list(problems_of([statement]))


@pytest.mark.parametrize(
    ("mark", "minor", "is_reversal"),
    [
        ("C", 5_000, None),
        ("D", -5_000, None),
        ("RC", -5_000, True),  # a credit that is taken back
        ("RD", 5_000, True),
        ("CR", 5_000, None),  # a credit, and R of EUR
        ("DR", -5_000, None),
        ("RCR", -5_000, True),
        ("RDR", 5_000, True),
    ],
)
def test_marks_and_funds_codes(mark: str, minor: int, is_reversal: bool | None) -> None:
    line = line_of(f":61:260302{mark}50,00NTRFNONREF")
    assert (line.amount_minor, line.is_reversal) == (minor, is_reversal)


@pytest.mark.parametrize("text", ["NONREF", "EREF", "KREF+", "NOTPROVIDED", "0000000000", "XXXX"])
def test_a_literal_placeholder_is_no_reference(text: str) -> None:
    line = line_of(f":61:260302C50,00NTRF{text}\n:86:free text")
    assert (line.external_reference, line.end_to_end_id, line.description) == (None, None, "free text")


def test_the_bank_s_reference_comes_after_two_slashes() -> None:
    line = line_of(":61:2603020302C50,00NTRFINV-12//8951234\nTHEIR WORDS")
    assert (line.external_reference, line.bank_reference, line.description) == (
        "INV-12",
        "8951234",
        "THEIR WORDS",
    )
    assert line_of(":61:2603020302C50,00NTRF//8951234").bank_reference == "8951234"
    longer = line_of(f":61:2603020302C50,00NTRF{IBAN}//8951234")
    assert (longer.external_reference, longer.bank_reference) == (IBAN, "8951234")


@pytest.mark.parametrize(
    ("days", "valued", "entered"),
    [
        ("2512311231", date(2025, 12, 31), date(2025, 12, 31)),
        ("2512310102", date(2025, 12, 31), date(2026, 1, 2)),
        ("2601021231", date(2026, 1, 2), date(2025, 12, 31)),
        ("260302", date(2026, 3, 2), date(2026, 3, 2)),
        ("2402290229", date(2024, 2, 29), date(2024, 2, 29)),
        ("2603010228", date(2026, 3, 1), date(2026, 2, 28)),
        ("6912311231", date(2069, 12, 31), date(2069, 12, 31)),
    ],
)
def test_an_entry_date_has_the_year_that_is_nearest(days: str, valued: date, entered: date) -> None:
    line = line_of(f":61:{days}C50,00NTRFNONREF")
    assert (value(line), booked(line)) == (valued, entered)


def test_thirty_days_of_february_are_the_last_day_and_said() -> None:
    read = read_mt940(mt940(":61:2602300230C50,00NTRFNONREF"))
    assert value(read.statements[0].lines[0]) == date(2026, 2, 28)
    assert "2026-02 has no day 30: 2026-02-28 is taken" in read.notes[0]


@pytest.mark.parametrize(
    ("booking", "said"),
    [
        (":61:261302C50,00NTRFNONREF", "no day of the calendar"),
        (":61:260300C50,00NTRFNONREF", "no day of the calendar"),
        (":61:260332C50,00NTRFNONREF", "no day of the calendar"),
        (":61:2603021340C50,00NTRFNONREF", "no day of the calendar"),
        (":61:260302X50,00NTRFNONREF", "is no booking"),
        (":61:260302C50,001NTRFNONREF", "more decimals"),
        (":61:260302C,NTRFNONREF", "is no amount"),
        (":61:260302C1,2,3NTRFNONREF", "is no amount"),
        (":61:", "is no booking"),
    ],
)
def test_what_cannot_be_read_refuses_the_statement_with_its_line(booking: str, said: str) -> None:
    read = read_mt940(mt940(BOOKING, booking) + mt940(BOOKING, reference="NEXT"))
    assert [statement.statement_id for statement in read.statements] == ["NEXT@2026-03-02#1"]
    (message,) = read.refused
    assert said in message and "line 7, :61:" in message


def test_an_amount_need_not_have_decimals() -> None:
    assert line_of(":61:260302C50,NTRFNONREF").amount_minor == 5_000
    assert line_of(":61:260302C0,5NTRFNONREF").amount_minor == 50


def test_several_statements_with_one_constant_reference() -> None:
    text = mt940(BOOKING, number="0") + mt940(
        BOOKING, number="0", opening="C260302EUR150,00", closing="C260302EUR200,00"
    )
    statements = whole(text)
    assert [s.statement_id for s in statements] == [
        "STARTUMSE@2026-03-02~10000",
        "STARTUMSE@2026-03-02~15000",
    ]
    assert [s.sequence_no for s in statements] == [None, None]
    assert not list(problems_of(statements))


def test_a_second_number_begins_a_statement_without_a_second_reference() -> None:
    first = mt940(BOOKING).removesuffix("-\n")
    second = mt940(BOOKING, number="2", opening="C260302EUR150,00", closing="C260303EUR200,00")
    statements = whole(first + second.split("\n", 2)[2])
    assert [(s.account, s.sequence_no, len(s.lines)) for s in statements] == [(IBAN, 1, 1), (IBAN, 2, 1)]
    assert not list(problems_of(statements))


def test_pages_have_their_own_balances_and_make_one_chain() -> None:
    first = mt940(BOOKING, number="7/1").replace(":62F:", ":62M:")
    second = mt940(BOOKING, number="7/2", opening="C260302EUR150,00", closing="C260302EUR200,00")
    statements = whole(first + second.replace(":60F:", ":60M:"))
    assert [(s.sequence_no, s.page) for s in statements] == [(7, 1), (7, 2)]
    assert [s.statement_id for s in statements] == ["STARTUMSE@2026-03-02#7.1", "STARTUMSE@2026-03-02#7.2"]
    assert not list(problems_of(statements))


def test_a_statement_without_bookings_is_said_even_if_its_balances_are_equal() -> None:
    (quiet,) = whole(mt940(closing="C260302EUR100,00"))
    assert "it has no lines" in next(problems_of([quiet]))
    assert not list(problems_of([quiet], allow_empty=True))
    (lacking,) = whole(mt940())
    said = list(problems_of([lacking], allow_empty=True))
    assert "it has no lines" in said[0] and "closing balance is 150.00 EUR" in said[1]


def test_the_envelope_of_swift_and_headers_of_banks_are_no_part() -> None:
    text = mt940(BOOKING).removesuffix("-\n")
    wrapped = f"MT940 of a bank\n{{1:F01X}}{{2:O940}}{{4:\n{text}-}}{{5:{{CHK:1}}}}\n"
    (statement,) = whole(wrapped)
    assert (len(statement.lines), statement.closing_minor) == (1, 15_000)
    (statement,) = whole("{1:F01X}{2:O940}{4:" + text + "-}")
    assert statement.closing_minor == 15_000


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_line_ends_of_other_systems(ending: str) -> None:
    (statement,) = whole(mt940(BOOKING).replace("\n", ending))
    assert (len(statement.lines), statement.lines[0].counterparty_name) == (1, "ANNA SMITH")


def test_code_words_between_slashes() -> None:
    line = line_of(
        ":61:260302C50,00NTRFNONREF\n:86:/TRTP/SEPA/EREF/INV 77/CNTP/NL91ABNA0417164300/ABNANL2A/B. Ben/A"
        "MSTERDAM/REMI/USTD//rent"
    )
    assert (line.end_to_end_id, line.external_reference) == ("INV 77", "INV 77")
    assert (line.counterparty_account, line.counterparty_name) == ("NL91ABNA0417164300", "B. Ben")


def test_a_text_goes_on_in_the_next_line_where_the_line_is_full() -> None:
    full = "x" * 60 + " begi"
    line = line_of(f":61:260302C50,00NTRFNONREF\n:86:{full}\nnning and\nend")
    assert line.description == "x" * 60 + " beginning and end"


def test_a_creditor_reference_is_put_together_from_parts() -> None:
    booking = ":61:260302C50,00NTRFNONREF\n:86:166?20SVWZ+RF18 5390 0754 70?2134 May?31DE89?32ANN?33A"
    line = line_of(booking)
    assert (line.external_reference, line.counterparty_name) == ("RF18539007547034", "ANNA")


def test_charges_are_fees() -> None:
    assert line_of(":61:260302D1,50NCHGNONREF").entry_kind == "FEE"
    assert line_of(":61:260302D0,00NTRFNONREF").entry_kind == "INFORMATION"


def test_another_text_is_no_mt940() -> None:
    with pytest.raises(FileRefused, match="no :20: field"):
        read_mt940("hello")
    assert "neither an opening" in read_mt940(":20:A\n:25:B\n").refused[0]


def test_a_statement_without_a_closing_balance_is_not_closed() -> None:
    (statement,) = whole(mt940(BOOKING).replace(":62F:C260302EUR150,00\n", ""))
    assert statement.closing_minor is None and len(statement.lines) == 1
    assert "no closing balance" in next(problems_of([statement]))
