"""BAI2: continuations, funds types, returns, trailers that do not add up."""

from __future__ import annotations

import pytest

from pipeline.statement_files.bai2 import read_bai2
from pipeline.statement_files.checks import problems_of
from pipeline.statement_files.form import FileRefused, Line
from tests.statement_files.files import BAI2


def line_of(transaction: str) -> Line:
    """Return the line of an account with one transaction."""
    head, _, rest = BAI2.partition("16,475")
    read = read_bai2(head + transaction + "\n49" + rest.partition("\n49")[2])
    assert not read.refused, read.refused
    return read.statements[0].lines[0]


def test_an_account_is_read() -> None:
    read = read_bai2(BAI2)
    (statement,) = read.statements
    assert (statement.account, statement.currency) == ("123456", "USD")
    assert (statement.opening_minor, statement.closing_minor) == (10_000, 12_500)
    assert statement.statement_id == "BAI2 BANK@2026-03-02~10000"
    paid, got = statement.lines
    assert (paid.amount_minor, paid.bank_reference, paid.external_reference) == (-2_500, "B1", "C1")
    assert (paid.description, paid.transaction_code) == ("CHECK PAID, NO/SLASH MORE TEXT", "475")
    assert (paid.value_day - got.value_day, paid.booked_us) == (1, got.booked_us)
    assert (got.amount_minor, got.external_reference, got.description) == (5_000, "INV 7", "ACH CREDIT")
    assert not read.refused and not list(problems_of([statement]))
    assert not read.problems


def test_returns_and_fees_are_told_and_have_their_own_sign() -> None:
    returned = line_of("16,555,2500,0,B9,C9,RETURNED ITEM/")
    assert (returned.amount_minor, returned.is_reversal, returned.entry_kind) == (-2_500, True, "REVERSAL")
    reversal = line_of("16,252,2500,0,B9,C9,DEBIT REVERSAL/")
    assert (reversal.amount_minor, reversal.is_reversal) == (2_500, True)
    assert line_of("16,698,2500,0,,,MISC FEE/").entry_kind == "FEE"
    assert line_of("16,475,0,0,,,TEXT/").entry_kind == "INFORMATION"


def test_a_distribution_over_days_is_skipped() -> None:
    line = line_of("16,165,2500,D,2,0,1000,1,1500,B1,C1,TEXT, MORE/")
    assert (line.bank_reference, line.external_reference, line.description) == ("B1", "C1", "TEXT, MORE")


def test_a_continuation_may_carry_fields() -> None:
    line = line_of("16,165,2500,V,260303\n88,,B1,C1\n88,TEXT\n88,, MORE")
    assert (line.bank_reference, line.external_reference) == ("B1", "C1")
    assert line.description.startswith("TEXT")


@pytest.mark.parametrize(
    ("transaction", "said"),
    [
        ("16,99,1,0,,,/", "no type code"),
        ("16,720,1,0,,,/", "neither credit"),
        ("16,165,1.5,0,,,/", "digits alone"),
        ("16,165,99999999999999999999,0,,,/", "larger than any"),
        ("16,165,1,Q,,,/", "no funds type"),
        ("16,165,1,V,261399,,,,/", "no day"),
        ("16,165,1,D,,,,/", "number of distributions"),
    ],
)
def test_what_cannot_be_read_refuses_the_account_with_its_line(transaction: str, said: str) -> None:
    head, _, rest = BAI2.partition("16,475")
    read = read_bai2(head + transaction + "\n49" + rest.partition("\n49")[2])
    assert not read.statements
    (message,) = read.refused
    assert said in message and "line 4, record 16" in message


def test_trailers_that_do_not_add_up_are_said() -> None:
    read = read_bai2(BAI2.replace("49,30000,6/", "49,30001,9/"))
    assert len(read.statements) == 1
    assert "its amounts make 30000, its trailer (49) says 30001" in read.problems[0]
    assert "it has 6 records, its trailer (49) says 9" in read.problems[1]


@pytest.mark.parametrize("lost", ["99,30000,1,10/\n", "98,30000,1,8/\n99,30000,1,10/\n"])
def test_a_file_that_is_cut_off_is_refused(lost: str) -> None:
    with pytest.raises(FileRefused, match="cut off"):
        read_bai2(BAI2.removesuffix(lost))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BAI2.replace("49,30000,6/\n", ""), "no trailer"),
        (BAI2.replace("02,LEDGER,BANK,1,", "02,LEDGER,BANK,2,"), "deletes another one, or is a test"),
        (BAI2.replace("02,LEDGER,BANK,1,260302,,USD,2/\n", ""), "outside of a group"),
        ("88,X/\n", "follows no record"),
        ("02,A,B,1,260302,,USD,2/\n", "file header"),
        ("hello\n", "no record code"),
    ],
)
def test_files_that_are_none(text: str, said: str) -> None:
    with pytest.raises(FileRefused, match=said):
        read_bai2(text)


def test_figures_within_the_day_close_nothing() -> None:
    read = read_bai2(BAI2.replace("USD,2/", "USD,3/"))
    assert read.statements[0].closing_minor is None
    assert "not final" in read.notes[0]
