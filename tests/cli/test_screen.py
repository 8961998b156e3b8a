"""Tables on a terminal of 80 columns: side by side where that fits, else row by row; nothing is cut."""

from __future__ import annotations

import io

import pytest
from msgspec.structs import asdict

from pipeline.cli import topics
from pipeline.cli.entry import main
from pipeline.cli.screen import PIPE_COLUMNS, Screen, Table
from pipeline.runtime.kafka.topics import TOPICS

COLUMNS = 80
LONG = ["7/120", "open", "2026-11-30 08:00:00.000", "unknown_schema_id", "ledger", "payments[3]@1200044"]


def drawn(table: Table, terminal: bool = True) -> list[str]:
    """Return the lines of a table, on a terminal or in a file."""
    file = io.StringIO()
    width = COLUMNS if terminal else PIPE_COLUMNS
    Screen(file=file, width=width, force_terminal=terminal, color_system=None).print(table)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def table_of(titles: list[str], *rows: list[str]) -> Table:
    table = Table(box=None, header_style=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="ellipsis" if title == "meaning" else "fold")
    for row in rows:
        table.add_row(*row)
    return table


def test_what_fits_is_a_table_and_prose_wraps_between_words() -> None:
    lines = drawn(table_of(["code", "meaning"], ["ok", "words " * 30], ["bad", "one"]))
    assert lines[0].split() == ["code", "meaning"]
    assert max(map(len, lines)) <= COLUMNS
    assert "".join(lines).count("words") == 30


def test_what_does_not_fit_is_shown_row_by_row_with_every_cell_whole() -> None:
    titles = ["letter", "state", "time", "code", "stage", "record"]
    lines = drawn(table_of(titles, LONG, ["", *LONG[1:]]))
    assert max(map(len, lines)) <= COLUMNS
    assert lines[:7] == [*(f"{title:<6}  {cell}" for title, cell in zip(titles, LONG, strict=True)), ""]
    assert lines[7].split() == ["state", "open"]  # an empty cell has no line
    assert drawn(table_of(titles, LONG), terminal=False)[0].split() == titles


def test_the_list_of_topics_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{**asdict(topic), "topic": topic.name, "partitions": 16, "offsets": 12_345} for topic in TOPICS]
    rows[0]["partitions"] = 0
    monkeypatch.setattr(topics, "require_kafka", lambda _: None)
    monkeypatch.setattr(topics, "findings_of", lambda *_: [])
    monkeypatch.setattr(topics, "describe_topics", lambda _: rows)
    shown: list[Table] = []
    with monkeypatch.context() as patched:
        patched.setattr(Screen, "print", lambda _, table: shown.append(table))
        assert main(["topics"]) == 0
    lines = drawn(shown[0])
    assert lines[0].split() == ["topic", "parts", "offsets", "written", "by", "holds"]
    assert max(map(len, lines)) <= COLUMNS
    words = " ".join(lines).split()
    assert "missing" in words
    for topic in TOPICS:
        assert {topic.name, *topic.holds.split(), *topic.written_by.split()} <= set(words), topic.name
