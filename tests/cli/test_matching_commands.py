"""`ledgerflow matching publish|withdraw|list` without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.cli import matching_publishing, sending
from pipeline.cli.entry import main
from pipeline.cli.matching_publishing import log_of, weights_in
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.events import FraudModelPublished, MatchingWeightsPublished
from tests.cli.sent_records import DECODER, SentRecords

STRICT = msgspec.structs.replace(DEFAULT_WEIGHTS, confirm_from=20_000)
NOBODY = ("--bootstrap-servers", "127.0.0.1:1")
NINE, TEN, ELEVEN = (f"2026-12-01T{hour:02}:00:00Z" for hour in (9, 10, 11))
NINE_US = 1_764_579_600_000_000 + 365 * 86_400_000_000
HOUR_US = 3_600_000_000


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> SentRecords:
    found = SentRecords()
    monkeypatch.setattr(matching_publishing, "send_all", found.send_all)
    monkeypatch.setattr(matching_publishing, "read_log", lambda settings: log_of(found.records, DECODER))
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.json"
    path.write_bytes(STRICT.canonical())
    return path


def said(capsys: pytest.CaptureFixture[str], *given: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["matching", *map(str, given)])
    written = capsys.readouterr()
    return code, written.out, written.err


def test_weights_are_published_listed_and_withdrawn(
    topic: SentRecords, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, "publish", file, "--from", NINE, *NOBODY)
    name = STRICT.hash()
    assert (code, out.splitlines()) == (
        0,
        [
            "sent 1 record, the last to matching-rules[0]@0, key */*",
            f"weights {name[:12]} hold from {NINE} on, for all tenants",
        ],
    )
    assert "`ledgerflow matching list`" in err
    (event,) = topic.events
    assert isinstance(event, MatchingWeightsPublished)
    assert (event.weights, event.sha256) == (STRICT.canonical().decode(), name)
    assert event.actor is not None and event.actor.issuer == "ledgerflow-cli"
    assert said(capsys, "publish", file, "--tenant", "north", "--from", TEN, *NOBODY)[0] == 0
    code, out, _ = said(capsys, "withdraw", "--tenant", "north", "--from", ELEVEN, *NOBODY)
    assert code == 0 and f"are those of the product from {ELEVEN} on, for north" in out
    code, out, _ = said(capsys, "list", "--json", *NOBODY)
    found = json.loads(out)
    assert (code, found["refused"]) == (0, [])
    assert [(one["of_tenant"], one["sha256"], one["effective_from"]) for one in found["weights"]] == [
        (None, name, NINE),
        ("north", name, TEN),
        ("north", None, ELEVEN),
    ]
    code, out, err = said(capsys, "list", *NOBODY)
    assert (code, err) == (0, "")
    assert "all tenants" in out and name[:12] in out and "those of the product" in out


def test_states_follow_the_times(topic: SentRecords, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for since in (TEN, NINE):
        assert said(capsys, "publish", file, "--from", since, *NOBODY)[0] == 0
    log = log_of(topic.records, DECODER)
    for at_us, states in (
        (NINE_US - 1, ["later", "later"]),
        (NINE_US, ["holds", "later"]),
        (NINE_US + HOUR_US, ["replaced", "holds"]),
    ):
        assert [one["state"] for one in weights_in(log, at_us)] == states


def test_what_the_stream_refuses_is_told_by_its_code(
    topic: SentRecords, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common: dict[str, Any] = {"tenant_id": "*", "occurred_at": NINE, "effective_from": NINE, "role": "LIVE"}
    given = {"weights": STRICT.canonical().decode(), "sha256": STRICT.hash()}
    blank = given["weights"].replace(":", ": ")
    topic.send_all(
        None,
        [
            MatchingWeightsPublished(**common, **given | {"sha256": DEFAULT_WEIGHTS.hash()}),
            MatchingWeightsPublished(**common, **given, of_tenant="north"),
            MatchingWeightsPublished(**common, weights=blank, sha256=DEFAULT_WEIGHTS.hash()),
            FraudModelPublished(**common, parts=0, catalogue_version="x"),
        ],
    )
    topic.records.append(topic.records[0]._replace(key=b"north/north", offset=4))
    code, out, err = said(capsys, "list", *NOBODY)
    assert (code, len(out.splitlines())) == (0, 1)
    assert [line.rsplit(": ", 1)[1] for line in err.splitlines()] == [
        *("wrong_hash", "wrong_tenant", "wrong_hash", "unexpected_event", "wrong_key")
    ]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"amount":', '"colour":', "no feature is called 'colour'"),
        ('"version":1', '"version":2', "not of version 1"),
        ('"version":1', '"version": 1', "not the canonical form of its weights"),
        ('"margin":', '"margin":99', "a weight is a whole number of at most 60000"),
        ("{", "[", "the weights are not JSON"),
    ],
)
def test_a_file_that_no_log_can_carry_is_not_sent(
    topic: SentRecords, file: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, why: str
) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    code, out, err = said(capsys, "publish", file, *NOBODY)
    assert (code, out, topic.events, err.count("\n")) == (2, "", [], 1)
    assert why in err


def test_the_canonical_form_is_shown_and_can_be_published(
    topic: SentRecords, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(json.dumps(json.loads(STRICT.canonical()), indent=2), "utf-8")
    code, out, _ = said(capsys, "show", "--canonical", file)
    assert (code, out) == (0, STRICT.canonical().decode())
    file.write_text(out, "utf-8")
    assert said(capsys, "publish", file, *NOBODY)[0] == 0
    assert len(topic.events) == 1


@pytest.mark.parametrize(
    ("given", "code", "why"),
    [
        (("publish", "{file}", "--tenant", "*"), 2, "no tenant is called *: leave it out for all of them"),
        (("withdraw", "--tenant", "*"), 2, "no tenant is called *: leave it out for all of them"),
        (("withdraw", "--tenant", "a/b", "--dry-run"), 2, "tenant_id"),
        (("withdraw", "--tenant", "x" * 257), 2, "tenant_id: 257 characters, at most 256"),
        (("publish", "{file}", "--from", "noon"), 2, "no time with a zone"),
        (("publish", "{folder}"), 1, "Is a directory"),
        (("publish", "{file}.gone"), 1, "No such file"),
    ],
)
def test_what_cannot_be_sent_is_told_in_one_line(
    topic: SentRecords, file: Path, capsys: pytest.CaptureFixture[str],
    given: tuple[str, ...], code: int, why: str,
) -> None:  # fmt: skip
    full = [one.format(file=file, folder=file.parent) for one in given]
    found, out, err = said(capsys, *full, *NOBODY)
    assert (found, out, topic.events, err.count("\n")) == (code, "", [], 1)
    assert why in err


@pytest.mark.parametrize("given", [("publish", "{file}"), ("withdraw", "--tenant", "north")])
def test_a_dry_run_shows_the_event_and_asks_nobody(
    given: tuple[str, ...], file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Producer", "client", "require_kafka"):
        monkeypatch.setattr(sending, name, None)  # calling it would raise TypeError
    code, out, err = said(capsys, *(one.format(file=file) for one in given), "--dry-run", *NOBODY)
    shown = json.loads(out)
    assert (code, shown["topic"], shown["record_name"]) == (
        *(0, "matching-rules", "ledgerflow.MatchingWeightsPublished"),
    )
    assert "nothing was sent" in err
    is_whole = given[0] == "publish"
    assert (shown["event"]["sha256"] is not None) == is_whole
    assert shown["event"]["of_tenant"] == (None if is_whole else "north")


def test_where_no_kafka_answers_nothing_is_said_to_hold(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for given in (("publish", file), ("withdraw",), ("list",)):
        code, out, err = said(capsys, *given, *NOBODY)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "127.0.0.1:1" in err
