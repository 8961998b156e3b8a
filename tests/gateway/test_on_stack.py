"""The gateway on real Kafka: two of them before one worker; commands, repeats, conflicts, kills, reads."""

from __future__ import annotations

import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.cli.records import TopicReader, decoder
from pipeline.runtime.avro.registry import register_all
from pipeline.runtime.kafka.topics import create_topics
from pipeline.runtime.local.stack import LocalStack
from tests.gateway.bank import FUNDS_MINOR, PAYMENT, Bank
from tests.gateway.test_statements import LINE, STATEMENT
from tests.progress import eventually
from topologies.app import TABLELESS, TABLES

WAIT = {"Prefer": "wait=30"}


@pytest.fixture(scope="module")
def bank(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    settings = stack.settings.model_copy(update={"data_dir": tmp_path_factory.mktemp("gateway")})
    register_all(settings.schema_registry_url)
    create_topics(settings, TABLES, TABLELESS)
    running = Bank(settings, settings.web_port + 2)
    try:
        running.wait()
        for name in ("alice", "bob"):
            running.open_account(name)
        yield running
    finally:
        running.stop()


def pay(amount: int, debtor: str = "alice") -> dict[str, Any]:
    return {**PAYMENT, "debtor_account_id": debtor, "creditor_account_id": "bob", "amount_minor": amount}


def events_of(bank: Bank, topic: str) -> list[Any]:
    """Return the events of the tenant on a topic."""
    decode, reader = decoder(bank.settings), TopicReader(bank.settings, topic, bank.settings.partitions)
    try:
        return [event for record in reader.all() if (event := decode.decode(record.value)) is not None]
    finally:
        reader.close()


def decided(bank: Bank) -> set[str]:
    """Return the requests whose payments have moved or hold money, or were refused."""
    kinds = ("PaymentReserved", "PaymentRejected")
    return {
        event.fields["correlation_id"] for event in events_of(bank, "payment-events") if event.name in kinds
    }


def test_a_payment_is_settled_and_a_repeat_at_the_other_gateway_says_the_same_and_that_it_is_one(
    bank: Bank,
) -> None:
    first = bank.post("/payments", pay(500), "pay-1", **WAIT)
    assert (first.status, first.body["state"], first.body["code"]) == (200, "settled", "ok")
    again = bank.post("/payments", pay(500), "pay-1", at=1, **WAIT)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.body["payment_id"] == first.body["payment_id"]
    assert again.body["state"] in ("settled", "accepted")
    paid = [
        event for event in events_of(bank, "payments") if event.fields["event_id"] == first.body["request_id"]
    ]
    assert len(paid) == 1 and paid[0].fields["actor"]["subject"] == "program"


def test_another_command_under_a_known_key_is_refused_with_the_first_ones_id_whatever_it_is_about(
    bank: Bank,
) -> None:
    first = bank.post("/payments", pay(7), "reused", **WAIT)
    freeze = "/accounts/bob/freeze"
    for path, body in (("/payments", pay(8)), (freeze, {"side": "DEBIT", "reason": "x"})):
        other = bank.post(path, body, "reused", at=1)
        assert (other.status, other.body["code"]) == (409, "idempotency_key_reused")
        assert other.body["request_id"] == first.body["request_id"]
    assert bank.get("/balances/bob").body["data"]["frozen"] == "NONE"


def test_what_the_ledger_refuses_is_a_problem_with_the_ledgers_code(bank: Bank) -> None:
    nobody = {**pay(5), "creditor_account_id": "nobody"}
    answer = bank.post("/payments", nobody, "to-nobody", **WAIT)
    assert (answer.status, answer.body["code"]) == (409, "creditor_not_found")
    assert answer.body["state"] in ("rejected", "failed"), "failed where another branch says so"
    assert answer.headers["content-type"] == "application/problem+json"
    page = bank.ask("GET", answer.body["type"])
    assert page.status == 200 and "creditor_not_found" in page.body


@pytest.mark.parametrize(
    ("path", "body", "key", "status", "code"),
    [
        ("/payments", pay(5), None, 400, "idempotency_key_missing"),
        ("/payments", pay(5), "x" * 256, 400, "invalid_idempotency_key"),
        ("/payments", pay(5) | {"event_id": "e"}, "k", 422, "invalid_request"),
        ("/payments", pay(5) | {"amount_minor": 5.0}, "k", 422, "invalid_request"),
        ("/payments", {"reference": "x" * 300_000}, "k", 413, "body_too_large"),
        ("/proposals/alice/p-1/approve", {"content_hash": "a" * 64}, "k", 403, "forbidden_to_role"),
    ],
)
def test_a_command_that_is_none_has_no_effect(
    bank: Bank, path: str, body: Any, key: str | None, status: int, code: str
) -> None:
    answer = bank.post(path, body, key)
    assert (answer.status, answer.body["code"]) == (status, code), answer


def test_a_dry_run_checks_and_does_nothing(bank: Bank) -> None:
    answer = bank.post("/payments?validate=true", pay(5), "dry")
    assert answer.status == 200 and answer.body["valid"] is True
    assert bank.get(f"/requests/{answer.body['request_id']}").status == 404


def test_a_read_after_a_command_shows_it_at_either_gateway(bank: Bank) -> None:
    bank.open_account("dave")
    sent = bank.post("/payments", pay(11, "dave"), "mine")
    assert sent.status == 202 and sent.body["state"] == "accepted"
    for at in (1, 0):
        after = bank.get("/balances/dave", at=at, **{"Ledgerflow-After": sent.body["request_id"]})
        if after.status == 200:  # else it took longer than a read waits
            assert after.body["data"]["balance_minor"] == FUNDS_MINOR - 11
            assert "worker" not in after.body["meta"]
        else:
            assert after.status == 412 and after.headers["retry-after"] == "1"
    eventually(lambda: "decision" in bank.get(f"/requests/{sent.body['request_id']}").body["data"])
    status = bank.get(f"/requests/{sent.body['request_id']}").body["data"]
    assert status["decision"]["state"] == "settled" and status["commands"][0]["topic"] == "payments"


def test_nobody_and_who_may_not_are_refused_and_all_of_it_is_in_the_access_log(bank: Bank) -> None:
    assert bank.get("/balances/alice", Authorization="").status == 401
    assert bank.get("/balances/alice", Authorization="Bearer lfk_x").status == 401
    customer = bank.keys.create("bob", {"north": ["customer"]}, 1, accounts={"north": ["bob"]})[0]
    mine = {"Authorization": f"Bearer {customer}"}
    assert bank.get("/balances/bob", **mine).status == 200
    for path in ("/balances/alice", "/balances", "/breaks"):
        assert bank.get(path, **mine).status == 403
    paid = bank.post("/payments", pay(1), "theirs", **mine)
    assert (paid.status, paid.body["code"]) == (403, "account_not_own")
    assert bank.ask("GET", "/v1/acme/balances/alice").status == 403
    told = Counter(
        (event.fields["actor"]["subject"], event.fields["permission"], event.fields["status"])
        for event in events_of(bank, "access-log")
    )
    assert told["bob", "query:balances", 200] == 1 and told["bob", "query:balances", 403] == 2
    assert told["bob", "command:payment_initiated", 403] == 1
    assert told["program", "command:account_opened", 200] >= 2


def test_live_events_are_the_tenants_and_go_on_where_they_broke_off(bank: Bank) -> None:
    def follow(last: str | None) -> Any:
        url = f"http://127.0.0.1:{bank.port}/v1/north/live/payment-events?account=alice"
        headers = {"Authorization": f"Bearer {bank.key}"} | ({} if last is None else {"Last-Event-ID": last})
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=240)

    def lines(stream: Any, prefix: bytes) -> bytes:
        return next(line for line in stream if line.startswith(prefix))

    with follow(None) as stream:
        lines(stream, b": alive")
        first = bank.post("/payments", pay(3), "live-1", **WAIT)
        seen = lines(stream, b"id: ").decode().removeprefix("id: ").strip()
    second = bank.post("/payments", pay(4), "live-2", **WAIT)
    with follow(seen) as stream:
        text = b"".join(lines(stream, b"data: ") for _ in range(5))
    assert first.body["payment_id"].encode() in text and second.body["payment_id"].encode() in text
    with follow("5-00000000") as stream:
        assert lines(stream, b"event: ") == b"event: gap\n"


def test_a_stream_is_read_from_a_position_on(bank: Bank) -> None:
    paid = bank.post("/payments", pay(51), "streamed", **WAIT).body["payment_id"]
    first = bank.get("/streams/payment-events?account=alice&limit=2")
    assert first.status == 200 and len(first.body["data"]) == 2, first
    seen, page = list(first.body["data"]), first.body
    while not page["meta"]["at_end"]:
        page = bank.ask("GET", page["next"]).body
        seen += page["data"]
    places = [(one["partition"], one["offset"]) for one in seen]
    assert places == sorted(places) and len({number for number, _ in places}) == 1
    of_it = [one["event"] for one in seen if one["data"].get("payment_id") == paid]
    assert of_it[-1] == "PaymentSettled" and len(of_it) >= 3
    alone = bank.get(f"/streams/payment-events?account=alice&payment={paid}&limit=1000").body
    assert [one["event"] for one in alone["data"]] == of_it
    assert bank.ask("GET", page["next"]).body["data"] == []
    all_of_it = bank.get("/streams/postings?limit=1000").body["data"]
    assert {one["data"]["tenant_id"] for one in all_of_it} == {"north"}
    gone = bank.get("/streams/postings?from=0:999999999")
    assert (gone.status, gone.body["code"]) == (410, "position_gone")
    assert bank.get("/streams/postings?from=9:1").status == 400
    assert bank.get("/streams/payments").status == 404, "inputs are not shown"


def test_a_whole_statement_is_in_the_log_once_and_together(bank: Bank) -> None:
    said = {**STATEMENT, "account_id": "alice", "lines": [LINE] * 40}
    first = bank.post("/statements", said, "statement-1")
    assert first.status == 202 and first.body["statement_id"] == "s-1", first
    again = bank.post("/statements", said, "statement-1", at=1)
    assert again.headers["idempotent-replayed"] == "true"
    other = bank.post("/statements", {**said, "lines": [LINE]}, "statement-1", at=1)
    assert (other.status, other.body["code"]) == (409, "idempotency_key_reused")
    named = first.body["request_id"]
    there = [one for one in events_of(bank, "statements") if one.fields["correlation_id"] == named]
    assert len({one.fields["event_id"] for one in there}) == 41
    numbers = [one.fields["line_no"] for one in there if one.name == "StatementLine"]
    assert sorted(set(numbers)) == list(range(1, 41))
    shown = bank.get(f"/requests/{named}").body["data"]
    assert len(shown["commands"]) == 41


def test_of_many_commands_each_has_its_own_answer(bank: Bank) -> None:
    def one(path: str, key: str, body: Any) -> dict[str, Any]:
        return {"path": path, "key": key, "body": body}

    commands = [
        one("/payments", "bulk-1", pay(21)),
        one("/payments", "bulk-2", {**pay(22), "creditor_account_id": "nobody"}),
        one("/payments", "bulk-1", pay(23)),
        one("/payments", "bulk-3", {"amount_minor": 1}),
        one("/nothing", "bulk-4", {}),
        one("/proposals/alice/p-1/approve", "bulk-5", {"content_hash": "a" * 64}),
        one("/accounts/%24fees/freeze", "bulk-6", {"side": "DEBIT", "reason": "x"}),
    ]
    answer = bank.ask("POST", "/v1/north/bulk", {"commands": commands[:1]}, **WAIT)
    assert answer.status == 200 and answer.body["answers"][0]["body"]["state"] == "settled", answer
    answer = bank.ask("POST", "/v1/north/bulk", {"commands": commands}, at=1, **WAIT)
    told = [(one["status"], one["body"].get("code")) for one in answer.body["answers"]]
    assert told[0][0] in (200, 202)
    assert told[1:] == [
        (409, "creditor_not_found"),
        (409, "idempotency_key_reused"),
        (422, "invalid_request"),
        (404, "unknown_command"),
        (403, "forbidden_to_role"),
        (422, "invalid_request"),
    ]
    assert bank.ask("POST", "/v1/north/bulk", {"commands": commands}, Authorization="").status == 401
    assert bank.ask("POST", "/v1/north/bulk", {"commands": []}).status == 422


def test_a_gateway_that_was_started_later_knows_what_a_payment_came_to(bank: Bank) -> None:
    nobody = {**pay(3), "creditor_account_id": "nobody"}
    poor = bank.post("/payments", nobody, "too-late", **WAIT)
    paid = bank.post("/payments", pay(41), "enough", **WAIT)
    assert (poor.status, poor.body["code"], paid.body["state"]) == (409, "creditor_not_found", "settled")
    bank.kill(1)
    bank.gateways[1] = bank.start_gateway(1)
    eventually(lambda: bank.ask("GET", "/ready", at=1).status == 200)
    again = bank.post("/payments", pay(41), "enough", at=1)
    assert (again.status, again.body["state"]) == (200, "settled"), again
    again = bank.post("/payments", nobody, "too-late", at=1)
    assert (again.status, again.body["code"]) == (409, "creditor_not_found"), again


def test_every_acknowledged_command_is_in_the_log_once_when_gateways_are_killed(bank: Bank) -> None:
    bank.open_account("carol")
    before = {event.fields["event_id"] for event in events_of(bank, "payments")}
    acknowledged: dict[str, str] = {}

    def client(name: int) -> None:
        for number in range(30):
            key, at = f"kill-{name}-{number}", number % 2
            while (answer := bank.post("/payments", pay(1, "carol"), key, at=at)).status not in (200, 202):
                assert answer.status in (0, 503), answer
                at = 1 - at
            acknowledged[key] = answer.body["request_id"]

    clients = [threading.Thread(target=client, args=(name,)) for name in range(4)]
    for one in clients:
        one.start()
    for number in (0, 1, 0):
        done = len(acknowledged)
        eventually(lambda done=done: len(acknowledged) >= min(done + 15, 120))
        bank.kill(number)
        bank.gateways[number] = bank.start_gateway(number)
        eventually(lambda number=number: bank.ask("GET", "/ready", at=number).status == 200)
    for one in clients:
        one.join()
    assert len(set(acknowledged.values())) == 120
    told = Counter(event.fields["event_id"] for event in events_of(bank, "payments"))
    sent = {name: count for name, count in told.items() if name not in before}
    assert set(sent) == set(acknowledged.values())
    eventually(lambda: len(decided(bank) & set(acknowledged.values())) == 120)
    paid, page = [], "/v1/north/payments?limit=50"
    while page is not None:  # each page names the next one, at the gateway
        listed = bank.ask("GET", page)
        assert listed.status == 200 and len(listed.body["data"]) <= 50, listed
        paid += listed.body["data"]
        page = listed.body.get("next")
    assert len([row for row in paid if row["debtor_account_id"] == "carol"]) == 120
    assert sum(sent.values()) - len(sent) <= 12, "only what was under way at a kill may be there twice"
