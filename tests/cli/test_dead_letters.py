"""`ledgerflow dead-letters`: which letters there are, what becomes of them, and what is kept of it."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.cli import dead_letters, entry, letter_view, letters, redriving
from pipeline.cli.letters import REDRIVEN_HEADER, Letter, milliseconds, place_of, spans
from pipeline.cli.problems import BadInput
from pipeline.cli.records import TopicRecord
from pipeline.runtime.avro.registry import NotRegistered, RegistryUnavailable
from pipeline.runtime.kafka.operator_actions import About
from pipeline.verify.decode import Event

PREFIX = "__ledgerflow.errors."
NOON = 1_780_315_200_000  # 2026-06-01T12:00:00Z


class Cluster:
    """dead-letters and operator-actions in memory."""

    def __init__(self) -> None:
        self.topics: dict[str, list[TopicRecord]] = {"dead-letters": [], "operator-actions": []}
        self.produced: list[dict[str, Any]] = []
        self.registry_answers = True

    def add(
        self, code: str = "wrong_partition", key: bytes | None = b"north/a", value: bytes | None = b"value",
        at_ms: int = NOON, topic: str = "payments", headers: Iterable[tuple[str, bytes]] = (), **more: str,
    ) -> str:  # fmt: skip
        """Add a dead letter to partition 0; return its place."""
        said = {
            "code": code,
            "topic": topic,
            "partition": "1",
            "offset": "5",
            "attempt": "1",
            "stage": "x",
            **more,
        }
        own = [(PREFIX + name.replace("_", "-"), text.encode()) for name, text in said.items()]
        offset = len(self.topics["dead-letters"])
        record = TopicRecord("dead-letters", 0, offset, at_ms, key, value, [*headers, *own])
        self.topics["dead-letters"].append(record)
        return f"0/{offset}"

    def act(self, _: Any, __: Any, action: str, reason: str, about: Iterable[About]) -> None:
        for one in about:
            assert one.topic == "dead-letters"
            fields = {"action": action, "operator": "op", "reason": reason, "occurred_at": 7, **one._asdict()}
            value = json.dumps(fields).encode()
            self.topics["operator-actions"].append(TopicRecord("operator-actions", 0, 0, 0, None, value, []))

    @property
    def actions(self) -> list[dict[str, Any]]:
        return [json.loads(record.value or b"") for record in self.topics["operator-actions"]]

    def decoder(self, _: Any) -> SimpleNamespace:
        def decode(value: bytes | None) -> Event | None:
            if not self.registry_answers:
                raise RegistryUnavailable("down")
            return Event("OperatorActed", json.loads(value)) if value and value[:1] == b"{" else None

        return SimpleNamespace(decode=decode)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()

    class Reader:
        def __init__(self, _: Any, topic: str, __: int) -> None:
            self._records = made.topics[topic]

        def all(self) -> Iterator[TopicRecord]:
            yield from self._records

        def from_offsets(self, starts: Mapping[int, int]) -> Iterator[TopicRecord]:
            yield from (record for record in self._records if record.offset >= starts[record.partition])

        def close(self) -> None:
            return

    class Producer:
        def __init__(self, _: Any) -> None:
            return

        def produce(self, *, on_delivery: Any, **record: Any) -> None:
            made.produced.append(record)
            on_delivery(None, None)

        def flush(self, _: float) -> int:
            return 0

    for module in (letters, letter_view, redriving):
        monkeypatch.setattr(module, "TopicReader", Reader)
    for module in (letters, letter_view):
        monkeypatch.setattr(module, "decoder", made.decoder)
    monkeypatch.setattr(letters, "require_kafka", lambda _: None)
    monkeypatch.setattr(letters, "require_topic", lambda *_: 1)
    monkeypatch.setattr(redriving, "Producer", Producer)
    monkeypatch.setattr(dead_letters, "act_all", made.act)
    monkeypatch.setattr(dead_letters, "_codec", lambda _: None)
    return made


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = entry.main(["dead-letters", *arguments])
    return code, *capsys.readouterr()


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Return places and states of what `list` shows."""
    code, out, _ = said(capsys, "list", "--json", *arguments)
    assert code == 0
    found = [json.loads(line) for line in out.splitlines()]
    return [
        f"{one['dead_letter']['partition']}/{one['dead_letter']['offset']} {one['state']}" for one in found
    ]


def test_filters(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.add()
    cluster.add("no_key", key=None, at_ms=NOON + 1_000)
    cluster.add(key=b"south/b", at_ms=NOON + 2_000, topic="accounts")
    cluster.add(key=b"north/ab", at_ms=NOON + 3_000)
    for arguments, places in (
        ([], "0123"),
        (["--code", "no_key"], "1"),
        (["--topic", "accounts"], "2"),
        (["--tenant", "north"], "03"),
        (["--tenant", "nor"], ""),
        (["--key", "north/a"], "03"),
        (["--key", "north/ab"], "3"),
        (["--since", "2026-06-01T12:00:01Z"], "123"),
        (["--until", "2026-06-01T14:00:01+02:00"], "0"),
        (["--since", "2026-06-01T12:00:01Z", "--until", "2026-06-01T12:00:02Z"], "1"),
        (["--at", "0/1-2"], "12"),
        (["--at", "0/0", "--at", "0/3"], "03"),
        (["--at", "1/0-9"], ""),
        (["--limit", "2"], "01"),
        (["--state", "open"], "0123"),
        (["--state", "discarded"], ""),
    ):
        assert listed(capsys, *arguments) == [f"0/{number} open" for number in places], arguments


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["list", "--at", "7"], "PARTITION/OFFSET"),
        (["list", "--at", "0/9-3"], "PARTITION/OFFSET"),
        (["list", "--since", "yesterday"], "no time with a zone"),
        (["list", "--until", "2026-06-01T12:00:00"], "no time with a zone"),
        (["list", "--state", "gone"], "open, redriven, discarded"),
        (["list", "--tenant", "a", "--key", "b"], "one of them"),
        (["list", "--topic", "balances"], "no stream reads a topic 'balances'"),
        (["show", "0/1-2"], "names several"),
        (["show", "0/99"], "there is no dead letter at 0/99"),
        (["discard", "--yes"], "--reason"),
        (["discard", "--reason", " ", "--all"], "from 1 to 1,000"),
        (["discard", "--reason", "x", "--yes"], "say which"),
        (["redrive", "--reason", "x" * 1_001], "from 1 to 1,000"),
        (["redrive"], "confirm with --yes"),
        (["discard", "--reason", "x", "--all"], "confirm with --yes"),
    ],
)
def test_bad_input_is_one_line(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], arguments: list[str], hint: str
) -> None:
    cluster.add()
    code, out, err = said(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert hint in err and not cluster.produced and not cluster.actions


def test_what_was_redriven_is_shown_so_and_not_sent_twice(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        cluster.add()
    code, out, _ = said(capsys, "redrive", "--at", "0/1-2", "--yes", "--json", "--reason", "schema is there")
    assert code == 0 and json.loads(out) == {"redriven": 2, "topics": {"payments": 2}}
    (action,) = cluster.actions
    assert (action["action"], action["reason"]) == ("LETTER_REDRIVEN", "schema is there")
    assert (action["partition"], action["first_offset"], action["end_offset"]) == (0, 1, 3)
    assert [dict(one["headers"])[REDRIVEN_HEADER] for one in cluster.produced] == [
        b"dead-letters[0]@1", b"dead-letters[0]@2",
    ]  # fmt: skip
    assert listed(capsys) == ["0/0 open", "0/1 redriven", "0/2 redriven"]
    assert json.loads(said(capsys, "redrive", "--yes", "--json")[1])["redriven"] == 1
    assert json.loads(said(capsys, "redrive", "--yes", "--json")[1])["redriven"] == 0
    assert len(cluster.produced) == 3 and len(cluster.actions) == 2
    assert json.loads(said(capsys, "redrive", "--yes", "--json", "--again", "-n", "1")[1])["redriven"] == 1


def test_what_is_discarded_is_shown_so_and_may_still_be_redriven(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.add()
    cluster.add("no_key")
    code, out, _ = said(capsys, "discard", "--code", "no_key", "--reason", "noise", "--yes")
    assert (code, out) == (0, "discarded: 1 dead letter (1 no_key)\n")
    assert listed(capsys) == ["0/0 open", "0/1 discarded"]
    assert listed(capsys, "--state", "discarded") == ["0/1 discarded"]
    assert json.loads(said(capsys, "redrive", "--yes", "--json")[1])["redriven"] == 1
    assert (
        json.loads(said(capsys, "redrive", "--again", "--at", "0/1", "--yes", "--json")[1])["redriven"] == 1
    )
    assert listed(capsys) == ["0/0 redriven", "0/1 redriven"]


def test_a_letter_without_its_payload_cannot_be_redriven(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is too large, and a batch that was not read: a range of offsets."""
    cluster.add("too_large", None, None, left_out="9000000")
    cluster.add("batch_too_large", None, None, last_offset="900", left_out="77", topic="trades")
    cluster.add()
    code, out, err = said(capsys, "redrive", "--yes")
    assert (code, out) == (0, "sent again: 1 record (1 wrong_partition)\n")
    assert "without their payload, so they cannot be sent again: 2 dead letters" in err
    assert "payments[1]@5, trades[1]@5-900" in err
    assert "cannot be sent again" in said(capsys, "show", "0/1")[1]


def test_a_header_of_an_upstream_does_not_hide_a_letter(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.add()
    forged = [(REDRIVEN_HEADER, b"dead-letters[0]@0")]
    cluster.add(value=b"another", headers=forged)
    cluster.add(key=b"north/b", headers=forged)
    assert listed(capsys) == ["0/0 open", "0/1 open", "0/2 open"]
    cluster.add(headers=forged, attempt="2")  # the same record: it failed again
    assert listed(capsys) == ["0/1 open", "0/2 open", "0/3 open"]


def test_a_letter_that_names_no_log_of_a_stream_is_not_sent_there(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who may write to dead-letters must not have an operator write to other topics."""
    for topic in ("operator-actions", "balances", "ledgerflow-ledger-changelog", "elsewhere"):
        cluster.add(topic=topic)
    assert json.loads(said(capsys, "redrive", "--yes", "--json")[1]) == {"redriven": 0, "topics": {}}
    assert not cluster.produced and not cluster.actions


def test_what_is_long_is_cut_and_the_file_has_all_of_it(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key, value = b"north/" + b"k" * 10_000, b"\x01" * 10_000
    place = cluster.add("no_such_code", key, value, message="m" * 5_000, headers=[("trace", b"t" * 9_000)])
    code, out, _ = said(capsys, "list", "--json")
    assert code == 0 and len(out) < 2_000
    code, out, _ = said(capsys, "show", place)
    assert code == 0 and len(out) < 8_000 and "01 01 01" in out and "10,006" not in out
    file = tmp_path / "letter.json"
    code, out, _ = said(capsys, "show", place, "--full", str(file), "--json")
    assert code == 0 and len(out) < 5_000
    whole = json.loads(file.read_text())
    assert base64.b64decode(whole["key_base64"]) == key and base64.b64decode(whole["value_base64"]) == value
    assert ["trace", base64.b64encode(b"t" * 9_000).decode()] in whole["headers_base64"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    code, _, err = said(capsys, "show", place, "--full", str(file))
    assert code == 2 and "File exists; name a new file" in err


def test_one_in_detail(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"payment_id": "p", "occurred_at": 0, "note": "\x1b[31m"}
    place = cluster.add(
        "wrong_partition", value=json.dumps(fields).encode(), headers=[("trace", b"\x1b]0;x")]
    )
    said(capsys, "discard", "--at", place, "--reason", "a test of ours", "--yes")
    code, out, _ = said(capsys, "show", place)
    assert code == 0
    for text in (
        "0/0, discarded", "payments[1]@5", "2026-06-01 12:00:00.000", "by op: a test of ours",
        "payment_id = p",
        "occurred_at = 1970-01-01T00:00:00Z", "note = '\\u001b[31m'", "trace = \\u001b]0;x", "remedy",
    ):  # fmt: skip
        assert text in out, out


def test_without_the_registry_letters_are_listed_and_nothing_is_decided(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.add()
    said(capsys, "discard", "--all", "--reason", "x", "--yes")
    cluster.registry_answers = False
    code, out, err = said(capsys, "list")
    assert code == 0 and "unknown" in out and "the schema registry does not answer" in err
    for command in (["redrive", "--yes"], ["discard", "--all", "--reason", "x", "--yes"], ["show", "0/0"]):
        code, out, err = said(capsys, *command)
        assert (code, out, err.count("\n")) == (1, "", 1)
    assert not cluster.produced


def test_a_schema_that_is_not_registered_is_one_line(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.add()

    def refuse(*_: Any) -> None:
        raise NotRegistered("operator-actions-... is not in the schema registry")

    monkeypatch.setattr(dead_letters, "act_all", refuse)
    code, out, err = said(capsys, "discard", "--all", "--reason", "x", "--yes")
    assert (code, out, err.count("\n")) == (1, "", 1) and "ledgerflow schemas register" in err


def test_one_run_holds_a_bounded_number_of_bytes(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        cluster.add(value=b"v" * 93)  # 100 bytes with the key
    monkeypatch.setattr(dead_letters, "REDRIVEN_BYTES_MAX", 200)
    code, out, err = said(capsys, "redrive", "--yes")
    assert (code, out) == (0, "sent again: 2 records (2 wrong_partition)\n")
    assert "one run sends 2 of 3: run it again for the rest" in err
    assert "sent again: 1 record" in said(capsys, "redrive", "--yes")[1]


def test_runs_of_offsets() -> None:
    places = [(0, 1), (0, 2), (0, 4), (1, 5), (0, 2)]
    letters_at = [Letter(*place, 0, "", 0, {}, b"", "open", None) for place in places]
    assert list(spans(letters_at)) == [(0, 1, 3), (0, 4, 5), (1, 5, 6)]
    assert list(spans([])) == []


def test_places_and_times() -> None:
    assert place_of("3/7") == (3, 7, 7) and place_of("3/7-9") == (3, 7, 9)
    for wrong in ("", "3", "3/", "/7", "3/7-", "3/7-6", "-3/7", "3/٧", "3/7 ", "1234567890/1"):
        with pytest.raises(BadInput):
            place_of(wrong)
    assert milliseconds("1970-01-01T00:00:01Z") == 1_000
