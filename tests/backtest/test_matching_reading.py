"""Files of postings, lines and labels: what is taken, and what is refused with row and column."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from pipeline.backtest.matching.reading import Label, Row, read_files, read_labels
from pipeline.backtest.problems import FileRefused
from tests.backtest.matching_files import LINE, POSTING, lines_file, pairs_file, postings_file

DAY = 86_400_000_000
MARCH_2 = (date(2026, 3, 2) - date(1970, 1, 1)).days


def rows(tmp_path: Path, postings: list[dict[str, Any]], lines: list[dict[str, Any]]) -> list[Row]:
    """Return the rows of two files."""
    files = read_files(postings_file(tmp_path / "p.csv", *postings), lines_file(tmp_path / "l.csv", *lines))
    return list(files.rows())


def refusal(tmp_path: Path, postings: list[dict[str, Any]], lines: list[dict[str, Any]]) -> str:
    """Return why two files are refused."""
    with pytest.raises(FileRefused) as caught:
        rows(tmp_path, postings, lines)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_items_come_in_the_order_of_time_and_postings_first(tmp_path: Path) -> None:
    at = {"occurred_at": "2026-03-03T20:00:00Z"}
    found = rows(tmp_path, [at, {}], [{}, {"booked_at": "2026-03-01T20:00:00Z"}])
    assert [row.item_id for row in found] == ["l2", "p2", "p1", "l1"]
    assert [row.is_line for row in found] == [True, False, False, True]


def test_a_row_has_what_its_file_says(tmp_path: Path) -> None:
    more = {"amount_minor": "+77", "reference": "INV 7", "counterparty": "Ann", "description": "tea"}
    booking = {"value_date": "", "description": "from Ann", "booked_at": "2026-03-03"}
    posting, line = rows(tmp_path, [more], [booking])
    at_us = MARCH_2 * DAY + (9 * 60 + 30) * 60_000_000
    assert posting == Row(at_us, False, "p1", "nostro", 77, "EUR", MARCH_2, "INV 7", "Ann", "tea")
    assert line.at_us == (MARCH_2 + 2) * DAY - 1  # a date alone is the end of its day
    assert (line.value_day, line.minor, line.description) == (MARCH_2 + 1, -1250, "from Ann")


def test_some_lines_without_a_value_date_have_that_of_their_booking(tmp_path: Path) -> None:
    _, *lines = rows(tmp_path, [{}], [{}, {"value_date": ""}, {"value_date": "2026-03-07"}])
    assert [line.value_day - MARCH_2 for line in lines] == [1, 1, 5]


def test_parquet_with_types_of_its_own_is_the_same(tmp_path: Path) -> None:
    csv = rows(tmp_path, [{"reference": "R1"}], [{}])
    posting = {**POSTING, "amount_minor": -1250, "reference": "R1"}
    line = {**LINE, "amount_minor": -1250, "value_date": date(2026, 3, 3)}
    posting["occurred_at"] = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    line["booked_at"] = datetime(2026, 3, 3, 20, tzinfo=UTC)
    files = read_files(
        postings_file(tmp_path / "p.parquet", posting), lines_file(tmp_path / "l.parquet", line)
    )
    # An empty text and none are the same to the stream.
    assert [row._replace(description=None, reference=row.reference or None) for row in files.rows()] == [
        row._replace(description=None, reference=row.reference or None) for row in csv
    ]


@pytest.mark.parametrize(
    ("postings", "lines", "said"),
    [
        ([{}, {"amount_minor": "12.50"}], [{}], "p.csv: row 2, column amount_minor: '12.50' is not an"),
        ([{}, {"amount_minor": "NaN"}], [{}], "p.csv: row 2, column amount_minor: 'NaN' is not an integer"),
        ([{"amount_minor": 2**61 + 1}], [{}], "p.csv: row 1, column amount_minor: 2305843009213693953 is m"),
        ([{"amount_minor": 2**64}], [{}], "p.csv: row 1, column amount_minor: '18446744073709551616' is"),
        ([{"occurred_at": "2026-03-02T09:30:00"}], [{}], "p.csv: row 1, column occurred_at: '2026-03-02T"),
        ([{"currency": "EURO"}], [{}], "p.csv: row 1, column currency: 'EURO' is no active ISO 4217 code"),
        ([{}, {"posting_id": "p1"}], [{}], "p.csv: row 2, column posting_id: 'p1' is in row 1 already"),
        ([{}], [{}, {"value_date": "2026-02-30"}], "l.csv: row 2, column value_date: '2026-02-30' is no d"),
        ([{}], [{}, {"value_date": "3.3.26"}], "l.csv: row 2, column value_date: '3.3.26' is no date, su"),
        ([{}], [{"value_date": "1969-12-31"}], "l.csv: row 1, column value_date: 1969-12-31 is not from"),
        ([{}], [{"line_id": "a/b"}], "l.csv: row 1, column line_id: 'a/b' has a character"),
        ([{}], [{"account_id": ""}], "l.csv: row 1, column account_id: is empty"),
        ([{}], [{}, {"description": "x" * 4_001}], "l.csv: row 2, column description: has 4,001 charac"),
        ([{"booked_at": "", "reference": "r"}], [], "l.csv: no lines"),
        ([], [{}], "p.csv: no postings"),
    ],
)
def test_a_bad_cell_is_named(
    tmp_path: Path, postings: list[dict[str, Any]], lines: list[dict[str, Any]], said: str
) -> None:
    assert refusal(tmp_path, postings, lines).startswith(said)


def test_a_booking_that_is_no_date_is_named(tmp_path: Path) -> None:
    said = refusal(tmp_path, [{}], [{"booked_at": "2026-03-03"}, {"booked_at": "soon"}])
    assert said == "l.csv: row 2, column booked_at: 'soon' is no time, such as 2026-03-01T09:30:00Z"
    said = refusal(tmp_path, [{}], [{}, {"booked_at": "2026-02-30"}])
    assert said == "l.csv: row 2, column booked_at: '2026-02-30' is no day of the calendar"
    said = refusal(tmp_path, [{}], [{"booked_at": "2026-03-03"}, {"booked_at": ""}])
    assert said == "l.csv: row 2, column booked_at: is empty"


MIXED = {
    "2026-03-03": (MARCH_2 + 2) * DAY - 1,
    "2026-03-03T20:00:00Z": (MARCH_2 + 1) * DAY + 20 * DAY // 24,
    "2026-03-03T21:00:00+01:00": (MARCH_2 + 1) * DAY + 20 * DAY // 24,
    str((MARCH_2 + 4) * DAY): (MARCH_2 + 4) * DAY,
}
"""What a booking may be, and when it is."""


@pytest.mark.parametrize("first", MIXED)
def test_a_column_may_mix_dates_and_times_in_any_order(tmp_path: Path, first: str) -> None:
    order = [first, *(text for text in MIXED if text != first), first]
    found = rows(tmp_path, [{}], [{"booked_at": text} for text in order])
    when = {row.item_id: row.at_us for row in found if row.is_line}
    assert when == {f"l{number}": MIXED[text] for number, text in enumerate(order, 1)}


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_a_file_of_another_delimiter_is_refused(tmp_path: Path, sign: str) -> None:
    path = postings_file(tmp_path / "p.csv", {})
    path.write_text("\ufeff" + path.read_text("utf-8").replace(",", sign), "utf-8")
    with pytest.raises(FileRefused) as caught:
        read_files(path, lines_file(tmp_path / "l.csv", {}))
    assert "no column posting_id, account_id" in str(caught.value)
    assert f"columns are divided by {sign!r}, and must be by commas" in str(caught.value)


@pytest.mark.parametrize("columns", [20_000, pytest.param(500_000, marks=pytest.mark.long)])
def test_a_file_with_very_many_columns_is_refused(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "p.csv"
    path.write_text(",".join(["a"] * columns) + "\n", "utf-8")
    with pytest.raises(FileRefused, match=r"p\.csv"):
        read_files(path, lines_file(tmp_path / "l.csv", {}))


def test_a_row_of_a_million_fields_is_refused(tmp_path: Path) -> None:
    path = postings_file(tmp_path / "p.csv", {})
    with path.open("a", encoding="utf-8") as opened:
        opened.write("," * 1_000_000 + "\n")
    with pytest.raises(FileRefused, match=r"p\.csv: .*[Rr]ow"):
        read_files(path, lines_file(tmp_path / "l.csv", {}))


def test_floating_amounts_are_refused(tmp_path: Path) -> None:
    row = {**POSTING, "amount_minor": float("nan")}
    with pytest.raises(FileRefused, match="column amount_minor: is double, and must be an integer"):
        read_files(postings_file(tmp_path / "p.parquet", row), lines_file(tmp_path / "l.csv", {}))


def test_a_parquet_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = lines_file(tmp_path / "l.parquet", {**LINE, "amount_minor": 5}, {**LINE, "amount_minor": 6})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FileRefused, match="no Parquet file that can be read"):
        read_files(postings_file(tmp_path / "p.csv", {}), path)


def test_labels_name_items_that_are_there(tmp_path: Path) -> None:
    files = read_files(
        postings_file(tmp_path / "p.csv", {}, {}, {"account_id": "other"}),
        lines_file(tmp_path / "l.csv", {}, {}),
    )
    good = pairs_file(tmp_path / "a.csv", ("p1", "l1"), ("p2", "l1"))
    assert read_labels(good, files) == [Label("p1", "l1"), Label("p2", "l1")]
    for pairs, said in (
        ([("p1", "l1"), ("p9", "l2")], "row 2, column posting_id: 'p9' is not in the file of postings"),
        ([("p1", "p1")], "row 1, column line_id: 'p1' is not in the file of lines"),
        ([("p3", "l1")], "row 1, column line_id: the line is of another account than the posting"),
        ([("p1", "l1"), ("p1", "l1")], "row 2, column line_id: the pair is in row 1 already"),
        ([("p1", "")], "row 1, column line_id: is empty"),
        ([], "no labels"),
    ):
        with pytest.raises(FileRefused) as caught:
            read_labels(pairs_file(tmp_path / "b.csv", *pairs), files)
        assert said in str(caught.value)


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64(), pa.timestamp("ns"), pa.timestamp("us", "UTC")])
def test_dates_of_every_type_are_days(tmp_path: Path, kind: Any) -> None:
    lines = lines_file(tmp_path / "l.parquet", *({"amount_minor": 5} for _ in range(3)))
    table = pyarrow.parquet.read_table(lines)
    ns = [(MARCH_2 + 4) * 86_400_000_000_000 + 1_001, None, MARCH_2 * 86_400_000_000_000]
    days = pa.array(ns, pa.timestamp("ns")).cast(kind, safe=False)
    place = table.schema.get_field_index("value_date")
    pyarrow.parquet.write_table(table.set_column(place, "value_date", days), lines)
    files = read_files(postings_file(tmp_path / "p.csv", {}), lines)
    assert [row.value_day - MARCH_2 for row in files.rows() if row.is_line] == [4, 1, 0]


def test_a_date_that_no_calendar_has_is_named(tmp_path: Path) -> None:
    lines = lines_file(tmp_path / "l.parquet", *({"amount_minor": 5} for _ in range(2)))
    table = pyarrow.parquet.read_table(lines)
    place = table.schema.get_field_index("value_date")
    for number in (2**31 - 1, -(2**31)):
        days = pa.array([1, number], pa.int32()).cast(pa.date32())
        pyarrow.parquet.write_table(table.set_column(place, "value_date", days), lines)
        with pytest.raises(FileRefused, match=r"row 2, column value_date: .* days since 1970 are not from"):
            read_files(postings_file(tmp_path / "p.csv", {}), lines)


def test_texts_of_dictionaries_are_texts(tmp_path: Path) -> None:
    lines = lines_file(tmp_path / "l.parquet", {**LINE, "amount_minor": 5, "description": "rent"})
    table = pyarrow.parquet.read_table(lines)
    for name in ("description", "value_date", "booked_at"):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table[name].cast(pa.string()).dictionary_encode())
    pyarrow.parquet.write_table(table, lines)
    files = read_files(postings_file(tmp_path / "p.csv", {}), lines)
    assert [row.description for row in files.rows()] == [None, "rent"]
