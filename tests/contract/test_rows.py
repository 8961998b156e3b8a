"""Rows live long: golden bytes of every layout of every kind of row, and how an earlier layout is read."""

from __future__ import annotations

import struct

import msgspec
import numpy as np
import pytest

from pipeline.domain.kernel.layouts import RowKind, UnknownLayout, append_fields, fixed_rows, unpacker
from pipeline.domain.reconciliation.desk.rows import DUE, EARLIER_INDEXES
from tests.contract.earlier import changelogs, commits
from tests.contract.row_kinds import GOLDEN, Sample, golden_file, golden_rows, kinds
from tests.contract.row_samples import EARLIER, SAMPLES

ALL = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.kind.table}.{sample.kind.name}")


def test_every_kind_of_row_has_a_sample_and_a_letter_of_its_own_in_its_table() -> None:
    declared = [(kind.table, kind.name) for kind in kinds()]
    assert sorted((sample.kind.table, sample.kind.name) for sample in SAMPLES) == declared
    assert len({(kind.table, kind.family) for kind in kinds()}) == len(declared) == len({*declared})


def test_every_layout_has_golden_rows_and_golden_rows_belong_to_a_layout() -> None:
    layouts = [(kind, layout) for kind in kinds() for layout in range(1, kind.layout + 1)]
    assert {*GOLDEN.iterdir()} == {golden_file(kind.table, kind.name, layout) for kind, layout in layouts}
    older = {(kind.table, kind.name, layout) for kind, layout in layouts if layout < kind.layout}
    assert EARLIER.keys() == older


@ALL
def test_todays_writer_writes_the_golden_rows_of_the_newest_layout(sample: Sample) -> None:
    kind = sample.kind
    assert [*map(sample.write, sample.values)] == golden_rows(kind.table, kind.name, kind.layout)


@ALL
def test_todays_reader_reads_the_golden_rows_of_every_layout(sample: Sample) -> None:
    kind = sample.kind
    expected = {(kind.table, kind.name, kind.layout): sample.values, **EARLIER}
    for layout in range(1, kind.layout + 1):
        place = kind.table, kind.name, layout
        rows = golden_rows(*place)
        assert {row[0] for row in rows} == {layout}
        assert [*map(sample.read, rows)] == [*expected[place]]


@ALL
def test_a_layout_to_come_is_an_error_that_names_the_row_and_a_newer_version(sample: Sample) -> None:
    kind = sample.kind
    row = golden_rows(kind.table, kind.name, kind.layout)[0][1:]
    said = f"{kind.table} table, {kind.name} .keys {kind.family}.* unknown layout 99; .*newer version"
    with pytest.raises(UnknownLayout, match=said):
        sample.read(b"\x63" + row)
    with pytest.raises(UnknownLayout, match=r"unknown layout 0; .*damaged"):
        sample.read(b"\x00" + row)


@pytest.mark.parametrize("commit", commits())
def test_every_row_that_a_version_wrote_is_of_a_declared_kind(commit: str) -> None:
    declared = {(kind.table, kind.family): kind for kind in kinds()}
    for (table, _), rows in changelogs(commit).items():
        for key, row in rows.items():
            family = chr(key[0])
            if table == "reconciliation" and family in EARLIER_INDEXES + DUE:
                assert row in rows  # an index row holds the key of its item
            else:
                kind = declared[table, family]
                assert kind.current(row)[0] == kind.layout


# --- A kind with three layouts


class Wallet(msgspec.Struct, array_like=True):
    """A row whose first layout had an amount alone, and whose second had a currency."""

    amount: int
    currency: str
    owner: str | None


WALLET_ROW = RowKind("wallets", "wallet", "w", [append_fields("EUR"), append_fields(None)])
unpack_wallet = unpacker(WALLET_ROW, Wallet)


def test_a_row_of_an_earlier_layout_is_upgraded_step_by_step_and_the_newest_is_written() -> None:
    written = [
        b"\x01" + msgspec.msgpack.encode([5]),
        b"\x02" + msgspec.msgpack.encode([5, "USD"]),
        b"\x03" + msgspec.msgpack.encode([5, "USD", "alice"]),
    ]
    read = [Wallet(5, "EUR", None), Wallet(5, "USD", None), Wallet(5, "USD", "alice")]
    assert [*map(unpack_wallet, written)] == read
    assert WALLET_ROW.pack(read[2]) == written[2]
    assert WALLET_ROW.current(written[2]) is written[2]
    with pytest.raises(UnknownLayout, match=r"wallets table, wallet .*layout 4; this version reads up to 3"):
        unpack_wallet(b"\x04")


COUNTER_COLUMNS = np.dtype([("layout", "u1"), ("count", "<i8"), ("sum", "<i8")])
COUNTER_ROW = RowKind("counters", "counter", "c", [lambda content: content + struct.pack("<q", -1)])


def test_fixed_rows_of_any_layout_and_length_become_one_array() -> None:
    newest = [struct.pack("<Bqq", 2, number, 7) for number in range(3)]
    earlier = [struct.pack("<Bq", 1, number) for number in range(3)]
    table = fixed_rows(COUNTER_ROW, [newest[0], newest[1] + b"more", newest[2]], COUNTER_COLUMNS)
    assert table.tolist() == [(2, 0, 7), (2, 1, 7), (2, 2, 7)]
    table = fixed_rows(COUNTER_ROW, [earlier[0], newest[1] + b"more", earlier[2]], COUNTER_COLUMNS)
    assert table.tolist() == [(2, 0, -1), (2, 1, 7), (2, 2, -1)]
    assert fixed_rows(COUNTER_ROW, earlier, COUNTER_COLUMNS)["sum"].tolist() == [-1] * 3
    assert fixed_rows(COUNTER_ROW, [], COUNTER_COLUMNS).tolist() == []
    for unknown in (b"\x03" + newest[0][1:], b"\x03", b"\x03" + bytes(40)):
        with pytest.raises(UnknownLayout, match="unknown layout 3"):
            fixed_rows(COUNTER_ROW, [newest[0], unknown], COUNTER_COLUMNS)


def test_an_earlier_layout_that_was_longer_is_not_cut_before_it_is_upgraded() -> None:
    shorter = RowKind("counters", "counter", "c", [lambda content: content[8:]])
    row = struct.pack("<Bqqq", 1, 9, 5, 7)
    assert fixed_rows(shorter, [row], COUNTER_COLUMNS).tolist() == [(2, 5, 7)]
