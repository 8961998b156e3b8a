"""A set of files that are imported together: read, enriched, checked, each statement with its account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pipeline.input_event import InputEvent
from pipeline.statement_files.accounts import Account, Accounts
from pipeline.statement_files.as_events import count_of, events_of
from pipeline.statement_files.checks import problems_of
from pipeline.statement_files.csv_mapping import Mapping
from pipeline.statement_files.enriching import enrich
from pipeline.statement_files.form import FileRefused, Notice, Read, Statement
from pipeline.statement_files.reading import Content, content_of, read_content


class Options(NamedTuple):
    """How files are read."""

    accounts: Accounts
    form: str = "auto"
    mapping: Mapping | None = None
    encoding: str = ""
    allow_empty: bool = False


class Source(msgspec.Struct):
    """A file, and what is made of it."""

    name: str
    sha256: str = ""
    format: str = ""
    statements: list[tuple[Statement, Account]] = []
    notices: list[Notice] = []
    refused: list[str] = []
    problems: list[str] = []
    notes: list[str] = []
    changed: dict[int, set[int]] | None = None
    """Of a file that was imported before: the lines, by statement, that notifications tell more about."""
    is_waiting: bool = False
    """A notification whose bookings have not all come yet."""

    def events(self) -> Iterator[InputEvent]:
        """Yield the file's events in their order."""
        for at, (statement, account) in enumerate(self.statements):
            if self.changed is None:
                yield from events_of(statement, account)
            elif at in self.changed:
                yield from events_of(statement, account, self.changed[at])

    @property
    def count(self) -> int:
        """How many events they are."""
        if self.changed is not None:
            return sum(map(len, self.changed.values()))
        return sum(count_of(statement) for statement, _ in self.statements)

    def told(self) -> dict[str, Any]:
        """Return what is in it, for scripts."""
        return {
            "file": self.name,
            "sha256": self.sha256,
            "format": self.format,
            "statements": [
                {
                    "statement_id": statement.statement_id,
                    "account": str(account),
                    "currency": statement.currency,
                    "lines": len(statement.lines),
                    "opening_balance_minor": statement.opening_minor,
                    "closing_balance_minor": statement.closing_minor,
                }
                for statement, account in self.statements
            ],
            "refused": self.refused,
            "problems": self.problems,
            "notes": self.notes,
        }


def read_source(path: Path, options: Options) -> Source:
    """Return what a file has; one that cannot be read says why in `refused`. Raises OSError."""
    try:
        content = content_of(path)
    except FileRefused as error:
        return Source(str(path), refused=[str(error)])
    return source_of(content, options)


def source_of(content: Content, options: Options) -> Source:
    """Return what a file's content has."""
    source = Source(content.name, content.sha256)
    try:
        read = read_content(content, options.form, options.mapping, options.encoding)
    except FileRefused as error:
        source.refused.append(str(error))
        return source
    source.format, source.notices = read.format, read.notices
    source.refused += [f"{content.name}: {one}" for one in read.refused]
    source.problems += [f"{content.name}: {one}" for one in read.problems]
    source.notes += [f"{content.name}: {one}" for one in read.notes]
    try:
        options.accounts.check_one(read.statements)
    except FileRefused as error:
        source.refused.append(f"{content.name}: {error}")
        return source
    _place(read, source, options)
    found = problems_of(read.statements, allow_empty=options.allow_empty)
    source.problems += [f"{content.name}: {one}" for one in found]
    return source


def _place(read: Read, source: Source, options: Options) -> None:
    for statement in read.statements:
        try:
            source.statements.append((statement, options.accounts.of(statement)))
        except FileRefused as error:
            source.refused.append(f"{source.name}: {error}")


def enrich_all(sources: Sequence[Source], known: Sequence[Source] = ()) -> None:
    """Let notifications of `sources` tell more about lines of `sources`, and of `known`: imported before."""
    every = [*known, *sources]
    places = [(source, at) for source in every for at in range(len(source.statements))]
    statements = [source.statements[at][0] for source, at in places]
    for source in known:
        source.changed = {}
    for teller in sources:
        if not teller.notices:
            continue
        enriched = enrich(statements, teller.notices)
        statements = enriched.statements
        teller.problems += [f"{teller.name}: {one}" for one in enriched.left]
        teller.is_waiting = bool(enriched.left)
        for at, lines in enriched.changed.items():
            source, place = places[at]
            if source.changed is not None:
                source.changed.setdefault(place, set()).update(lines)
    for (source, at), statement in zip(places, statements, strict=True):
        source.statements[at] = (statement, source.statements[at][1])
