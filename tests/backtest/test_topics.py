"""Payments and labels of a stack: what its topics say of a tenant is decided as a file's rows are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import schemas
from pipeline.backtest.history import History
from pipeline.backtest.problems import FileRefused
from pipeline.backtest.topics import Read, read_topics
from pipeline.cli import payment_files as command
from pipeline.cli.entry import main
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.events import EVENTS
from pipeline.runtime.avro.codec import Codec
from pipeline.verify.decode import Decoder
from pipeline.verify.log import Record
from tests.runtime.fixed_registry import FixedRegistry

REGISTRY = FixedRegistry()
CODEC = Codec(REGISTRY)  # type: ignore[arg-type]
TEXTS = {REGISTRY.id_of(one): one.text for name in EVENTS for one in schemas.versions(name)}
NOON = 1_772_366_400_000_000
HOUR, DAY = 3_600_000_000, 86_400_000_000


class Log:
    """Topics of two partitions; `fraud-labels` may be missing, as in a stack of an earlier version."""

    def __init__(self, **topics: list[Any]) -> None:
        self._topics = {name.replace("_", "-"): values for name, values in topics.items()}
        self.skipped: list[Any] = []

    def partitions(self, topic: str) -> int:
        return 2 if topic in self._topics else 0

    def first(self, topic: str, partition: int) -> int:
        return 0

    def read(self, topic: str, partition: int) -> Iterator[Record]:
        for offset, one in enumerate(self._topics[topic]):
            value = one if isinstance(one, bytes) else CODEC.encode([one])[0]
            if offset % 2 == partition:
                yield Record(topic, partition, offset, b"k", value, {})

    def close(self) -> None:
        pass


def head(number: int, at_us: int, tenant: str = "north") -> tuple[Any, ...]:
    return f"e{number}", tenant, at_us, "c", None


def payment(number: int, at_us: int = NOON, tenant: str = "north", **changes: Any) -> ev.PaymentInitiated:
    values: dict[str, Any] = {
        "payment_id": f"p{number}", "debtor_account_id": "alice", "creditor_account_id": "bob",
        "amount_minor": 12_50, "currency": "EUR", "payment_type": "transfer", "reference": "r",
        "channel": "app", "device_id": "d1", "counterparty_country": "DE", "merchant_category": None,
    }  # fmt: skip
    return ev.PaymentInitiated(*head(number, at_us, tenant), **(values | changes))


def opened(account: str, at_us: int, **metadata: str) -> ev.AccountOpened:
    return ev.AccountOpened(
        *head(90, at_us),
        account,
        "customer",
        "checking",
        "EUR",
        0,
        "retail",
        (),
        None,
        metadata=metadata or None,
    )


def rate(base: str, quote: str, rate_e8: int, from_us: int) -> ev.RateQuoted:
    return ev.RateQuoted(*head(91, NOON), base, quote, rate_e8, from_us)


def labelled(number: int, label: str, at_us: int) -> ev.PaymentLabelled:
    return ev.PaymentLabelled(*head(92, at_us), f"p{number}", "alice", "bob", label, "CUSTOMER", at_us)


def reviewed(number: int, approved: bool, at_us: int) -> ev.PaymentReviewed:
    return ev.PaymentReviewed(*head(93, at_us), f"p{number}", "alice", approved, "eve", "looked")


def read(log: Log, tenant: str | None = None) -> Read:
    return read_topics(log, Decoder(TEXTS.get), tenant)


def labels_of(found: Read) -> list[tuple[str, bool, int]]:
    ids = found.history.payment_id.to_pylist()
    rows = zip(
        found.labels.place.tolist(), found.labels.fraud.tolist(), found.labels.at_us.tolist(), strict=True
    )
    return [(ids[place], fraud, at_us) for place, fraud, at_us in rows]


def words(history: History, name: str) -> list[str | None]:
    column = getattr(history, name)
    return [None if number < 0 else column.words[number] for number in column.numbers.tolist()]


def test_payments_come_with_what_is_known_of_their_accounts() -> None:
    log = Log(
        accounts=[
            opened("alice", NOON - DAY, segment="payroll"),
            opened("carol", NOON - HOUR, segment="odd"),
        ],
        payments=[
            payment(2, NOON + HOUR, debtor_account_id="carol"),
            payment(1),
            payment(3, NOON + DAY, debtor_account_id="dave", device_id=None, channel=None),
        ],
    )
    history = read(log).history
    assert (history.tenant, history.payment_id.to_pylist()) == ("north", ["p1", "p2", "p3"])
    assert words(history, "segment") == ["payroll", "retail", "retail"]
    assert history.opened_us.tolist() == [NOON - DAY, NOON - HOUR, 0]
    assert words(history, "device") == ["d1", "d1", None] and words(history, "country") == ["DE"] * 3


def test_links_are_their_payments() -> None:
    parts = tuple(ev.LinkedPayment(f"l{number}", "bob", number, "EUR", "transfer", "r") for number in (1, 2))
    found = read(Log(payments=[ev.PaymentsLinked(*head(1, NOON), "link", "alice", parts)]))
    assert found.history.payment_id.to_pylist() == ["l1", "l2"] and found.history.minor.tolist() == [1, 2]


def test_what_the_streams_refuse_is_left_out() -> None:
    log = Log(
        payments=[
            payment(1),
            payment(1, NOON + HOUR),
            payment(2, amount_minor=0),
            payment(3, currency="ABC"),
            payment(4, creditor_account_id="a/b"),
            payment(5, debtor_account_id=""),
            payment(7, debtor_account_id="carol", creditor_account_id="carol"),
            payment(8, creditor_account_id="$fees:EUR:0"),
            b"\0\0\0\0\1xx",
            b"nothing",
            payment(6),
        ]
    )
    found = read(log)
    assert (found.history.payment_id.to_pylist(), found.left_out) == (["p1", "p6"], 7)
    assert found.history.at_us[0] == NOON


def test_labels_and_reviews_are_labels() -> None:
    log = Log(
        payments=[
            *map(payment, range(1, 5)),
            reviewed(1, False, NOON + HOUR),
            reviewed(2, True, NOON + HOUR),
        ],
        fraud_labels=[labelled(3, "FRAUD", NOON + DAY), labelled(1, "GENUINE", NOON + 2 * DAY)],
    )
    assert labels_of(read(log)) == [
        ("p1", True, NOON + HOUR),
        ("p3", True, NOON + DAY),
        ("p1", False, NOON + 2 * DAY),
    ]


def test_rates_are_those_of_the_topic() -> None:
    log = Log(
        payments=[payment(1)],
        rates=[
            rate("USD", "EUR", 92_000_000, NOON),
            rate("EUR", "VND", 2_700_000_000_000, NOON),
            rate("USD", "JPY", 15_000_000_000, NOON),
        ],
    )
    rates = read(log).rates
    numbers = command.NUMBER
    assert rates.one(numbers["USD"], 100, NOON // 10**6) == 92
    assert rates.one(numbers["USD"], 100, NOON // 10**6 - 1) is None
    assert rates.one(numbers["VND"], 950_000, NOON // 10**6) == 35_18
    assert rates.one(numbers["JPY"], 100, NOON // 10**6) is None


def test_one_tenant_is_decided_at_a_time() -> None:
    log = Log(payments=[payment(1), payment(2, tenant="south"), payment(3, tenant="south")])
    with pytest.raises(FileRefused, match=r"payments of 2 tenants \(south, north\): name one by --tenant"):
        read(log)
    assert sorted(read(log, "south").history.payment_id.to_pylist()) == ["p2", "p3"]
    with pytest.raises(FileRefused, match="no payments of tenant 'west'"):
        read(log, "west")
    with pytest.raises(FileRefused, match="the topic payments has no payments"):
        read(Log(payments=[]))


def test_without_a_stack_it_is_said_that_files_will_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["backtest", "--out", "o.csv", "--bootstrap-servers", "127.0.0.1:1"])
    said = capsys.readouterr().err
    assert code == 1 and "does not answer" in said
    assert said.endswith("or name files of payments (--payments FILE)\n") and list(tmp_path.iterdir()) == []


def test_the_command_reads_a_stack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    log = Log(
        payments=[payment(1), payment(2, amount_minor=700_000_00, debtor_account_id="carol"), payment(1)],
        fraud_labels=[labelled(2, "FRAUD", NOON + DAY)],
    )
    settings = SimpleNamespace(librdkafka=dict, app_id="a")
    monkeypatch.setattr(command, "settings_for", lambda *given: settings)
    monkeypatch.setattr(command, "require_kafka", lambda settings: None)
    monkeypatch.setattr(command, "require_registry", lambda settings: None)
    monkeypatch.setattr(command, "KafkaLog", lambda *given: log)
    monkeypatch.setattr(command, "decoder", lambda settings: Decoder(TEXTS.get))
    code = main(["backtest", "--out", str(tmp_path / "o.csv"), "--json"])
    written = capsys.readouterr()
    told = json.loads(written.out)
    assert code == 0 and (told["payments"], told["left_out"], told["all"]["recall"]) == (2, 1, 1.0)
    assert written.err == "1 events that the streams refuse are left out\n"
    for options, said in (
        (["--rate", "USD=1"], "--rate is for --payments FILE"),
        (["--payments", "p.csv", "--tenant", "north"], "no stack and no tenant is needed"),
    ):
        assert main(["backtest", "--out", str(tmp_path / "o2.csv"), *options]) == 2
        assert said in capsys.readouterr().err
