"""`ledgerflow statements import|watch|preview` without a cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import statements, statements_watch
from pipeline.cli.entry import main
from pipeline.cli.problems import Failed
from pipeline.cli.statements_watch import Folder
from pipeline.input_event import InputEvent
from pipeline.statement_files.accounts import Account, Accounts
from pipeline.statement_files.importing import Options, Source
from tests.statement_files.files import BOOKING, CSV, IBAN, MAPPING, camt, dtls, mt940, ntfctn, ntry, stmt, tx

NOBODY = ("--bootstrap-servers", "127.0.0.1:1")
ONE = ("--account", "north/nostro")


class Topic:
    """What was sent; fails after so many events."""

    def __init__(self) -> None:
        self.events: list[InputEvent] = []
        self.most = 10**9

    def send(self, _: Any, events: Iterable[InputEvent], told: Callable[[int], None] = lambda _: None) -> int:
        count = 0
        for event in events:
            if len(self.events) >= self.most:
                raise Failed("Kafka has acknowledged nothing for 30 s")
            self.events.append(event)
            count += 1
            told(count)
        return count

    @property
    def ids(self) -> list[str]:
        return [event.event_id for event in self.events]


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    found = Topic()
    monkeypatch.setattr(statements, "send_statements", found.send)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    def write(content: bytes | str, name: str = "file") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def run(*arguments: str) -> int:
    """Run `statements import`."""
    return main(["statements", "import", *NOBODY, *arguments])


def test_a_file_is_imported_and_again_with_the_same_ids(
    topic: Topic, file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(camt(stmt(ntry(), number="1")))
    assert run(path, *ONE) == 0
    assert "sent 2 events" in capsys.readouterr().out
    first = topic.ids
    assert run(file(camt(stmt(ntry(), number="1")), "other name"), *ONE) == 0
    assert topic.ids == first * 2
    assert {event.key() for event in topic.events} == {b"north/nostro"}


def test_several_files_and_accounts(topic: Topic, file: Callable[..., str]) -> None:
    accounts = file(f'[accounts]\n"{IBAN}" = "north/eur"\n"GB29" = "south/gb"\n', "accounts.toml")
    paths = file(camt(stmt(ntry())), "a"), file(camt(stmt(ntry(), account="GB29")), "b")
    assert run(*paths, "--accounts", accounts) == 0
    assert [event.key() for event in topic.events] == [b"north/eur"] * 2 + [b"south/gb"] * 2


def test_what_does_not_hold_is_sent_and_said_loudly(
    topic: Topic, file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(camt(stmt(ntry("40.00"))))
    assert run(path, *ONE) == 1
    said = capsys.readouterr()
    assert "problem: " in said.err and "make 140.00 EUR, the closing balance is 150.00 EUR" in said.err
    assert len(topic.events) == 2
    assert run(path, *ONE, "--all-or-nothing") == 1
    assert len(topic.events) == 2
    assert "nothing was sent of 2 events" in capsys.readouterr().out


def test_what_cannot_be_read_is_not_sent_and_the_rest_is(
    topic: Topic, file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = file(camt(stmt(ntry())), "good"), file(camt(stmt(ntry() + ntry("x"))), "bad")
    assert run(good, bad, *ONE) == 2
    assert len(topic.events) == 2
    error = capsys.readouterr().err
    assert "refused: " in error and "bad: " in error and "Ntry 2" in error and "Traceback" not in error
    assert run(good, bad, *ONE, "--all-or-nothing") == 2
    assert len(topic.events) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--account TENANT/ACCOUNT"),
        ((*ONE, "--accounts", "x"), "--account TENANT/ACCOUNT"),
        (("--account", "nostro"), "write TENANT/ACCOUNT"),
        ((*ONE, "--format", "pdf"), "--format"),
        ((*ONE, "--encoding", "nothing"), "is not known"),
        ((*ONE, "--columns", "/nowhere"), "No such file"),
        (("--accounts", "/nowhere"), "No such file"),
    ],
)
def test_bad_options_are_one_line(
    arguments: tuple[str, ...], said: str, file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(file(camt(stmt(ntry()))), *arguments) in (1, 2)
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_one_account_takes_no_statements_of_several(
    topic: Topic, file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(camt(stmt(ntry()) + stmt(ntry(), "S2", account="GB29")))
    assert run(path, *ONE) == 2
    assert not topic.events and "use --accounts" in capsys.readouterr().err


def test_a_dry_run_asks_nobody_and_json_has_all(
    file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mt940", reason="mt-940 is not installed: pip install '.[test,statements]'")
    path = file(mt940(BOOKING))
    assert run(path, *ONE, "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], told["sent"]) == (2, 0)
    (one,) = told["files"]
    assert (one["format"], one["statements"][0]["statement_id"]) == ("MT940", "STARTUMSE@2026-03-02#1")
    assert (one["statements"][0]["lines"], one["statements"][0]["account"]) == (1, "north/nostro")


def test_notifications_fill_in_lines_of_the_same_call(topic: Topic, file: Callable[..., str]) -> None:
    told = file(camt(ntfctn(ntry(details=dtls(tx(name="Anna")))), message="camt.054"), "told")
    assert run(told, file(camt(stmt(ntry())), "statement"), *ONE) == 0
    line = topic.events[0].to_avro()
    assert (len(topic.events), line["counterparty_name"], line["end_to_end_id"]) == (2, "Anna", "E2E-1")
    assert line["external_reference"] is None  # what the line is known by stays
    assert run(told, *ONE) == 1


def test_csv_by_its_columns_and_a_preview(
    topic: Topic, file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path, columns = file(CSV), file(MAPPING, "columns.toml")
    assert run(path, *ONE) == 2
    assert "--columns" in capsys.readouterr().err
    assert run(path, *ONE, "--columns", columns) == 0
    assert len(topic.events) == 4
    assert main(["statements", "preview", path]) == 0
    shown = capsys.readouterr()
    assert 'booked = "Booking date"' in shown.out and "Landlord" in shown.err
    assert main(["statements", "preview", path, "--columns", columns]) == 0
    assert "list EUR@2026-03-02" in capsys.readouterr().out
    assert main(["statements", "preview", file("x", "x")]) == 2


def watched(folder: Path) -> Folder:
    """Return a folder that is watched, as a program that has just begun sees it."""
    found = Folder(
        folder, folder / statements_watch.NOTES, Options(Accounts(Account("north", "nostro"))), "0" * 16
    )
    found.settled()
    return found


def look(folder: Folder, topic: Topic) -> list[Source]:
    """Look at a folder once."""
    return folder.look(None, topic.send)  # type: ignore[arg-type]


def test_a_watched_folder_imports_each_content_once(tmp_path: Path) -> None:
    topic = Topic()
    (tmp_path / "a.xml").write_bytes(camt(stmt(ntry())))
    folder = watched(tmp_path)
    assert len(look(folder, topic)) == 1 and len(topic.events) == 2
    assert look(folder, topic) == [] and look(watched(tmp_path), topic) == []
    (tmp_path / "copy.xml").write_bytes(camt(stmt(ntry())))
    (tmp_path / ".hidden").write_bytes(camt(stmt(ntry("1.00"))))
    (tmp_path / "link").symlink_to(tmp_path / ".hidden")
    look(folder, topic)
    assert look(folder, topic) == [] and len(topic.events) == 2


def test_a_file_is_taken_once_it_has_not_changed_between_two_looks(tmp_path: Path) -> None:
    topic, path = Topic(), tmp_path / "a.xml"
    folder = watched(tmp_path)
    whole = camt(stmt(ntry()))
    path.write_bytes(whole[:200])
    assert look(folder, topic) == []
    path.write_bytes(whole)
    assert look(folder, topic) == []
    assert len(look(folder, topic)) == 1 and len(topic.events) == 2


@pytest.mark.parametrize("most", range(4))
def test_whoever_is_stopped_at_any_event_sends_the_same_again(tmp_path: Path, most: int) -> None:
    topic = Topic()
    (tmp_path / "a.xml").write_bytes(camt(stmt(ntry() + ntry("1.00", "DBIT"), closing="149.00")))
    topic.most = most
    if most < 3:
        with pytest.raises(Failed):
            look(watched(tmp_path), topic)
    else:  # stopped between the last event and the note
        folder = watched(tmp_path)
        folder.take_note = lambda *_: None  # type: ignore[method-assign]
        look(folder, topic)
    topic.most = 10**9
    look(watched(tmp_path), topic)
    assert topic.ids[:most] == topic.ids[most : 2 * most]
    assert len(set(topic.ids)) == 3
    assert look(watched(tmp_path), topic) == []


def test_a_note_that_is_half_written_is_none(tmp_path: Path) -> None:
    topic = Topic()
    (tmp_path / "a.xml").write_bytes(camt(stmt(ntry())))
    look(watched(tmp_path), topic)
    (note,) = (tmp_path / statements_watch.NOTES).iterdir()
    os.truncate(note, 5)
    look(watched(tmp_path), topic)
    assert topic.ids[:2] == topic.ids[2:] and json.loads(note.read_bytes())["events"] == 2


def test_what_is_refused_is_noted_and_not_tried_again_until_it_changes(tmp_path: Path) -> None:
    topic, path = Topic(), tmp_path / "a.xml"
    path.write_bytes(b"<broken")
    folder = watched(tmp_path)
    assert look(folder, topic)[0].refused and look(folder, topic) == []
    (note,) = (tmp_path / statements_watch.NOTES).iterdir()
    assert json.loads(note.read_bytes())["outcome"] == "refused"
    path.write_bytes(camt(stmt(ntry())))
    look(folder, topic)
    look(folder, topic)
    assert len(topic.events) == 2


@pytest.mark.parametrize("is_first", [True, False])
def test_a_notification_may_come_before_or_after_its_statement(tmp_path: Path, is_first: bool) -> None:
    topic = Topic()
    statement = camt(stmt(ntry()))
    told = camt(ntfctn(ntry(details=dtls(tx(name="Anna")))), message="camt.054")
    for name, content in (("1", told), ("2", statement)) if is_first else (("1", statement), ("2", told)):
        (tmp_path / name).write_bytes(content)
        look(watched(tmp_path), topic)
    names = [e.to_avro().get("counterparty_name") for e in topic.events if "line_no" in e.to_avro()]
    assert names == (["Anna"] if is_first else [None, "Anna"])
    assert look(watched(tmp_path), topic) == []


def test_watching_once_has_the_exit_code_of_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = Topic()
    monkeypatch.setattr(Folder.look, "__defaults__", (topic.send,))
    arguments = ["statements", "watch", str(tmp_path), *ONE, *NOBODY, "--once", "--every", "0.1"]
    assert main(arguments) == 0
    (tmp_path / "a.xml").write_bytes(camt(stmt(ntry("40.00"))))
    assert main(arguments) == 1
    assert "imported, 2 events" in capsys.readouterr().out
    assert main(arguments) == 0
    assert main(["statements", "watch", str(tmp_path / "none"), *ONE]) == 2
