"""`ledgerflow proposals|approve|reject` without a cluster: what they show, ask and send."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from pipeline.cli import proposals, sending
from pipeline.cli.asking import NotFound
from pipeline.cli.entry import main
from pipeline.cli.sending import Sent
from pipeline.events import ProposalApproved, ProposalRejected
from pipeline.input_event import InputEvent

NOBODY = "--url http://127.0.0.1:1"
ROW = {
    "tenant_id": "north",
    "account_id": "alice",
    "proposal_id": "e/1",
    "command": "account_limit_set",
    "proposed_by": {"issuer": "idp", "subject": "anna", "session_id": "s-1"},
    "expires_at": "2026-12-08T00:00:00Z",
    "content_hash": "5f" * 32,
    "content": {"account_id": "alice", "overdraft_limit_minor": 2000},
}


class Stack:
    """The view of proposals, of which there is one until a decision comes."""

    def __init__(self) -> None:
        self.sent: list[InputEvent] = []
        self.row: dict[str, Any] = dict(ROW)

    def ask(self, _: list[str], path: str, parameters: Any = None) -> dict[str, Any]:
        if path in ("/proposals", "/proposals/north/alice"):
            return {"data": [self.row], "next": None}
        if path != "/proposals/north/alice/e%2F1" or self.sent:
            raise NotFound(f"{path} is not known")
        return {"data": self.row}

    def send(self, _: Any, event: InputEvent) -> Sent:
        self.sent.append(event)
        return Sent(event.TOPIC, 2, 17, event.key().decode(), event.event_id)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stack:
    made = Stack()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sending, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(proposals, "ask", made.ask)
    monkeypatch.setattr(proposals, "send", made.send)
    monkeypatch.setattr(proposals, "who", lambda settings: "bert")
    return made


def said(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    servers = "" if line.startswith("proposals") else "--bootstrap-servers 127.0.0.1:1"
    code = main(shlex.split(f"{line} {NOBODY} {servers}"))
    written = capsys.readouterr()
    return code, written.out, written.err


def test_open_proposals_are_listed(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    for place in ("north", "north/alice"):
        code, out, err = said(capsys, f"proposals {place}")
        assert code == 0 and "account_limit_set" in out and "anna" in out and "1 wait" in err
    code, out, _ = said(capsys, "proposals north --json")
    assert code == 0 and json.loads(out) == [ROW]


def test_an_approval_names_what_was_shown_and_who_approves(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, f"approve north/alice e/1 --hash {ROW['content_hash']}")
    assert code == 0 and '"overdraft_limit_minor": 2000' in out and "approvals[2]@17, key north/alice" in out
    (event,) = stack.sent
    assert isinstance(event, ProposalApproved) and event.actor is not None
    assert (event.proposal_id, event.content_hash) == ("e/1", ROW["content_hash"])
    assert (event.actor.issuer, event.actor.subject, event.actor.key_id) == ("ledgerflow-cli", "bert", None)
    assert event.actor.session_id


def test_what_has_changed_since_it_was_read_is_not_approved(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, f"approve north/alice e/1 --hash {'0' * 64}")
    assert code == 1 and "read it, and decide again" in err and not stack.sent


def test_nobody_approves_their_own(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.row["proposed_by"] = {"issuer": "ledgerflow-cli", "subject": "bert"}
    code, _, err = said(capsys, f"approve north/alice e/1 --hash {ROW['content_hash']}")
    assert code != 0 and "another person has to approve it" in err and not stack.sent


def test_without_a_hash_a_person_is_asked(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(*_: Any, **__: Any) -> bool:
        raise typer.Abort

    monkeypatch.setattr(typer, "confirm", no)
    code, _, err = said(capsys, "approve north/alice e/1")
    assert code == 1 and "nothing was done" in err and not stack.sent
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: True)
    code, out, _ = said(capsys, "reject north/alice e/1 --reason 'wrong amount'")
    assert code == 0 and "does not wait any more" in out
    (event,) = stack.sent
    assert isinstance(event, ProposalRejected) and event.reason == "wrong amount"


def test_a_proposal_that_is_not_there_is_told(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "reject north/alice e-2 --reason x")
    assert code == 1 and "is not known" in err and not stack.sent
