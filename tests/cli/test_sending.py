"""`ledgerflow account open|fund` and `payment send` without a cluster: what they send, and what they say."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import schemas
from pipeline.cli import account, payment, payment_link, sending
from pipeline.cli.asking import NotFound
from pipeline.cli.entry import main
from pipeline.cli.problems import Failed
from pipeline.cli.sending import Sent, answer_within
from pipeline.domain.kernel.partitions import partition_of
from pipeline.events import AccountOpened, InputEvent, JournalSubmitted, PaymentInitiated, PaymentsLinked
from pipeline.runtime.avro.check import decode_strict
from pipeline.runtime.avro.registry import register_all
from pipeline.runtime.settings import load_settings
from tests.runtime.fake_registry import FakeRegistry

NOBODY = "--bootstrap-servers 127.0.0.1:1 --url http://127.0.0.1:1"


class Stack:
    """What a stack makes of events, as its views tell it; they tell it at the second look."""

    def __init__(self) -> None:
        self.sent: list[InputEvent] = []
        self.rows: dict[str, dict[str, Any]] = {}
        self.becomes: dict[str, Any] = {"state": "settled", "code": "ok", "waiting_for": None}
        self.silent = False
        self._looks: dict[str, int] = {}

    def send(self, _: Any, event: InputEvent) -> Sent:
        self.sent.append(event)
        if isinstance(event, AccountOpened):
            path, row = f"/balances/{event.key().decode()}", {"balance_minor": event.initial_balance_minor}
        elif isinstance(event, JournalSubmitted):
            path, row = f"/journals/{event.tenant_id}/{event.journal_id}", {"leg_no": None, **self.becomes}
        elif isinstance(event, PaymentsLinked):
            for payment in event.payments:
                path, row = f"/payments/{event.tenant_id}/{payment.payment_id}", {**self.becomes}
                self.rows[path], self._looks[path] = {**row, "refused_commands": 0}, 0
        else:
            assert isinstance(event, PaymentInitiated)
            path, row = (
                f"/payments/{event.tenant_id}/{event.payment_id}",
                {**self.becomes, "refused_commands": 0},
            )
            if path in self.rows:
                row = {**self.rows[path], "refused_commands": 1}
        if not self.silent and not isinstance(event, PaymentsLinked):
            self.rows[path] = row
            self._looks[path] = 0
        return Sent(event.TOPIC, 2, 17, event.key().decode(), event.event_id)

    def ask(self, _: list[str], path: str, __: Any = None) -> dict[str, Any]:
        looks = self._looks[path] = self._looks.get(path, 0) + 1
        if path not in self.rows or looks == 1:
            raise NotFound(f"{path} is not known")
        return {"data": self.rows[path]}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stack:
    made = Stack()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sending, "LOOK_EVERY_S", 0.001)
    for module in (account, payment, payment_link):
        monkeypatch.setattr(module, "send", made.send)
    for module in (account, payment):
        monkeypatch.setattr(module, "ask", made.ask)
    return made


def said(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    code = main(shlex.split(f"{line} {NOBODY}"))
    written = capsys.readouterr()
    return code, written.out, written.err


def test_an_account_is_opened_and_the_answer_waited_for(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, "account open north/alice EUR --balance 100 --overdraft 0.5")
    assert code == 0 and "north/alice is open, with 100.00 EUR" in out
    assert "accounts[2]@17, key north/alice" in out and "ledgerflow account fund north/alice" in err
    (event,) = stack.sent
    assert isinstance(event, AccountOpened)
    assert (event.account_id, event.customer_id, event.account_type) == ("alice", "alice", "checking")
    assert (event.initial_balance_minor, event.overdraft_limit_minor, event.currency) == (100_00, 50, "EUR")
    code, _, err = said(capsys, "account open north/alice EUR")
    assert code == 1 and "there is an account north/alice already" in err and len(stack.sent) == 1


def test_money_comes_from_an_internal_account_that_is_opened_once(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.becomes["state"] = "POSTED"
    for _ in range(2):
        code, out, _ = said(capsys, "account fund north/alice 12.50 EUR")
        assert code == 0 and "north/alice has got 12.50 EUR from funding-EUR" in out
    opened, first, second = stack.sent
    assert isinstance(opened, AccountOpened) and isinstance(first, JournalSubmitted)
    assert (opened.account_id, opened.account_type, opened.overdraft_limit_minor) == (
        "funding-EUR",
        "internal",
        None,
    )
    assert [(leg.account_id, leg.side, leg.amount_minor) for leg in first.legs] == [
        ("funding-EUR", "DEBIT", 12_50),
        ("alice", "CREDIT", 12_50),
    ]
    assert isinstance(second, JournalSubmitted) and second.journal_id != first.journal_id


def test_a_journal_that_is_refused_is_told_with_its_code_and_remedy(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.becomes |= {"state": "REFUSED", "code": "insufficient_funds", "leg_no": 1}
    code, out, err = said(capsys, "account fund north/alice 12.50 EUR --from treasury")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "is refused (leg 1), insufficient_funds: " in err
    (event,) = stack.sent
    assert isinstance(event, JournalSubmitted) and event.account_id == "treasury"


@pytest.mark.parametrize(
    ("state", "code", "waiting_for", "exit_code", "hint"),
    [
        ("settled", "ok", None, 0, "is settled"),
        ("held", "ok", "review", 0, "is held, and waits for review"),
        ("rejected", "debtor_not_found", None, 1, "is rejected, debtor_not_found: "),
        ("failed", "creditor_closed", None, 1, "is failed, creditor_closed: "),
    ],
)
def test_a_payment_is_sent_and_what_becomes_of_it_is_told(
    stack: Stack,
    capsys: pytest.CaptureFixture[str],
    state: str,
    code: str,
    waiting_for: str | None,
    exit_code: int,
    hint: str,
) -> None:
    stack.becomes = {"state": state, "code": code, "waiting_for": waiting_for}
    line = "payment send north/alice bob 12.50 EUR --id p-1 --reference lunch"
    found, out, err = said(capsys, line)
    assert found == exit_code and f"payment p-1 {hint}" in out
    assert "ledgerflow payment show north/p-1" in err
    (event,) = stack.sent
    assert isinstance(event, PaymentInitiated)
    assert (event.payment_id, event.debtor_account_id, event.creditor_account_id) == ("p-1", "alice", "bob")
    assert (event.amount_minor, event.currency, event.reference) == (12_50, "EUR", "lunch")


def test_several_payments_are_sent_as_one_and_each_is_told(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "payment link north/alice EUR --to shop=10.00 --to landlord=5 --id l-1"
    code, out, err = said(capsys, f"{line} --open 20")
    assert code == 0 and "payment l-1-1 is settled" in out and "payment l-1-2 is settled" in out
    (event,) = stack.sent
    assert isinstance(event, PaymentsLinked) and event.open_account is not None
    assert [(one.creditor_account_id, one.amount_minor) for one in event.payments] == [
        ("shop", 10_00),
        ("landlord", 5_00),
    ]
    assert (event.link_id, event.open_account.initial_balance_minor) == ("l-1", 20_00)
    code, _, err = said(capsys, line)
    assert code == 1 and "link l-1 came before" in err
    stack.becomes = {"state": "rejected", "code": "linked_payment_failed", "waiting_for": None}
    code, out, _ = said(capsys, "payment link north/alice EUR --to shop=10.00 --to landlord=5")
    assert code == 1 and out.count("is rejected") == 2
    code, _, err = said(capsys, "payment link north/alice EUR --to shop")
    assert code == 2 and "write CREDITOR=AMOUNT" in err


def test_a_payment_names_what_the_creditor_gets_and_the_rate(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "payment send north/alice bob 1 EUR --to-currency USD --rate 1.08")[0] == 0
    assert said(capsys, "payment send north/alice bob 1 EUR --to-currency USD")[0] == 0
    assert [(event.creditor_currency, event.rate_e8) for event in stack.sent] == [
        ("USD", 108_000_000),
        ("USD", None),
    ]


def test_a_payment_may_be_for_later(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "payment send north/alice bob 1 EUR --at 2026-12-24T08:00:00Z")[0] == 0
    assert [event.execute_at.isoformat() for event in stack.sent] == ["2026-12-24T08:00:00+00:00"]
    code, _, err = said(capsys, "payment send north/alice bob 1 EUR --at soon")
    assert code == 2 and "no time with a zone" in err


def test_an_id_that_is_known_is_no_second_payment(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "payment send north/alice bob 1 EUR --id p-1")[0] == 0
    code, out, err = said(capsys, "payment send north/alice bob 2 EUR --id p-1")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "p-1 was settled before, and this one is refused" in err


def test_each_payment_has_an_id_of_its_own_and_nobody_need_wait(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.silent = True
    for _ in range(2):
        code, out, _ = said(capsys, "payment send north/alice bob 1 EUR --wait 0 --json")
        told = json.loads(out)
        assert code == 0 and told["answer"] is None and told["sent"][0]["key"] == "north/alice"
    first, second = (event for event in stack.sent if isinstance(event, PaymentInitiated))
    assert first.payment_id != second.payment_id


@pytest.mark.parametrize(
    "line",
    [
        "account open north/alice EUR",
        "account fund north/alice 1 EUR --from treasury",
        "payment send north/alice bob 1 EUR",
    ],
)
def test_an_answer_that_does_not_come_is_told_with_the_commands_that_look_for_it(
    stack: Stack, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    stack.silent = True
    code, out, err = said(capsys, f"{line} --wait 0.01")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "no answer within 0.01 s" in err and "dead-letters list" in err and "[2]@17" in err


@pytest.mark.parametrize(
    ("line", "topics"),
    [
        ("account open north/alice EUR", ["accounts"]),
        ("account fund north/alice 1 EUR", ["accounts", "journals"]),
        ("account fund north/alice 1 EUR --from treasury", ["journals"]),
        ("payment send north/alice bob 1 EUR", ["payments"]),
    ],
)
def test_a_dry_run_shows_what_would_be_sent_and_asks_nobody(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    line: str,
    topics: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEDGERFLOW_PARTITIONS", "16")
    for name in ("Producer", "client", "require_kafka"):
        monkeypatch.setattr(sending, name, None)  # calling it would raise TypeError
    code = main(shlex.split(f"{line} --dry-run"))
    written = capsys.readouterr()
    assert code == 0 and "nothing was sent" in written.err
    decoder, rest, shown = json.JSONDecoder(), written.out, []
    while rest.strip():
        one, end = decoder.raw_decode(rest)
        shown.append(one)
        rest = rest[end:].lstrip()
    assert [one["topic"] for one in shown] == topics
    for one in shown:
        assert (one["partition"], one["partitions"]) == (partition_of(one["key"], 16), 16)
        assert one["event"]["tenant_id"] == "north" and one["key"].startswith("north/")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("account open alice EUR", "TENANT/ACCOUNT"),
        ("account open 'north/$a' EUR", "does not begin with $"),
        ("account open north/a XXX", "no currency of an account"),
        ("account open north/a EUR --balance 1.005", "more decimals"),
        ("account fund north/a -- -5 EUR", "no sign"),
        ("payment send north/a b/c 1 EUR", "creditor_account_id"),
        ("payment send north/a b 1 EUR --id ''", "payment_id"),
        ("payment send north/a b 1", "CURRENCY"),
        ("payment send north/a b 1 EUR --at 0001-01-01T00:00:00+14:00", "no time with a zone"),
        ("payment send north/a b 1 EUR --at 9999-12-31T23:59:59-14:00", "no time with a zone"),
        ("payment send north/a b 1 EUR --rate 1.08", "--to-currency"),
        (f"payment link north/a EUR {'--to b=1 ' * 101}", "100"),
        (f"payment link north/a EUR --to b=1 --id {'x' * 255}", "too long"),
    ],
)
def test_what_cannot_be_sent_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], line: str, hint: str
) -> None:
    code = main(shlex.split(line))
    written = capsys.readouterr()
    assert (code, written.out, written.err.count("\n")) == (2, "", 1)
    assert hint in written.err


def test_an_address_that_is_none_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split("payment show north/a --url nonsense")) == 1
    written = capsys.readouterr()
    assert written.err.count("\n") == 1 and "nonsense does not answer" in written.err


class Kafka:
    """Stands in for a producer: keeps what it is given, and acknowledges it unless it refuses."""

    made: ClassVar[dict[str, Any]] = {}
    error: Any = None
    left = 0

    def __init__(self, settings: dict[str, Any]) -> None:
        assert settings["partitioner"] == "murmur2_random" and settings["enable.idempotence"]

    def produce(self, topic: str, value: bytes, key: bytes, on_delivery: Callable[..., None]) -> None:
        Kafka.made = {"topic": topic, "value": value, "key": key}
        if not self.left:
            on_delivery(self.error, SimpleNamespace(partition=lambda: 3, offset=lambda: 7))

    def flush(self, within_s: float) -> int:
        return self.left


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Any:
    made = FakeRegistry()
    monkeypatch.setattr(sending, "Producer", Kafka)
    monkeypatch.setattr(sending, "require_kafka", lambda _: None)
    monkeypatch.setattr(sending, "require_topic", lambda *_: 4)
    yield made
    made.server.shutdown()
    made.server.server_close()


def payment_of() -> PaymentInitiated:
    fields = {"debtor_account_id": "alice", "creditor_account_id": "bob", "reference": "lunch"}
    about = {"payment_id": "p-1", "amount_minor": 5, "currency": "EUR", "payment_type": "transfer"}
    return sending.event_of(PaymentInitiated, "north", **fields, **about)


def test_an_event_is_framed_with_the_registrys_id_of_its_newest_schema(registry: Any, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, schema_registry_url=registry.url)
    register_all(settings.registry())
    event = payment_of()
    sent = sending.send(settings, event)
    assert sent == Sent("payments", 3, 7, "north/alice", event.event_id)
    assert (Kafka.made["topic"], Kafka.made["key"]) == ("payments", b"north/alice")
    newest = schemas.newest(PaymentInitiated.RECORD_NAME)
    frame = Kafka.made["value"]
    schema_id = int.from_bytes(frame[1:5], "big")
    assert frame[0] == 0 and registry.schemas[schema_id - 1][0] == newest.subject
    found = decode_strict(frame[5:], newest.text, newest.text)
    assert (found["payment_id"], found["amount_minor"], found["event_id"]) == ("p-1", 5, event.event_id)


def test_a_text_that_its_tenant_marks_is_not_in_the_record(registry: Any, tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text("[tenants.north]\npersonal = ['payment_initiated.reference']\n")
    settings = load_settings(data_dir=tmp_path, schema_registry_url=registry.url, tenants=file)
    register_all(settings.registry())
    sending.send(settings, payment_of())
    newest = schemas.newest(PaymentInitiated.RECORD_NAME)
    found = decode_strict(Kafka.made["value"][5:], newest.text, newest.text)
    assert found["reference"].startswith("pt1;") and b"lunch" not in Kafka.made["value"]


def test_a_refusal_of_kafka_or_of_the_registry_is_told(
    registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(data_dir=tmp_path, schema_registry_url=registry.url)
    with pytest.raises(Failed, match="ledgerflow schemas register"):
        sending.send(settings, payment_of())
    register_all(settings.registry())
    monkeypatch.setattr(Kafka, "error", SimpleNamespace(str=lambda: "Broker: too large"))
    with pytest.raises(Failed, match="Kafka refuses it: Broker: too large"):
        sending.send(settings, payment_of())
    monkeypatch.setattr(Kafka, "left", 1)
    with pytest.raises(Failed, match="has not acknowledged it"):
        sending.send(settings, payment_of())


def test_a_worker_that_cannot_answer_now_is_asked_again_and_told_at_the_end() -> None:
    answers: list[Any] = [Failed("503"), NotFound("not yet"), None, "there"]
    now = [0.0]

    def look() -> Any:
        answer = answers.pop(0) if answers else Failed("503")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pause(seconds: float) -> None:
        now[0] += seconds

    assert answer_within(9.0, look, lambda: now[0], pause) == "there"
    with pytest.raises(Failed, match="503"):
        answer_within(9.0, look, lambda: now[0], pause)
    answers[:] = [Failed("503"), *[NotFound("not yet")] * 1_000]
    assert answer_within(9.0, look, lambda: now[0], pause) is None
