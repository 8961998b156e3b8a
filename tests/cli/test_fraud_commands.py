"""`ledgerflow rules publish|list`, `model publish|list|withdraw` and `fraud label` without a cluster."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

import schemas
from pipeline.cli import fraud, model, published, rules_publishing, sending
from pipeline.cli.entry import exit_code_of
from pipeline.cli.published import log_of
from pipeline.cli.rules import read_rules
from pipeline.domain.fraud.deciding.models import Fitted
from pipeline.domain.fraud.expressions.canonical import name_of
from pipeline.domain.fraud.model.artefact import ISOLATION
from pipeline.domain.kernel.partitions import partition_of
from pipeline.events import FraudModelPublished, FraudRulesPublished, PaymentLabelled
from pipeline.runtime.avro.check import decode_strict
from tests.cli.sent_records import DECODER, SentRecords
from tests.fraud_deciding.payments import model_bytes

FILE = """
set = "mine"
version = {version}
effective_from = 2026-12-0{version}T00:00:00Z

[[lists]]
name = "known"
kind = "watch"
of = "payee"
entries = [{entries}]

[[rules]]
id = "large"
version = 1
when = "amount > 500 EUR"
score = 60
reason = "{{amount}}"
"""
NOBODY = "--bootstrap-servers 127.0.0.1:1"


def run(line: str) -> int:
    """Run a command; these stand in no other group yet."""
    group, rules = typer.Typer(), typer.Typer()
    rules.command("publish")(rules_publishing.publish_rules)
    rules.command("list")(rules_publishing.list_rules)
    group.add_typer(rules, name="rules")
    group.add_typer(model.app, name="model")
    group.add_typer(fraud.app, name="fraud")
    command = typer.main.get_command(group)

    def invoke() -> int:
        with command.make_context("ledgerflow", shlex.split(line)) as context:
            return int(command.invoke(context) or 0)

    return exit_code_of(invoke)


class Topic(SentRecords):
    """The topic fraud-rules."""

    def read(self, _: Any) -> published.Log:
        return log_of(self.records, DECODER)


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    found = Topic()
    for module in (model, rules_publishing):
        monkeypatch.setattr(module, "send_all", found.send_all)
        monkeypatch.setattr(module, "read_log", found.read)
    monkeypatch.setattr(fraud, "send", lambda settings, event: found.send_all(settings, [event])[0])
    return found


@pytest.fixture
def rules_file(tmp_path: Path) -> Callable[..., Path]:
    def write(version: int = 1, entries: str = '{ value = "bob" }') -> Path:
        path = tmp_path / f"rules-{version}.toml"
        path.write_text(FILE.format(version=version, entries=entries))
        return path

    return write


@pytest.fixture
def model_file(tmp_path: Path) -> Callable[..., Path]:
    def write(seed: int = 1, **changes: Any) -> Path:
        path = tmp_path / f"model-{seed}"
        path.write_bytes(model_bytes(seed, **changes))
        return path

    return write


def said(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(f"{line} {NOBODY}")
    written = capsys.readouterr()
    return code, written.out, written.err


def test_a_file_of_rules_becomes_its_lists_and_the_set_and_is_listed(
    topic: Topic, rules_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, f"rules publish {rules_file(1)}")
    assert code == 0 and "sent 2 records, the last to fraud-rules[0]@1, key */*" in out
    assert "mine@1 holds from 2026-12-01T00:00:00Z on" in out and "rules list" in err
    head = topic.events[-1]
    assert isinstance(head, FraudRulesPublished)
    assert (head.set_id, head.version, head.parts, head.of_tenant) == ("mine", 1, 1, None)
    assert head.actor is not None and head.actor.issuer == "ledgerflow-cli"
    assert said(capsys, f"rules publish {rules_file(2)}")[0] == 0
    code, out, err = said(capsys, "rules list --json")
    found = json.loads(out)
    assert (code, found["refused"]) == (0, [])
    assert [(one["set"], one["version"], one["of_tenant"], one["lists"]) for one in found["sets"]] == [
        ("mine", 1, None, 1),
        ("mine", 2, None, 1),
    ]
    assert found["sets"][0]["sha256"] == head.sha256
    code, out, err = said(capsys, "rules list")
    assert code == 0 and "all tenants" in out and "mine" in out and err == ""


def test_states_of_sets_follow_their_times(topic: Topic, rules_file: Callable[..., Path]) -> None:
    for version in (2, 1, 3):
        assert run(f"rules publish {rules_file(version)} {NOBODY}") == 0
    log = topic.read(None)
    times = sorted(log.times.values())
    for at_us, states in (
        (times[0] - 1, ["later", "later", "later"]),
        (times[0], ["holds", "later", "later"]),
        (times[1], ["replaced", "holds", "later"]),
        (times[2] + 1, ["replaced", "replaced", "holds"]),
    ):
        assert [one["state"] for one in rules_publishing.rules_in(log, at_us)] == states


def test_the_same_version_with_another_content_is_told_as_the_streams_refuse_it(
    topic: Topic, rules_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for entries in ('{ value = "bob" }', '{ value = "carl" }', '{ value = "bob" }'):
        assert said(capsys, f"rules publish {rules_file(1, entries)}")[0] == 0
    code, _, err = said(capsys, "rules list")
    assert (code, err) == (0, "refused: fraud-rules[0]@3: other_content\n")


def test_what_is_no_publication_is_told_by_its_code(topic: Topic) -> None:
    label = PaymentLabelled(
        tenant_id="north", occurred_at="2026-12-01T00:00:00Z", payment_id="p", debtor_account_id="a",
        creditor_account_id="b", label="FRAUD", source="REVIEW", labelled_at="2026-12-01T00:00:00Z",
    )  # fmt: skip
    gone = FraudModelPublished(
        tenant_id="*", occurred_at="2026-12-01T00:00:00Z", role="LIVE", parts=0, catalogue_version="x",
        effective_from="2026-12-01T00:00:00Z",
    )  # fmt: skip
    topic.send_all(None, [label, gone])
    topic.records.append(topic.records[1]._replace(key=b"*/LIVE", offset=2))
    topic.records.append(topic.records[1]._replace(value=(topic.records[1].value or b"") + b"x", offset=3))
    topic.records.append(topic.records[1]._replace(value=b"x" * (768 * 1024 + 1), offset=4))
    topic.records.append(topic.records[1]._replace(value=None, offset=5))
    log = topic.read(None)
    assert [(one.place, one.code) for one in log.refused] == [
        ("fraud-labels[0]@0", "unexpected_event"),
        ("fraud-rules[0]@2", "wrong_key"),
        ("fraud-rules[0]@3", "malformed_value"),
        ("fraud-rules[0]@4", "too_large"),
        ("fraud-rules[0]@5", "no_value"),
    ]
    assert len(log.known.roles) == 1


def test_a_model_is_published_made_live_listed_and_withdrawn(
    topic: Topic, model_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = model_file(1)
    name = Fitted(file.read_bytes()).name
    code, out, _ = said(capsys, f"model publish {file} --role shadow")
    assert code == 0 and f"model {name[:12]} is shadow from " in out and "all tenants" in out
    assert said(capsys, f"model publish {file} --from 2026-12-01T10:00:00Z --tenant north")[0] == 0
    assert said(capsys, "model withdraw --tenant north --from 2026-12-01T11:00:00Z")[0] == 0
    code, out, _ = said(capsys, "model list --json")
    found = json.loads(out)
    assert (code, found["refused"]) == (0, [])
    assert [(one["role"], one["of_tenant"], one["model_sha256"]) for one in found["models"]] == [
        ("live", "north", name),
        ("live", "north", None),
        ("shadow", None, name),
    ]
    code, out, _ = said(capsys, "model list")
    assert code == 0 and "none: rules alone" in out and name[:12] in out
    since = topic.read(None).known.roles[1].from_us
    assert [one["state"] for one in model.models_in(topic.read(None), since)][:2] == ["holds", "later"]
    assert [one["state"] for one in model.models_in(topic.read(None), since + 3_600_000_000)][:2] == [
        "replaced",
        "holds",
    ]


@pytest.mark.parametrize(
    ("line", "events"),
    [
        ("model publish {model}", ["FraudModelPartPublished", "FraudModelPublished"]),
        ("model withdraw --role anomaly", ["FraudModelPublished"]),
        ("rules publish {rules}", ["FraudListPartPublished", "FraudRulesPublished"]),
        (
            "fraud label north/p1 --fraud --debtor alice --creditor bob --source chargeback",
            ["PaymentLabelled"],
        ),
    ],
)
def test_a_dry_run_shows_what_would_be_sent_and_asks_nobody(
    line: str, events: list[str], rules_file: Callable[..., Path], model_file: Callable[..., Path],
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("LEDGERFLOW_PARTITIONS", "16")
    for name in ("Producer", "client", "require_kafka"):
        monkeypatch.setattr(sending, name, None)  # calling it would raise TypeError
    code, out, err = said(capsys, line.format(rules=rules_file(1), model=model_file(1)) + " --dry-run")
    assert code == 0 and "nothing was sent" in err
    decoder, shown = json.JSONDecoder(), []
    while out.strip():
        one, end = decoder.raw_decode(out)
        shown.append(one)
        out = out[end:].lstrip()
    assert [one["record_name"].removeprefix("ledgerflow.") for one in shown] == events
    for one in shown:
        assert (one["partition"], one["partitions"]) == (partition_of(one["key"], 16), 16)
    assert len(json.dumps(shown)) < 10_000  # of a part of a model its beginning


def test_a_label_names_the_payments_accounts_from_the_views(
    topic: Topic, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"debtor_account_id": "alice", "creditor_account_id": "bob"}
    asked: list[Any] = []
    monkeypatch.setattr(fraud, "ask", lambda *given: asked.append(given) or {"data": row})
    code, out, _ = said(capsys, "fraud label north/p1 --genuine --source customer --at 2026-12-01T00:00:00Z")
    (label,) = topic.events
    assert code == 0 and "payment p1 is genuine" in out and asked[0][1] == "/payments/north/p1"
    assert isinstance(label, PaymentLabelled)
    value = topic.records[0].value or b""
    newest = schemas.newest(label.RECORD_NAME)
    found = decode_strict(value[5:], newest.text, newest.text)
    assert (found["label"], found["source"], found["debtor_account_id"]) == ("GENUINE", "CUSTOMER", "alice")
    assert (label.key(), label.labelled_at.isoformat()) == (b"north/alice", "2026-12-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("fraud label p1 --fraud", "TENANT/PAYMENT"),
        ("fraud label north/p1", "--fraud or --genuine"),
        ("fraud label north/p1 --fraud --dry-run", "--debtor and --creditor"),
        ("fraud label north/p1 --fraud --debtor a/b --creditor b --dry-run", "debtor_account_id"),
        ("fraud label north/p1 --fraud --debtor a --creditor b --at noon --dry-run", "no time with a zone"),
        ("rules publish {bad}", "rules lint"),
        ("model publish {bad}", "no model for this release"),
        ("model publish {strange}", "of kind isolation;"),
        ("model publish {model} --role anomaly", "anomaly is"),
        ("model publish {model} --tenant a/b --dry-run", "tenant_id"),
        ("model publish {model} --from yesterday --dry-run", "no time with a zone"),
    ],
)
def test_what_cannot_be_sent_is_told_in_one_line(
    line: str, hint: str, model_file: Callable[..., Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    bad = tmp_path / "bad"
    bad.write_text('set = "x"\n')
    strange = model_file(2, review_bp=3_000, decline_bp=10_001, kind=ISOLATION)
    code, out, err = said(capsys, line.format(bad=bad, model=model_file(1), strange=strange))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert hint in err


def test_the_name_of_a_published_set_is_that_of_the_file(
    topic: Topic, rules_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, f"rules publish {rules_file(1)} --json")
    assert code == 0 and json.loads(out)["sha256"] == name_of(read_rules(rules_file(1)))


@pytest.mark.parametrize(
    ("line", "said_of_it"),
    [
        ("model publish {model} --tenant '*'", "no tenant is called *: leave it out for all of them"),
        ("model withdraw --tenant '*'", "no tenant is called *: leave it out for all of them"),
        ("model withdraw --tenant " + "x" * 257, "tenant_id: 257 characters, at most 256"),
        ("fraud label north/p --fraud --creditor bob --debtor " + "x" * 257, "debtor_account_id: 257 char"),
        ("fraud label north/" + "x" * 257 + " --fraud --creditor bob --debtor alice", "payment_id: 257 char"),
    ],
)
def test_what_the_streams_would_make_a_dead_letter_is_not_sent(
    line: str, said_of_it: str, topic: Topic, model_file: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    code, out, err = said(capsys, line.format(model=model_file(1)))
    assert (code, out, topic.events) == (2, "", []) and said_of_it in err


def test_a_file_of_rules_that_no_event_can_carry_is_bad_input(
    topic: Topic, rules_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = rules_file(1)
    whole = path.read_text().replace("2026-12-01T00:00:00Z", "9999-12-31T23:59:59-14:00")
    snooze = '[[snoozes]]\ntenant = "north"\naccount = "{:0256}"\nuntil = 2027-01-01T00:00:00Z\n'
    for text, why in (
        (whole, "after the year 9999"),
        (path.read_text() + "".join(map(snooze.format, range(2_400))), "at most 655360"),
    ):
        path.write_text(text)
        code, out, err = said(capsys, f"rules publish {path}")
        assert (code, out, topic.events) == (2, "", []) and why in err
