"""The calls of a load at a gateway: what it asks for and when, and that it asks again with the same key."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipeline.gateway.commands.catalogue import COMMANDS
from pipeline.loadgen import LoadError, gateway_client
from pipeline.loadgen.gateway_calls import ACCOUNTS_MAX, DESK, UPSTREAM, Answer, Call, Calls, calls
from pipeline.loadgen.gateway_client import GatewayAccess, GatewayClient

KEYS = {UPSTREAM: "lfk_upstream", DESK: "lfk_desk"}
BREAK = {"account_id": "n7-1", "break_id": "b-1", "state": "OPEN"}


def asked(count: int, is_live: Callable[[], bool], answer: Callable[[Call], Answer]) -> list[Call]:
    """Return the first calls of a load that are answered so."""
    made = calls(7, is_live)
    found = [next(made)]
    while len(found) < count:
        found.append(made.send(answer(found[-1])))
    return found


def done(call: Call) -> Answer:
    return Answer(200, {"data": [BREAK]} if call.path.startswith("/breaks?") else {"request_id": "r"})


def test_until_event_time_is_real_time_nothing_is_sent_that_moves_it() -> None:
    early = asked(400, lambda: False, done)
    sent = {call.path for call in early if call.key is not None}
    assert sent == {"/accounts", "/trades", "/prices"}
    late = asked(60, lambda: True, done)
    paths = [call.path for call in late]
    assert "/payments" in paths and "/payments/g7-1/label" in paths
    assert "/breaks/n7-1/b-1/comment" in paths


def test_a_payment_that_is_not_decided_is_not_labelled() -> None:
    undecided = asked(60, lambda: True, lambda call: Answer(202, {"request_id": "r"}))
    assert not [call for call in undecided if call.path.endswith("/label")]


def test_every_command_has_the_fields_of_its_event() -> None:
    by_path = {command.path: command for command in COMMANDS}
    forms = {"/payments/g7-1/label": "/payments/{payment_id}/label"}
    forms["/breaks/n7-1/b-1/comment"] = "/breaks/{account_id}/{break_id}/comment"
    for call in asked(25, lambda: True, done):
        if call.body is None:
            continue
        command = by_path[forms.get(call.path, call.path).replace("g7-2", "g7-1")]
        fields = command.event.model_fields
        assert set(call.body) <= set(fields) - command.hidden
        needed = {name for name, field in fields.items() if field.is_required()}
        assert needed - command.hidden <= set(call.body), call


def test_its_accounts_are_bounded_and_a_repeat_has_the_same_key_and_body() -> None:
    all_calls = asked(ACCOUNTS_MAX * 9, lambda: False, done)
    opened = [call for call in all_calls if call.path == "/accounts" and 409 not in call.expected]
    assert len({call.body["account_id"] for call in opened if call.body is not None}) == ACCOUNTS_MAX
    first, again = opened[:2]
    assert first == again
    assert len({json.dumps(call.body) for call in opened if call.key == first.key}) == 1


@contextmanager
def gateway(
    answers: Iterator[tuple[int, dict[str, Any]]], seen: list[tuple[str, str | None]]
) -> Iterator[str]:
    """A server that answers as it is told; `seen` gets path and key of each request. Yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers["Idempotency-Key"]))
            status, body = next(answers)
            if status == 0:
                return self.connection.close()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def client(url: str, count: int, monkeypatch: pytest.MonkeyPatch) -> GatewayClient:
    """Return a client for the first calls of a load, without pauses."""
    monkeypatch.setattr(gateway_client, "CALLS_PER_S", 1_000.0)
    monkeypatch.setattr(gateway_client, "PAUSE_FIRST_S", 0.001)

    first = asked(count, lambda: False, done)

    def some() -> Calls:
        for call in (*first, Call("nobody", "/", frozenset({403}))):
            if call.who == "nobody":
                stop.set()
            yield call

    stop = threading.Event()
    return GatewayClient(GatewayAccess(url, KEYS), "north", some(), stop)


def test_a_gateway_that_is_away_is_asked_again_with_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str | None]] = []
    answers = iter(
        [(0, {}), (503, {}), (429, {}), (202, {}), (200, {}), (409, {"code": "idempotency_key_reused"})]
    )
    with gateway(answers, seen) as url, client(url, 3, monkeypatch) as calling:
        while "forbidden" not in calling.asked:
            calling.require_expected()
            time.sleep(0.01)
    assert [key for _, key in seen] == ["open-g7-0"] * 6
    assert {path for path, _ in seen} == {"/v1/north/accounts"}
    assert calling.asked["again"] == 3 and calling.asked["done"] == 2 and calling.asked["conflict"] == 1


def test_an_answer_that_is_not_expected_ends_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(500, {"code": "internal_error"})])
    with gateway(answers, []) as url, client(url, 1, monkeypatch) as calling:
        while not calling.asked:
            time.sleep(0.01)
    with pytest.raises(LoadError, match="answers /accounts with 500: internal_error"):
        calling.require_expected()


def test_a_gateway_that_stays_away_does_not_keep_a_load_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway(iter(lambda: (503, {}), None), []) as url, client(url, 1, monkeypatch) as calling:
        while not calling.asked["again"]:
            time.sleep(0.01)
    calling.require_expected()
