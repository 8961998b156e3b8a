"""Files that mean harm, or are damaged: refused in one line, quickly, whatever is in them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.statement_files import reading, xml_tree
from pipeline.statement_files.accounts import Account
from pipeline.statement_files.as_events import events_of
from pipeline.statement_files.checks import problems_of
from pipeline.statement_files.csv_guess import as_toml, guess
from pipeline.statement_files.csv_mapping import mapping_of
from pipeline.statement_files.enriching import enrich
from pipeline.statement_files.form import FileRefused, Read
from pipeline.statement_files.reading import Content, content_of, read_content
from tests.statement_files.files import BAI2, BOOKING, CSV, MAPPING, camt, dtls, mt940, ntfctn, ntry, stmt, tx

pytest.importorskip("mt940", reason="mt-940 is not installed: pip install '.[test,statements]'")
ACCOUNT = Account("north", "nostro")
COLUMNS = mapping_of(MAPPING.encode())
DETAILED = ntry(
    details=dtls(tx("E1", "20.00", "one", name="Anna"), tx("E2", "30.00")), more="<RvslInd>true</RvslInd>"
)
GOOD = (
    camt(stmt(DETAILED, number="1") + stmt(ntry("1.00"), "S2", "150.00", "151.00")),
    camt(ntfctn(DETAILED), message="camt.054"),
    (mt940(BOOKING) + mt940(BOOKING, number="2")).encode(),
    BAI2.encode(),
    CSV.encode(),
)
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><Document>&j;</Document>"
)
OUTSIDE = (
    b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]><Document>&x;</Document>'
)


def read(data: bytes) -> Read:
    """Read a file's content."""
    return read_content(Content("file", data, ""), "auto", COLUMNS)


def refusal(data: bytes, form: str = "auto") -> str:
    """Return why a file is refused."""
    with pytest.raises(FileRefused) as error:
        read_content(Content("file", data, ""), form)
    said = str(error.value)
    assert said.startswith("file: ") and "\n" not in said and len(said) < 400
    return said


@pytest.mark.parametrize("data", [LAUGHS, OUTSIDE])
def test_entities_are_never_obeyed(data: bytes) -> None:
    assert "document type" in refusal(data)


def test_depth_elements_and_texts_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "deep" in refusal(b"<a>" * 1_000)
    assert "too long" in refusal(b"<a>" + b"x" * 200_000 + b"</a>")
    many = " ".join(f"a{n}='1'" for n in range(100)).encode()
    assert "attributes" in refusal(b"<a " + many + b"/>")
    monkeypatch.setattr(xml_tree, "HELD_MAX", 10_000)
    assert "more elements" in refusal(b"<a>" + b"<b/>" * 20_000 + b"</a>")


def test_a_million_elements_are_refused() -> None:
    assert "more elements" in refusal(b"<Document>" + b"<b/>" * 1_000_001 + b"</Document>")


def test_entries_that_are_read_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_tree, "HELD_MAX", 200)
    found = read(camt(stmt(ntry() * 500)))
    assert len(found.statements[0].lines) == 500


@pytest.mark.parametrize("at", range(50, len(GOOD[0]), 97))
def test_a_file_that_is_cut_off_is_never_half_imported(at: int) -> None:
    assert "no XML" in refusal(GOOD[0][:at])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\x00" * 100, "NUL"),
        (GOOD[2].replace(b"RENT", b"RE\x00NT"), "NUL"),
        (b"\x81\x8d" * 50, "neither UTF-8 nor Windows-1252"),
        (b"PK\x03\x04" + bytes(range(1, 100)), "neither"),
        (b"%PDF-1.7 hello", "neither"),
        (b"<html><body>sign in</body></html>", "neither a statement"),
        (GOOD[0].replace(b"UTF-8", b"EBCDIC"), "encoding"),
        (GOOD[0].replace(b"UTF-8", b"utf-7"), "encoding"),
        (GOOD[0].replace(b"</Stmt>", b"</Stm>"), "no XML"),
        (CSV.encode(), "--columns"),
    ],
)
def test_what_is_no_statement_says_so(data: bytes, said: str) -> None:
    assert said in refusal(data)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "windows-1252", "utf-8"])
def test_encodings_that_are_read(encoding: str) -> None:
    text = mt940(BOOKING.replace("SMITH", "SCHRÖDER"))
    (statement,) = read(text.encode(encoding)).statements
    assert statement.lines[0].counterparty_name == "ANNA SCHRÖDER"


def test_a_mark_before_xml_and_other_line_ends() -> None:
    for data in (
        b"\xef\xbb\xbf" + GOOD[0],
        GOOD[0].replace(b"\n", b"\r\n"),
        GOOD[0].decode().encode("utf-16"),
    ):
        data = data if not data.startswith((b"\xff", b"\xfe")) else data.replace(
            "UTF-8".encode("utf-16-le"), "UTF-16".encode("utf-16-le")
        )  # fmt: skip
        assert len(read(data).statements) == 2


def test_amounts_beyond_what_can_be_kept() -> None:
    found = read(camt(stmt(ntry("92233720368547758.08"))))
    assert not found.statements and "larger than any" in found.refused[0]


def test_a_file_has_a_bound_and_must_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileRefused, match="no file"):
        content_of(tmp_path)
    (tmp_path / "large").write_bytes(b"x" * 101)
    monkeypatch.setattr(reading, "FILE_BYTES_MAX", 100)
    with pytest.raises(FileRefused, match="divide it"):
        content_of(tmp_path / "large")


def _of_size(count: int) -> dict[str, bytes]:
    """Return a file of each format with so many bookings."""
    head, _, tail = BAI2.partition("16,475")
    tail = tail.partition("\n49")[2]
    columns, row = "\n".join(CSV.split("\n")[:2]), CSV.split("\n")[3]
    return {
        "mt940": mt940(*[BOOKING] * count).encode(),
        "camt": camt(stmt(ntry(details=dtls(tx())) * count)),
        "bai2": (head + "16,165,1,0,B,C,TEXT/\n88,MORE/\n" * count + "49" + tail).encode(),
        "csv": "\n".join([columns, *[row] * count]).encode(),
    }


@pytest.mark.parametrize("form", ["mt940", "camt", "bai2", "csv"])
def test_the_work_grows_with_the_bookings_and_no_faster(form: str) -> None:
    def seconds(count: int) -> float:
        data = _of_size(count)[form]
        begin = time.process_time()
        found = read(data)
        assert sum(len(statement.lines) for statement in found.statements) == count
        return time.process_time() - begin

    assert seconds(32_000) < 28 * max(seconds(2_000), 0.05)  # 16 times as many


edits = st.lists(
    st.tuples(
        st.integers(0, 10_000),
        st.integers(0, 12),
        st.one_of(
            st.binary(max_size=6),
            st.sampled_from(
                [b"<", b"</Ntry>", b":61:", b"\n", b"9" * 25, b"0", b",", b"-", b"88,", b"?21", b'"']
            ),
        ),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(GOOD), edits)
def test_no_edit_of_a_good_file_raises_anything_but_a_refusal(
    data: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    for at, cut, new in changes:
        at %= len(data) + 1
        data = data[:at] + new + data[at + cut :]
    try:
        found = read(data)
    except FileRefused as error:
        assert "\n" not in str(error).strip()
        return
    list(problems_of(found.statements))
    statements = enrich(found.statements, found.notices).statements
    for statement in statements:
        ids = [event.event_id for event in events_of(statement, ACCOUNT)]
        assert len(ids) == len(set(ids))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([CSV, MAPPING, "a,b\n1,2\n"]), edits)
def test_guesses_and_mappings_of_anything(text: str, changes: list[tuple[int, int, bytes]]) -> None:
    for at, cut, new in changes:
        at %= len(text) + 1
        text = text[:at] + new.decode("latin-1") + text[at + cut :]
    for attempt in (lambda: mapping_of(as_toml(guess(text)).encode()), lambda: mapping_of(text.encode())):
        try:
            attempt()
        except FileRefused as error:
            assert str(error)
