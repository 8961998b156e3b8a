"""Text from outside is shown, never obeyed: by terminals, logs and spreadsheets."""

from __future__ import annotations

import ast
import csv
import io
import json
import logging
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from pipeline.cli import balance, entry, letter_view, letters, payment, statement, tail
from pipeline.cli.dashboard import Dashboard
from pipeline.cli.news import news_of, posting_line
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.records import TopicRecord, as_line
from pipeline.cli.screen import Screen, guarded, screen
from pipeline.cli.verify import table_of
from pipeline.runtime.escaping import EscapingStream, csv_cell, escaped, escaped_lines
from pipeline.runtime.logs import EscapingFormatter
from pipeline.verify import Report
from pipeline.verify.decode import Event
from pipeline.verify.report import Check

ROOT = Path(__file__).parents[2]
HOSTILE = (
    "\x1b]0;owned\x07", "\x1b[2J\x1b[31mred", "\x9b31m", "a\rb", "a\nb\x0bc\x0c", "\x7f\x08\x08",
    "\u202egpj.exe",
    "\u2066x\u2069", "zero\u200bwidth", "\u2028line", "\ud800", "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]52;c;aGk=\x07", "=HYPERLINK(\"http://evil\")", "\ufeff", "\U000e0001tag", "[red]markup[/red]", "\0",
)  # fmt: skip
TEXT = (
    st.sampled_from(HOSTILE)
    | st.text(st.characters(codec=None), max_size=30)
    | st.text(st.sampled_from("\x1b[]0;31m\x07\x9b\x7f\r\n\t\0a\u202e=+-@"), max_size=20)
)
SEEN_NOT = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
STYLE = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b\x07]*;\x1b\\")
"""What Rich and Typer write to a terminal for colours."""


def not_seen(text: str) -> set[str]:
    """Return the characters of a text, but for line breaks, that a terminal obeys or that cannot be seen."""
    return {sign for sign in text if sign != "\n" and unicodedata.category(sign) in SEEN_NOT}


@given(TEXT)
def test_every_character_of_an_escaped_text_is_seen(text: str) -> None:
    shown = escaped(text)
    assert not not_seen(shown) and "\n" not in shown
    assert escaped(shown) == shown
    assert shown == text or not text.isprintable()


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S")), max_size=30))
def test_text_that_can_be_seen_is_left_as_it_is(text: str) -> None:
    assert escaped(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 東京 12,50 €", "Zoë 東京 12,50 €"),
        ("\x1b[31m", "\\u001b[31m"),
        ("\x9b\x7f\u202e", "\\u009b\\u007f\\u202e"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\U000e0001", "\\U000e0001"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_lines_of_our_own_stay_lines() -> None:
    assert escaped_lines("a\x1b\nb\r\n") == "a\\u001b\nb\\r\n"


@given(st.dictionaries(TEXT.filter(lambda key: "\ud800" not in key), TEXT, max_size=3))
def test_json_stays_json(content: dict[str, str]) -> None:
    """DEL is the one control character that JSON lets through; it is escaped as JSON escapes."""
    out = io.StringIO()
    stream = EscapingStream(out)
    stream.write(json.dumps(content) + "\n")
    assert json.loads(out.getvalue()) == content and not not_seen(out.getvalue())


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"), ("+1+1", "'+1+1"), ("-1+1", "'-1+1"), ("@sum", "'@sum"),
        ("\t=1", "'\\t=1"), ("\r=1", "'\\r=1"), ("  =1", "'  =1"), ("＝1", "'＝1"),
        ("-12.50", "-12.50"), ("+7", "+7"), (-12, -12), (1.5, 1.5), (None, None), ("a=b", "a=b"), ("", ""),
        ("\x1b[31m", "\\u001b[31m"),
    ],
)  # fmt: skip
def test_a_cell_is_never_a_formula_and_numbers_are_numbers(value: Any, cell: Any) -> None:
    assert csv_cell(value) == cell


@given(TEXT)
def test_no_cell_begins_with_what_a_spreadsheet_calculates(text: str) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([csv_cell(text), "end"])
    assert not not_seen(out.getvalue()) and out.getvalue().count("\n") == 1
    ((cell, _),) = csv.reader(io.StringIO(out.getvalue()))
    assert not cell.startswith(tuple("=+-@\t\r")) or re.fullmatch(r"[+-]?\d+(\.\d+)?", cell)


def test_a_log_line_is_one_line_and_its_traceback_has_its_own() -> None:
    try:
        raise ValueError("bad\x1b[31m\x07\nforged line")
    except ValueError:
        record = logging.LogRecord("x", 40, "f.py", 1, "of %s", ("a\nERROR forged\x1b]0;",), None)
        record.exc_info = sys.exc_info()
    text = EscapingFormatter("%(levelname)s %(message)s").format(record)
    assert text.splitlines()[0] == "ERROR of a\\nERROR forged\\u001b]0;"
    assert not not_seen(text) and "Traceback" in text


class _Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


class Shown(NamedTuple):
    """What a command wrote, without our own styling."""

    code: int
    text: str
    """Standard output and error."""
    raw: str
    """The same with our styling."""


@contextmanager
def writing_to(is_terminal: bool) -> Iterator[tuple[_Terminal, _Terminal]]:
    before = sys.stdout, sys.stderr
    streams = _Terminal(is_terminal=is_terminal), _Terminal(is_terminal=is_terminal)
    sys.stdout, sys.stderr = streams
    try:
        yield streams
    finally:
        sys.stdout, sys.stderr = before


def shown(*command: str, is_terminal: bool) -> Shown:
    with writing_to(is_terminal) as (out, err):
        code = entry.main(list(command))
    text = out.getvalue() + err.getvalue()
    return of(code, text)


def of(code: int, raw: str) -> Shown:
    return Shown(code, STYLE.sub("", raw), raw)


def assert_obeyed_nothing(found: Shown, text: str) -> None:
    """Our own styling aside, there is nothing that a terminal obeys; and what looks like it is ours."""
    assert not not_seen(found.text), found.text
    assert text not in HOSTILE or text.isprintable() or text not in found.raw


class _Reader:
    """Stands for a topic."""

    records: ClassVar[list[TopicRecord]] = []

    def __init__(self, *_: object) -> None:
        return

    def last(self, count: int) -> list[TopicRecord]:
        return self.records[:count]

    def all(self) -> Iterator[TopicRecord]:
        yield from self.records

    def close(self) -> None:
        return


class _Decoder:
    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def decode(self, value: bytes | None) -> Event | None:
        return Event("Paid" + str(self._fields.get("name", "")), self._fields) if value else None


def letter(text: str, value: bytes | None = b"x", offset: int = 7) -> TopicRecord:
    raw = text.encode(errors="surrogatepass")
    prefix = "__ledgerflow.errors."
    headers = [(prefix + name, raw) for name in ("code", "message", "stage", "topic", "partition", "offset")]
    return TopicRecord("dead-letters", 0, offset, 1_700_000_000_000, raw, value, [*headers, (text, raw)])


_examples = settings(max_examples=30)


@_examples
@given(text=TEXT, is_terminal=st.booleans(), as_json=st.booleans())
def test_tail(text: str, is_terminal: bool, as_json: bool) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        patch_readers(monkeypatch)
        fields = {"name": text, "text": text, "list": [text, {"leg": text}], text: text, "sent_at": 10**18}
        monkeypatch.setattr(tail, "decoder", lambda _: _Decoder(fields))
        monkeypatch.setattr(_Reader, "records", [letter(text), letter(text, None)])
        more = ["--json"] if as_json else []
        found = shown("tail", "dead-letters", *more, is_terminal=is_terminal)
    assert found.code == 0 and found.text.count("\n") == 2
    assert_obeyed_nothing(found, text)


def patch_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (tail, letters, letter_view):
        monkeypatch.setattr(module, "require_kafka", lambda _: None, raising=False)
        monkeypatch.setattr(module, "require_topic", lambda *_: 1, raising=False)
        monkeypatch.setattr(module, "TopicReader", _Reader)


@_examples
@given(text=TEXT, is_terminal=st.booleans(), form=st.sampled_from(["", "--csv", "--json"]))
def test_statement(text: str, is_terminal: bool, form: str) -> None:
    line = {"line": 1, "booked_at": text, "kind": text, "booked_minor": -5, "held_change_minor": 0,
            "balance_minor": 5, "available_minor": 5, "reference": text, "payment_id": "p"}  # fmt: skip
    state = {"balance_minor": 1, "available_minor": 2}
    data = {"currency": text, "bookings": [line], "lines": 1, "opening": state, "closing": state,
            "from": text, "to": text, "tenant_id": "t", "account_id": "a",
            "debtor_account_id": "a", "creditor_account_id": text}  # fmt: skip
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(statement, "urls_of", lambda *_: ["http://w"])
        monkeypatch.setattr(statement, "ask", lambda *_: {"data": data, "next": None})
        found = shown("statement", "t/a", *([form] if form else []), is_terminal=is_terminal)
    assert found.code == 0
    assert_obeyed_nothing(found, text)
    if form == "--csv":
        _, row, _ = csv.DictReader(io.StringIO(found.text))
        assert row["booked_minor"] == "-5" and row["reference"] == csv_cell(text)
        assert row["counterparty_account_id"] == csv_cell(text)


@_examples
@given(text=TEXT, is_terminal=st.booleans(), as_json=st.booleans())
def test_payment_and_balance(text: str, is_terminal: bool, as_json: bool) -> None:
    more = ["--json"] if as_json else []
    step = dict.fromkeys(payment.STEP, text)
    paid = {**dict.fromkeys(payment.SHOWN, text), "amount_minor": 5, "currency": text, "steps": [step]}
    paid["refused_commands"] = [text]
    row = {"currency": text, "status": text, "balance_minor": -5, text: text}
    meta = {"log": text, "partition": 0, "as_of_offset": 1, "lag": 0}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for module, data in ((payment, paid), (balance, row)):
            monkeypatch.setattr(module, "urls_of", lambda *_: ["http://w"])
            monkeypatch.setattr(module, "ask", lambda *_, data=data: {"data": data, "meta": meta})
        for command in ("payment", "balance"):
            found = shown(command, "t/a", *more, is_terminal=is_terminal)
            assert found.code == 0
            assert_obeyed_nothing(found, text)


@_examples
@given(text=TEXT, is_terminal=st.booleans(), error=st.sampled_from([BadInput, Failed, OSError]))
def test_errors_are_one_line(text: str, is_terminal: bool, error: type[Exception]) -> None:
    def fail() -> int:
        raise error(text)

    with writing_to(is_terminal) as (out, err), guarded():
        assert entry.exit_code_of(fail) in (1, 2)
    found = of(1, err.getvalue())
    assert out.getvalue() == "" and found.text.count("\n") == 1
    assert_obeyed_nothing(found, text)


@_examples
@given(text=TEXT, is_terminal=st.booleans())
def test_verify_and_whatever_is_echoed(text: str, is_terminal: bool) -> None:
    check = Check("entries", "Every entry is whole.")
    check.expect(False, f"postings[0]@1: {text}")
    with writing_to(is_terminal) as (out, err), guarded():
        screen().print(table_of(Report([check], {})))
        typer.echo(f"said: {text}")
        typer.echo(f"said: {text}", err=True)
        screen(stderr=True).print(text, markup=False)
    found = of(0, out.getvalue() + err.getvalue())
    assert_obeyed_nothing(found, text)


@_examples
@given(text=TEXT)
def test_the_dashboard_and_its_news(text: str) -> None:
    out = io.StringIO()
    console = Console(file=out, width=200)
    dashboard = Dashboard(console)
    dashboard.say(f"worker 0 ended: {text}")
    told = news_of(letter(text), None)
    assert told is not None and not not_seen(told.text + out.getvalue()) and "\n" not in told.text
    fields = {"tenant_id": text, "account_id": text, "currency": "EUR", "amount_minor": 1, "side": text,
              "balance_minor_after": 1, "purpose": text, "reverses": text}  # fmt: skip
    assert not not_seen(posting_line(Event("PostingRecorded", fields)))


def test_a_line_of_tail_is_coloured_after_it_is_escaped() -> None:
    record = letter("\x1b[31m")
    line = as_line(record, None, lambda text, colour: f"<{colour}>{text}</>")
    assert "<red>\\u001b[31m</>" in line and "\x1b" not in line


ALLOWED = {
    "pipeline/cli/screen.py": {"Table", "Console"},
    "pipeline/cli/dashboard.py": {"Console"},  # for its annotations
    "pipeline/cli/up.py": {"Console"},
}


def test_commands_write_through_the_guarded_streams_and_the_escaping_console() -> None:
    """Rich writes past the guard, so no command makes a console or a table of Rich's by itself."""
    for file in sorted((ROOT / "pipeline/cli").glob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rich"):
                taken = {alias.name for alias in node.names} & {
                    "Table",
                    "Console",
                    "print",
                    "inspect",
                    "get_console",
                }
                assert taken <= ALLOWED.get(name, set()), f"{name}:{node.lineno}: take it from cli.screen"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Console":
                raise AssertionError(f"{name}:{node.lineno}: use `screen()`")
    assert issubclass(Screen, Console)
