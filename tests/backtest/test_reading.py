"""Files of payments and labels: what is read, and what is refused, with its row and column."""

from __future__ import annotations

import contextlib
import gzip
import random
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from pipeline.backtest import blocks
from pipeline.backtest.problems import FileRefused
from pipeline.backtest.reading import read_labels, read_payments
from pipeline.domain.fraud.features.amounts import CURRENCIES
from tests.backtest.files import csv_file, labels_file, parquet_file

AT_US = 1_772_357_400_000_000
"""2026-03-01T09:30:00Z."""


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    rows = [
        {"amount_minor": 1, "currency": "VND", "device_id": "d1", "segment": "payroll"},
        {"occurred_at": "2026-03-01T11:30:00.000001+02:00", "counterparty_country": "DE", "channel": "app"},
        {"merchant_category": "5411", "device_id": ""},
    ]
    found = [
        read_payments(csv_file(tmp_path / "a.csv", *rows)),
        read_payments(parquet_file(tmp_path / "a.parquet", *rows)),
    ]
    for one in found:
        assert one.payment_id.to_pylist() == ["p1", "p3", "p2"]
        assert one.place.tolist() == [0, 2, 1]
        assert one.at_us.tolist() == [AT_US, AT_US, AT_US + 1]
        assert one.minor.tolist() == [1, 1250, 1250]
        assert [CURRENCIES[number] for number in one.currency.tolist()] == ["VND", "EUR", "EUR"]
        assert [one.segment.words[number] for number in one.segment.numbers] == [
            "payroll",
            "retail",
            "retail",
        ]
        assert one.device.numbers.tolist() == [0, -1, -1] and one.device.words == ["d1"]
        assert one.country.numbers.tolist() == [-1, -1, 0] and one.channel.words == ["app"]
        assert {one.debtor.words[number] for number in one.debtor.numbers} == {"alice"}
        assert {one.creditor.words[number] for number in one.creditor.numbers} == {"bob"}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (datetime(2026, 3, 1, 9, 30, tzinfo=UTC), pa.timestamp("us", "UTC")),
        (datetime(2026, 3, 1, 9, 30, tzinfo=UTC), pa.timestamp("ns", "Europe/Berlin")),
        (datetime(2026, 3, 1, 9, 30, tzinfo=UTC), pa.timestamp("s", "+05:30")),
        (AT_US, pa.int64()),
        (str(AT_US), pa.string()),
        ("2026-03-01T10:30:00+01:00", pa.large_string()),
        ("2026-03-01 09:30:00Z", pa.string()),
    ],
)
def test_times_may_be_written_in_several_ways(tmp_path: Path, value: Any, kind: Any) -> None:
    path = parquet_file(tmp_path / "a.parquet", {"occurred_at": value}, occurred_at=kind)
    assert read_payments(path).at_us.tolist() == [AT_US]


def test_ids_may_be_integers(tmp_path: Path) -> None:
    path = parquet_file(
        tmp_path / "a.parquet", {"payment_id": 7, "debtor_account_id": 8}, payment_id=pa.int32()
    )
    found = read_payments(path)
    assert (found.payment_id.to_pylist(), found.debtor.words) == (["7"], ["8", "bob"])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"amount_minor": "0"}, "row 2, column amount_minor: 0 is not above 0"),
        ({"amount_minor": "-5"}, "row 2, column amount_minor: -5 is not above 0"),
        ({"amount_minor": "12.50"}, "row 2, column amount_minor: '12.50' is not an integer of minor units"),
        ({"amount_minor": "1e3"}, "row 2, column amount_minor: '1e3' is not an integer"),
        (
            {"amount_minor": "9223372036854775808"},
            "row 2, column amount_minor: '9223372036854775808' is above",
        ),
        ({"amount_minor": ""}, "row 2, column amount_minor: is empty"),
        ({"currency": "EURO"}, "row 2, column currency: 'EURO' is no active ISO 4217 code"),
        ({"currency": "eur"}, "row 2, column currency: 'eur' is no active ISO 4217 code"),
        ({"currency": ""}, "row 2, column currency: is empty"),
        ({"occurred_at": "2026-03-01T09:30:00"}, "row 2, column occurred_at: .* has no zone"),
        ({"occurred_at": "yesterday"}, "row 2, column occurred_at: 'yesterday' is no time"),
        ({"occurred_at": "2026-02-30T00:00:00Z"}, "row 2, column occurred_at: .* is no time"),
        ({"occurred_at": "1960-01-01T00:00:00Z"}, "row 2, column occurred_at: .* not from 1970 to 2199"),
        ({"occurred_at": ""}, "row 2, column occurred_at: is empty"),
        ({"payment_id": ""}, "row 2, column payment_id: is empty"),
        ({"payment_id": "a/b"}, "row 2, column payment_id: 'a/b' has a character that an id cannot have"),
        ({"payment_id": "x" * 257}, "row 2, column payment_id: has 257 characters, at most 256"),
        ({"payment_id": "p1"}, "row 2, column payment_id: 'p1' is in row 1 already"),
        ({"debtor_account_id": ""}, "row 2, column debtor_account_id: is empty"),
        ({"creditor_account_id": "x" * 5_000}, "row 2, column creditor_account_id: has 5,000 characters"),
        ({"creditor_account_id": "alice"}, "row 2, column creditor_account_id: is the debtor itself"),
        ({"debtor_account_id": "$fees:EUR:0"}, "row 2, column debtor_account_id: .* is an internal account"),
        ({"device_id": "x" * 257}, "row 2, column device_id: has 257 characters"),
        ({"segment": "wholesale"}, "row 2, column segment: 'wholesale' is none of payroll, treasury, retail"),
    ],
)
def test_a_bad_cell_is_refused_with_its_row_and_column(
    tmp_path: Path, row: dict[str, str], said: str
) -> None:
    for path in (
        csv_file(tmp_path / "a.csv", {}, row, {}),
        parquet_file(tmp_path / "a.parquet", *({"amount_minor": "1250", **one} for one in ({}, row, {}))),
    ):
        with pytest.raises(FileRefused, match=f"^{re.escape(str(path))}: {said}"):
            read_payments(path)


def test_rows_are_counted_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 3)
    path = parquet_file(tmp_path / "a.parquet", *[{}] * 7, {"amount_minor": 0}, {})
    with pytest.raises(FileRefused, match="row 8, column amount_minor: 0 is not above 0"):
        read_payments(path)
    path = parquet_file(tmp_path / "a.parquet", *[{}] * 7, {"payment_id": "p4"}, {"payment_id": "p2"})
    with pytest.raises(FileRefused, match="row 8, column payment_id: 'p4' is in row 4 already"):
        read_payments(path)


@pytest.mark.parametrize(
    ("column", "value", "kind", "said"),
    [
        ("amount_minor", 12.5, pa.float64(), "column amount_minor: is double, and must be an integer"),
        ("amount_minor", Decimal("12.50"), pa.decimal128(9, 2), "column amount_minor: is decimal128"),
        ("amount_minor", 2**63, pa.uint64(), "row 1, column amount_minor: '9223372036854775808' is above"),
        ("amount_minor", None, pa.int64(), "row 1, column amount_minor: is empty"),
        (
            "occurred_at",
            datetime(2026, 3, 1),
            pa.timestamp("us"),
            "row 1, column occurred_at: times without a zone",
        ),
        ("occurred_at", 1.5, pa.float64(), "column occurred_at: is double, and must be a timestamp"),
        ("debtor_account_id", 1.5, pa.float64(), "column debtor_account_id: is double, and must be text"),
        ("debtor_account_id", b"x", pa.binary(), "column debtor_account_id: is binary, and must be text"),
        (
            "debtor_account_id",
            ["a"],
            pa.list_(pa.string()),
            "column debtor_account_id: is list<.*: one value a row",
        ),
        *(
            ("occurred_at", value, pa.timestamp(unit, "UTC"), f"row 1, column occurred_at: {value}.* 2199")
            for value, unit in ((2**62, "ms"), ((2**64 + 10**15) // 10**6, "s"), (-1, "s"), (2**62, "us"))
        ),
        ("currency", None, pa.null(), "row 1, column currency: is empty"),
        ("payment_id", None, pa.null(), "row 1, column payment_id: is empty"),
    ],
)
def test_a_wrong_type_is_refused(tmp_path: Path, column: str, value: Any, kind: Any, said: str) -> None:
    path = parquet_file(tmp_path / "a.parquet", {column: value}, **{column: kind})
    with pytest.raises(FileRefused, match=said):
        read_payments(path)


def test_a_missing_column_is_named_with_what_may_be_meant(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "a.csv", {"amount": 5}, without=["amount_minor"])
    with pytest.raises(
        FileRefused, match=r"no column amount_minor; is `amount` meant to be it\? \(there are: "
    ):
        read_payments(path)
    path = parquet_file(tmp_path / "a.parquet", {})
    table = pyarrow.parquet.read_table(path)
    pyarrow.parquet.write_table(table.drop(["currency", "occurred_at"]), path)
    with pytest.raises(FileRefused, match="no column currency, occurred_at"):
        read_payments(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "no column payment_id|cannot be read"),
        (b"PAR1", "no Parquet file that can be read"),
        (b"PAR1" + b"\0" * 4_000 + b"PAR1", "no Parquet file that can be read"),
        (b"\xff\xfe\x00a,b", "neither Parquet nor CSV"),
        (b"\x89PNG\0\0,", "neither Parquet nor CSV"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "cannot be|ended before|Compressed file"),
        (b"payment_id;debtor_account_id;creditor_account_id\n", "no column payment_id, debtor"),
        (b"a," * 2_000 + b"a\n", "2,001 columns, at most 1,000"),
    ],
)
def test_what_is_no_file_of_payments_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(FileRefused, match=said):
        read_payments(path)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    for path in (csv_file(tmp_path / "a.csv"), tmp_path / "a.parquet"):
        if path.suffix == ".parquet":
            pyarrow.parquet.write_table(pyarrow.parquet.read_table(parquet_file(path, {})).slice(0, 0), path)
        with pytest.raises(FileRefused, match="no payments"):
            read_payments(path)


def test_a_line_of_other_length_and_one_that_is_huge_are_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "a.csv", {}, {})
    path.write_text(path.read_text() + "p9,alice,bob\n")
    with pytest.raises(FileRefused, match="row 3: has 3 columns, and must have 6"):
        read_payments(path)
    path = csv_file(tmp_path / "a.csv", {}, {"device_id": "x" * 3_000_000})
    with pytest.raises(FileRefused, match="a row has more than 1,048,576 bytes"):
        read_payments(path)


def test_a_text_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "a.csv", {}, {"device_id": "x"})
    path.write_bytes(path.read_bytes().replace(b",x", b",\xff"))
    with pytest.raises(FileRefused, match="row 2, column device_id: no text in UTF-8"):
        read_payments(path)


def test_gzip_is_unpacked_and_no_further_than_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = csv_file(tmp_path / "a.csv", *[{}] * 50)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_payments(path).payment_id.to_pylist() == read_payments(plain).payment_id.to_pylist()
    path.write_bytes(gzip.compress(plain.read_bytes() + b"\n" * 50_000_000))
    monkeypatch.setattr(blocks, "BYTES_MAX", 10_000_000)
    with pytest.raises(FileRefused, match="more than 10,000,000 bytes, unpacked"):
        read_payments(path)
    path.write_bytes(gzip.compress(plain.read_bytes())[:-20])
    with pytest.raises(FileRefused, match=r"ended before|Compressed file"):
        read_payments(path)


def test_parquet_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    parquet_file(path, *[{"device_id": f"{number}" * 2_000_000} for number in range(20)])
    with pytest.raises(FileRefused, match=r"rows of more than|has 2,000,000 characters"):
        read_payments(path)
    monkeypatch.setattr(blocks, "ROWS_MAX", 5)
    with pytest.raises(FileRefused, match="more than 5 rows"):
        read_payments(parquet_file(path, *[{}] * 6))
    with pytest.raises(FileRefused, match="more than 5 rows"):
        read_payments(csv_file(tmp_path / "a.csv", *[{}] * 6))


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "a.csv", {})
    lines = path.read_text().split("\n")
    path.write_text(f"{lines[0]},currency\n{lines[1]},USD\n")
    with pytest.raises(FileRefused, match="the column currency is there 2 times"):
        read_payments(path)


def test_labels_say_what_changes_and_the_rest_is_counted(tmp_path: Path) -> None:
    history = read_payments(csv_file(tmp_path / "a.csv", *[{}] * 5))
    path = labels_file(
        tmp_path / "l.csv",
        ("p3", "FRAUD", "2026-03-09T00:00:00Z"),
        ("p1", "FRAUD", "2026-03-05T00:00:00Z"),
        ("p1", "FRAUD", "2026-03-04T00:00:00Z"),
        ("p1", "GENUINE", "2026-03-06T00:00:00Z"),
        ("p1", "FRAUD", "2026-03-07T00:00:00Z"),
        ("p2", "GENUINE", "2026-03-06T00:00:00Z"),
        ("p4", "FRAUD", "2026-02-01T00:00:00Z"),
        ("other", "FRAUD", "2026-03-06T00:00:00Z"),
    )
    labels = read_labels(path, history)
    found = [
        (history.payment_id[place].as_py(), fraud, (at_us - AT_US) // 86_400_000_000)
        for place, fraud, at_us in zip(
            labels.place.tolist(), labels.fraud.tolist(), labels.at_us.tolist(), strict=True
        )
    ]
    assert found == [("p4", True, -29), ("p1", True, 2), ("p1", False, 4), ("p3", True, 7)]
    assert (labels.unknown, labels.genuine, labels.early, labels.late) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("p1", "fraud", "2026-03-05T00:00:00Z"), "row 1, column label: 'fraud' is none of FRAUD, GENUINE"),
        (("p1", "", "2026-03-05T00:00:00Z"), "row 1, column label: is empty"),
        (("", "FRAUD", "2026-03-05T00:00:00Z"), "row 1, column payment_id: is empty"),
        (("p1", "FRAUD", "2026-03-05"), "row 1, column labelled_at: .* has no zone"),
    ],
)
def test_a_bad_label_is_refused(tmp_path: Path, row: tuple[str, str, str], said: str) -> None:
    history = read_payments(csv_file(tmp_path / "a.csv", {}))
    with pytest.raises(FileRefused, match=said):
        read_labels(labels_file(tmp_path / "l.csv", row), history)


def test_no_labels_are_labels(tmp_path: Path) -> None:
    history = read_payments(csv_file(tmp_path / "a.csv", {}))
    assert len(read_labels(labels_file(tmp_path / "l.csv"), history).place) == 0


@pytest.mark.parametrize("seed", range(60))
def test_a_file_with_broken_bytes_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    rows = [{"device_id": f"d{number % 7}", "segment": "retail"} for number in range(100)]
    path = (csv_file if seed % 4 == 0 else parquet_file)(tmp_path / "a", *rows)
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 1, 2, 20])):
        at = chance.randrange(len(content))
        if chance.random() < 0.7:
            content[at] = chance.randrange(256)
        else:
            del content[at : at + chance.randrange(1, 20)]
    path.write_bytes(content)
    with contextlib.suppress(FileRefused):
        read_payments(path)
