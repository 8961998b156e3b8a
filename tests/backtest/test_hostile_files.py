"""Files as people have them: spreadsheets' numbers, other units of time, quotes, types of other programs."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from pipeline.backtest.blocks import Source
from pipeline.backtest.matching.reading import Row, read_files
from pipeline.backtest.problems import FileRefused
from tests.backtest.matching_files import LINE, lines_file, postings_file


def lines_of(tmp_path: Path, path: Path) -> list[Row]:
    """Return the lines of a file, beside one posting."""
    rows = read_files(postings_file(tmp_path / "p.csv", {}), path).rows()
    return [row for row in rows if row.is_line]


def refusal(tmp_path: Path, path: Path) -> str:
    """Return why a file of lines is refused."""
    with pytest.raises(FileRefused) as caught:
        lines_of(tmp_path, path)
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "-12.50",
            "-1250.0",
            "1.25E+03",
            '"-1,250"',
            '"-12,50"',
            '"-1.250,00"',
            "-1 250",
            "1250-",
            "(1250)",
        ),
        *("\u22121250", "EUR 1250", " -1250", "\u0661\u0662", "NULL", "-", "+-5", "0x10", "1_250", "=1250"),
    ],
)
def test_amounts_that_are_no_minor_units_say_how_to_write_them(tmp_path: Path, text: str) -> None:
    path = lines_file(tmp_path / "l.csv", {}, {"amount_minor": text})
    said = refusal(tmp_path, path)
    assert said.startswith(f"l.csv: row 2, column amount_minor: {text.strip(chr(34))!r} is not an integer of")
    assert "without decimals, blanks and separators, such as -1250 for 12.50 EUR that go out" in said


@pytest.mark.parametrize(
    "text", ["03/03/2026", "03.03.2026", "3 Mar 2026", "2026-3-3", "2026-03-03T10:00:00 CET", "NaT"]
)
def test_times_of_other_styles_are_named(tmp_path: Path, text: str) -> None:
    said = refusal(tmp_path, lines_file(tmp_path / "l.csv", {}, {"booked_at": text}))
    assert said.startswith(f"l.csv: row 2, column booked_at: {text!r} ") and "2026-03-01T09:30:00Z" in said


@pytest.mark.parametrize("number", [20260303, 1_772_568_000, 1_772_568_000_000])
@pytest.mark.parametrize("end", ["csv", "parquet"])
def test_dates_and_other_units_as_numbers_are_no_microseconds(tmp_path: Path, number: int, end: str) -> None:
    rows = [{"amount_minor": 5, "booked_at": one} for one in (1_772_568_000_000_000, number)]
    said = refusal(tmp_path, lines_file(tmp_path / f"l.{end}", *rows))
    assert said == (
        f"l.{end}: row 2, column booked_at: {number} is no number of microseconds since 1970: write such a"
        " one, or 2026-03-01T09:30:00Z"
    )
    path = postings_file(tmp_path / "bad.csv", {"occurred_at": number})
    with pytest.raises(FileRefused, match=r"row 1, column occurred_at: .* is no number of microseconds"):
        read_files(path, lines_file(tmp_path / "l2.csv", {}))


def test_the_years_before_1973_are_written(tmp_path: Path) -> None:
    (line,) = lines_of(tmp_path, lines_file(tmp_path / "l.csv", {"booked_at": "1970-01-02T00:00:00Z"}))
    assert line.at_us == 86_400_000_000


def test_zones_are_mixed_as_they_come(tmp_path: Path) -> None:
    texts = ("2026-03-03T09:30:00Z", "2026-03-03T10:30:00+01:00", "2026-03-03T15:00:00+05:30")
    lines = lines_of(tmp_path, lines_file(tmp_path / "l.csv", *({"booked_at": text} for text in texts)))
    assert len({line.at_us for line in lines}) == 1


def test_marks_and_ends_of_other_systems_are_no_matter(tmp_path: Path) -> None:
    path = lines_file(tmp_path / "l.csv", {}, {"description": "x"})
    plain = lines_of(tmp_path, path)
    text = path.read_text("utf-8")
    for other in ("\ufeff" + text, text.replace("\n", "\r\n"), text.replace("\n", "\n\n"), text.rstrip("\n")):
        path.write_bytes(other.encode())
        assert lines_of(tmp_path, path) == plain
    path.rename(tmp_path / "l.parquet")  # what a file is, its content says
    assert lines_of(tmp_path, tmp_path / "l.parquet") == plain


@pytest.mark.parametrize("column", ["description", "note"])
def test_a_quote_that_is_never_closed_swallows_no_rows(tmp_path: Path, column: str) -> None:
    path = lines_file(tmp_path / "l.csv", *({column: "tea"} for _ in range(4)))
    path.write_text(path.read_text("utf-8").replace("tea", '"tea', 1), "utf-8")
    assert refusal(tmp_path, path) == f"l.csv: row 1, column {column}: a quotation mark is not closed"


def test_texts_of_several_lines_are_read_over_all_blocks(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("a,b\n" + '1,"x\ny"\n' * 300_000, "utf-8")
    assert sum(block.rows for block in Source(path, ("a", "b")).blocks()) == 300_000
    with path.open("a", encoding="utf-8") as opened:
        opened.write("1,2,3\n")
    with pytest.raises(FileRefused, match="row 300,001: has 3 columns, and must have 2"):
        list(Source(path, ("b",)).blocks())
    path.write_bytes(b"a,b,c\n" + b"1,2,3\n" * 300_000 + b"1,2,\xfc\n")
    with pytest.raises(FileRefused, match="row 300,001, column c: no text in UTF-8"):
        list(Source(path, ("c",)).blocks())


def test_a_pipe_is_refused_before_it_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path, tmp_path / "pipe").startswith("pipe: no regular file, and it is read twice")


GOOD: dict[str, dict[str, Any]] = {
    "decimal": {"amount_minor": pa.array([Decimal(-1250)], pa.decimal128(18, 0))},
    "wide decimal": {"amount_minor": pa.array([Decimal(-1250)], pa.decimal256(60, 0))},
    "int32": {"amount_minor": pa.array([-1250], pa.int32())},
    "dictionaries": {
        name: pa.array([LINE[name]]).dictionary_encode()
        for name in ("line_id", "account_id", "amount_minor", "currency", "value_date", "reference")
    },
    "large texts": {"line_id": pa.array(["l1"], pa.large_string())},
    "zone": {"booked_at": pa.array([1_772_568_000_000], pa.timestamp("ms", "Europe/Berlin"))},
    "nanoseconds": {"booked_at": pa.array([1_772_568_000_000_000_999], pa.timestamp("ns", "UTC"))},
}


def parquet_lines(tmp_path: Path, columns: dict[str, Any]) -> Path:
    """Return a file of one line, some columns of other types."""
    full = {name: pa.array([text]) for name, text in LINE.items()}
    full["booked_at"] = pa.array([datetime(2026, 3, 3, 20, tzinfo=UTC)])
    path = tmp_path / "l.parquet"
    pyarrow.parquet.write_table(pa.table(full | columns), path)
    return path


@pytest.mark.parametrize("columns", GOOD.values(), ids=GOOD)
def test_types_that_hold_the_same_are_the_same(tmp_path: Path, columns: dict[str, Any]) -> None:
    (line,) = lines_of(tmp_path, parquet_lines(tmp_path, columns))
    assert (line.item_id, line.minor, line.account_id) == ("l1", -1250, "nostro")
    at = datetime(2026, 3, 3, 20, tzinfo=UTC)
    assert line.at_us == int(at.timestamp()) * 1_000_000


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "decimals": (
        {"amount_minor": pa.array([Decimal("-12.50")], pa.decimal128(18, 2))},
        "column amount_minor: is decimal128(18, 2), and must be an integer of minor units",
    ),
    "float": (
        {"amount_minor": pa.array([-1250.0])},
        "column amount_minor: is double, and must be an integer",
    ),
    "none": ({"amount_minor": pa.nulls(1)}, "row 1, column amount_minor: is empty"),
    "no zone": (
        {"booked_at": pa.array([datetime(2026, 3, 3)])},
        "row 1, column booked_at: times without a zone",
    ),
    "time of day": (
        {"booked_at": pa.array([1], pa.time32("s"))},
        "column booked_at: is time32[ms], and must be a timestamp with a zone",
    ),
    "lists": ({"reference": pa.array([["R1"]])}, "column reference: is list<element: string>: one value"),
    "number of a date": ({"value_date": pa.array([20260303])}, "column value_date: '20260303' is no date"),
    "bytes": ({"line_id": pa.array([b"l1"])}, "column line_id: is binary, and must be text"),
}


@pytest.mark.parametrize(("columns", "said"), BAD.values(), ids=BAD)
def test_types_that_may_hold_something_else_are_refused(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    assert said in refusal(tmp_path, parquet_lines(tmp_path, columns))


def test_dates_of_a_booking_are_the_end_of_the_day_in_parquet_too(tmp_path: Path) -> None:
    (line,) = lines_of(tmp_path, parquet_lines(tmp_path, {"booked_at": pa.array([date(2026, 3, 3)])}))
    assert line.at_us == 1_772_582_399_999_999
