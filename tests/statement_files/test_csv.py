"""CSV by a mapping, and the first guess of one."""

from __future__ import annotations

import pytest

from pipeline.statement_files.checks import problems_of
from pipeline.statement_files.csv_file import read_csv
from pipeline.statement_files.csv_guess import as_toml, guess
from pipeline.statement_files.csv_mapping import Mapping, mapping_of
from pipeline.statement_files.form import FileRefused, Statement
from tests.statement_files.files import CSV, MAPPING


def mapping(*changes: tuple[str, str]) -> Mapping:
    """Return the mapping of the sample with some of its lines changed."""
    text = MAPPING
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return mapping_of(text.encode())


def days(text: str, *changes: tuple[str, str]) -> list[Statement]:
    """Return the days of a list."""
    return read_csv(text, mapping(*changes)).statements


def amounts(amount: str, settings: str, columns: str = 'amount = "A"\n') -> int:
    """Return the amount of a row."""
    text = f'{settings}\ncurrency = "EUR"\n[columns]\nbooked = "D"\n{columns}'
    names = ["D", *dict.fromkeys(name for name in ("A", "Out", "In", "CD") if f'"{name}"' in columns)]
    found = read_csv(
        f"{'|'.join(names)}\n2026-03-02|{amount}\n", mapping_of(f'delimiter = "|"\n{text}'.encode())
    )
    return found.statements[0].lines[0].amount_minor


def test_every_day_is_a_statement_oldest_first() -> None:
    read = read_csv(CSV, mapping())
    first, last = read.statements
    assert [line.amount_minor for line in first.lines] == [5_000, 100_000]
    assert (first.opening_minor, first.closing_minor) == (10_000, 115_000)
    assert (last.opening_minor, last.closing_minor) == (115_000, None)  # the day may go on
    assert [s.statement_id for s in read.statements] == ["list EUR@2026-03-02", "list EUR@2026-03-03"]
    assert "`complete = true`" in read.notes[0]
    assert not list(problems_of(read.statements))
    thanks, invoice = first.lines
    assert (thanks.end_to_end_id, thanks.external_reference, thanks.counterparty_name) == (
        "INV-7",
        "INV-7",
        "Ben",
    )
    assert invoice.external_reference == "RF18539007547034"


def test_a_list_that_is_whole_closes_its_last_day() -> None:
    assert days(CSV, ("skip_lines = 1", "skip_lines = 1\ncomplete = true"))[-1].closing_minor == 12_950


def test_a_longer_list_has_the_same_days_and_the_new_lines_after_them() -> None:
    head, rows = CSV.split("\n", 2)[:2], CSV.split("\n")[2:-1]
    older = "\n".join([*head, *rows[1:], ""])
    assert [line.amount_minor for line in days(older)[0].lines] == [5_000, 100_000]
    newest = '03.03.2026;03.03.2026;-9,50;EUR;"later";Shop;120,00'
    longer = "\n".join([*head, newest, *rows, ""])
    assert [line.amount_minor for line in days(longer)[1].lines] == [-102_050, -950]
    assert days(longer)[0].lines[0].amount_minor == days(CSV)[0].lines[0].amount_minor


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("-12,50", -1_250),
        ("12,50-", -1_250),
        ("(12,50)", -1_250),
        ("1.234.567,89", 123_456_789),
        ("1 234,5", 123_450),
        ("1'234,50", 123_450),
        ("EUR 7,00", 700),
        ("7,00 €", 700),
        ("+3", 300),
        ("−3,00", -300),
    ],
)
def test_amounts_as_people_write_them(text: str, minor: int) -> None:
    assert amounts(text, 'decimal = ","') == minor


@pytest.mark.parametrize("text", ["1,234.50", "1.2.3", "12.5", "abc", "", "1,005", "9" * 30, "１２"])
def test_an_amount_that_can_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(FileRefused, match="line 2, amount"):
        amounts(text, 'decimal = ","')


def test_signs_in_a_column_of_their_own() -> None:
    columns = 'amount = "A"\nsign = "CD"\n'
    assert amounts("5.00|D", "", columns) == -500
    assert amounts("5.00|H", "", columns) == 500
    with pytest.raises(FileRefused, match="neither credit nor debit"):
        amounts("5.00|X", "", columns)


def test_debit_and_credit_in_two_columns() -> None:
    columns = 'debit = "Out"\ncredit = "In"\n'
    assert amounts("5.00|", "", columns) == -500
    assert amounts("|5.00", "", columns) == 500
    assert amounts("0.00|5.00", "", columns) == 500
    for both in ("5.00|5.00", "|"):
        with pytest.raises(FileRefused):
            amounts(both, "", columns)


def test_a_bank_s_own_sign_is_turned() -> None:
    assert amounts("5.00", "turned = true") == -500


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("-1.020,50", "x", "line 3, amount"),
        ("03.03.2026;03", "2026-03-03;03", "line 3, booked"),
        (";EUR;", ";XXX;", "line 3, currency"),
        ("Booking date", "Day", "no such column"),
        ("Name;Balance", "Amount;Balance", "two columns have this name"),
        ('"Rent; March"', '"Rent', "line "),
        (
            '03.03.2026;03.03.2026;-1.020,50;EUR;"Rent; March";Landlord;129,50',
            "Total 3",
            "1 cells, and there are 7 columns",
        ),
        (";Landlord;", ";Land;lord;", "8 cells, and there are 7 columns"),
    ],
)
def test_a_row_that_cannot_be_read_refuses_the_file_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(FileRefused) as error:
        days(CSV.replace(old, new, 1))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[columns]", "[column]", "no \\[columns\\]"),
        ("amount =", "amounts =", "no meaning"),
        ('amount = "Amount"\n', "", "amount is missing"),
        ('booked = "Booking date"\n', "", "booked is missing"),
        ('currency = "Currency"\n', "", "currency is missing"),
        ('";"', '";;"', "one character"),
        ('decimal = ","', 'decimal = "x"', "point or a comma"),
        ("%d.%m.%Y", "day", "a form such as"),
        ("%d.%m.%Y", "%d.%q", "a form such as"),
        ("skip_lines = 1", 'skip_lines = "1"', "int"),
        ("skip_lines = 1", "skip_lines = -1", "0 to 1,000"),
        ("skip_lines = 1", "skip = 1", "no setting"),
        ("skip_lines = 1", 'encoding = "nothing"', "encoding"),
        ("skip_lines = 1", "skip_lines = ", "TOML"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_what_is_wrong(old: str, new: str, said: str) -> None:
    with pytest.raises(FileRefused, match=said):
        mapping((old, new))


def test_a_list_without_balances_closes_nothing_and_says_so() -> None:
    read = read_csv(CSV, mapping(('balance = "Balance"\n', "")))
    assert [s.closing_minor for s in read.statements] == [None, None]
    assert "no balances" in read.notes[0]


def test_a_guess_finds_dialect_and_columns_and_is_a_mapping() -> None:
    found = guess(CSV)
    assert (found.delimiter, found.skip_lines, found.date, found.decimal) == (";", 1, "%d.%m.%Y", ",")
    assert found.columns == {
        "booked": "Booking date",
        "value": "Value date",
        "amount": "Amount",
        "currency": "Currency",
        "description": "Purpose",
        "counterparty": "Name",
        "balance": "Balance",
    }
    assert (
        read_csv(CSV, mapping_of(as_toml(found).encode())).statements == read_csv(CSV, mapping()).statements
    )


def test_a_guess_says_what_it_doubts() -> None:
    found = guess("When,How much\n01/02/2026,1.00\n")
    assert any("booked" in doubt for doubt in found.doubts)
    found = guess("Date,Amount\n01/02/2026,1.00\n")
    assert any("%m/%d/%Y" in doubt for doubt in found.doubts)
    with pytest.raises(FileRefused):
        guess("hello\n")
