"""`ledgerflow statements watch`: imports the files that come into a folder.

    file, unchanged for a moment --> read, check --> events to Kafka, acknowledged --> a note beside the files

A note is named by the file's content and by how it was read, so a file is imported once, whatever its name.
Whoever is killed between events and note sends the same events with the same ids again: they have one effect.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from pipeline.cli.options import Bootstrap, Data, RegistryUrl
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.sending import settings_to_send
from pipeline.cli.statement_producer import send_statements
from pipeline.cli.statements import (
    AccountOption,
    AccountsOption,
    ColumnsOption,
    EmptyOption,
    EncodingOption,
    FormatOption,
    exit_code,
    options_of,
    tell,
)
from pipeline.runtime.settings import Settings
from pipeline.statement_files.form import FILE_BYTES_MAX
from pipeline.statement_files.importing import Options, Source, enrich_all, read_source

NOTES = ".ledgerflow-imported"
FILES_MAX = 100_000
CONTEXT_MAX = 200
"""Statements that were imported before, and that a new notification is held against: the newest ones."""
IMPORTED, REFUSED, WAITING = "imported", "refused", "waiting"
AGAIN_AFTER_S = 5.0
"""After Kafka or the registry has not answered."""


class Seen(NamedTuple):
    """A file as a look at the folder finds it."""

    size: int
    modified_ns: int
    inode: int


class Folder:
    """A folder, and the notes of what was imported from it."""

    def __init__(self, folder: Path, notes: Path, options: Options, named: str) -> None:
        self._folder, self._notes, self._options, self._named = folder, notes, options, named
        self._seen: dict[str, Seen] = {}
        self._digests: dict[tuple[str, Seen], str] = {}
        notes.mkdir(mode=0o700, exist_ok=True)

    def settled(self) -> list[tuple[Path, Seen]]:
        """Return the files that have not changed since the look before, oldest first."""
        found: dict[str, Seen] = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or len(found) >= FILES_MAX:
                    continue
                try:
                    about = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(about.st_mode):
                    found[entry.name] = Seen(about.st_size, about.st_mtime_ns, about.st_ino)
        settled = [(name, seen) for name, seen in found.items() if self._seen.get(name) == seen]
        self._seen = found
        self._digests = {key: value for key, value in self._digests.items() if found.get(key[0]) == key[1]}
        settled.sort(key=lambda one: (one[1].modified_ns, one[0]))
        return [(self._folder / name, seen) for name, seen in settled]

    def note_of(self, path: Path, seen: Seen) -> dict[str, Any] | None:
        """Return the note of a file's content; None for one that was not imported."""
        digest = self._digests.get((path.name, seen))
        if digest is None:
            digest = self._digests[path.name, seen] = _digest(path)
        try:
            note = json.loads(self._path(digest).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return note if isinstance(note, dict) else None

    def take_note(self, source: Source, outcome: str, sent: int) -> None:
        """Write that a file was imported: whole, and on the disk before this returns."""
        told = source.told()
        kept = ("file", "sha256", "format", "refused", "problems", "notes")
        note = {"outcome": outcome, "events": sent, **{name: told[name] for name in kept}}
        path = self._path(source.sha256 or _digest(Path(source.name)))
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(json.dumps(note).encode())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def look(self, settings: Settings, send: Any = send_statements) -> list[Source]:
        """Import what is new; return it. Raises Failed where Kafka or the registry does not answer."""
        new, waiting, known = [], [], []
        for path, seen in self.settled():
            try:
                note = self.note_of(path, seen)
            except OSError as error:
                typer.echo(f"{path.name}: {error.strerror}; it is tried again", err=True)
                continue
            if note is None:
                new.append(path)
            elif note.get("outcome") == WAITING:
                waiting.append(path)
            elif note.get("format") == "camt.053":
                known.append(path)
        sources = self._read(new)
        if any(source.statements and source.format == "camt.053" for source in sources):
            sources += self._read(waiting)
        is_told = any(source.notices for source in sources)
        context = self._read(known[-CONTEXT_MAX:]) if is_told else []
        enrich_all(sources, context)
        for source in [*sources, *context]:
            sent = send(settings, source.events()) if source.count else 0
            if source.changed is None:
                outcome = WAITING if source.is_waiting else REFUSED if source.refused else IMPORTED
                self.take_note(source, outcome, sent)
                typer.echo(f"{source.name}: {outcome}, {sent:,} events")
            elif sent:
                typer.echo(f"{source.name}: notifications tell more about {sent:,} lines")
        tell(sources)
        return sources

    def _read(self, paths: Sequence[Path]) -> list[Source]:
        sources = []
        for path in paths:
            try:
                sources.append(read_source(path, self._options))
            except OSError as error:
                typer.echo(f"{path.name}: {error.strerror}; it is tried again", err=True)
        return sources

    def _path(self, digest: str) -> Path:
        return self._notes / f"{digest[:40]}-{self._named}.json"


def _digest(path: Path) -> str:
    """Return the hash of a file's content, as far as it is read."""
    digest, left = sha256(), FILE_BYTES_MAX + 1
    with path.open("rb") as file:
        while left > 0 and (piece := file.read(min(left, 2**20))):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


def watch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False)],
    account: AccountOption = None,
    accounts: AccountsOption = None,
    form: FormatOption = "auto",
    columns: ColumnsOption = None,
    encoding: EncodingOption = "",
    allow_empty: EmptyOption = False,
    notes: Annotated[
        Path | None,
        typer.Option("--notes", metavar="DIR", help="Where is noted what was imported.", show_default=NOTES),
    ] = None,
    every: Annotated[
        float, typer.Option("--every", metavar="S", min=0.1, max=3600, help="Look so often, seconds.")
    ] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Import what is there, and end.")] = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Import the statements that come into a folder, each content once, until it is stopped.

    A file is taken once it has not changed between two looks; let a program that writes slowly write under a
    name with a leading dot, and rename the file. Names with a leading dot, folders and links are left alone.
    Files stay where they are. With --once the exit code is that of `statements import`.
    """
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}")
    options = options_of(account, accounts, form, columns, encoding, allow_empty)
    named = _named(account, accounts, form, columns, encoding)
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, False)
    watched = Folder(folder, notes or folder / NOTES, options, named)
    if once:
        watched.settled()
        time.sleep(min(every, 1.0))
        if code := exit_code(watched.look(settings)):
            raise typer.Exit(code)
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    typer.echo(f"watching {folder}: Ctrl-C ends it", err=True)
    while not stop.wait(every):
        try:
            watched.look(settings)
        except Failed as error:
            typer.echo(f"{error.format_message()}; trying again", err=True)
            stop.wait(AGAIN_AFTER_S)


def _named(account: str | None, accounts: Path | None, form: str, columns: Path | None, encoding: str) -> str:
    """Return a name of how files are read: read in another way, a file is another import."""
    files = [b"" if path is None else path.read_bytes() for path in (accounts, columns)]
    said = [(account or "").encode(), form.encode(), encoding.encode(), *files]
    return sha256(b"".join(sha256(one).digest() for one in said)).hexdigest()[:16]
