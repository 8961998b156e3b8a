"""What stands in the way of a running `up`: each problem once, a line at its start and one at its end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from pipeline.cli import conditions
from pipeline.cli.conditions import ASK_EVERY_S, Conditions, Told, told_by
from pipeline.cli.supervisor import Child, Worker, answers_ready
from pipeline.runtime.kafka import pulse

SILENT = Told("broker_silent", "Kafka", "Kafka at h:1 does not answer since 00:00:00Z")
DRIFT = Told("topic_settings", "payments", "retention.ms is 1, must be -1")


def test_a_silent_broker_is_on_the_screen_within_three_seconds() -> None:
    """The sum of what may pass: a question was just answered, the next one is not, the worker is asked."""
    assert pulse.EVERY_S + pulse.ANSWER_WITHIN_S + pulse.AGAIN_WITHIN_S + ASK_EVERY_S <= 2.5


def test_what_several_workers_tell_is_one_problem_until_the_last_tells_it_no_more() -> None:
    shown = Conditions(["http://a", "http://b"])
    shown.take("http://a", [SILENT, DRIFT])
    shown.take("http://b", [SILENT])
    assert shown.lines() == [
        "broker_silent: Kafka at h:1 does not answer since 00:00:00Z",
        "topic_settings: payments: retention.ms is 1, must be -1",
    ]
    assert shown.present == [
        "broker_silent: Kafka at h:1 does not answer since 00:00:00Z",
        "topic_settings: payments: retention.ms is 1, must be -1",
    ]
    shown.take("http://a", [DRIFT])
    assert shown.lines() == []
    shown.take("http://b", [])
    (line,) = shown.lines()
    assert line.startswith("broker_silent is over: Kafka, for 0.")
    assert shown.present == ["topic_settings: payments: retention.ms is 1, must be -1"]


def test_the_pulse_of_up_says_how_long_kafka_was_silent_though_a_worker_is_the_last_to_see_it() -> None:
    shown, answers = Conditions(["http://a"]), [True]
    own = shown.pulse(lambda: answers[0], "h:1")
    own.beat()
    answers[0] = False
    own.beat()
    shown.take("http://a", [SILENT])
    assert len(shown.lines()) == 1
    answers[0] = True
    for _ in range(pulse.ANSWERS_MIN):
        own.beat()
    assert shown.lines() == []
    shown.take("http://a", [])
    (line,) = shown.lines()
    assert line.startswith("broker_silent is over: Kafka at h:1 did not answer for ")


def test_workers_are_marked_while_something_keeps_them_from_their_work() -> None:
    workers = [Worker(0, "http://a", ready=True), Worker(1, "http://b", ready=True)]
    for worker in workers:
        child: Any = object.__new__(Child)
        worker.child = child
    shown, said = Conditions([worker.url for worker in workers]), list[str]()
    shown.take("http://b", [DRIFT])
    shown.show(workers, said.append)
    assert [worker.state for worker in workers] == ["ready", "not ready"]
    assert len(said) == 1


@pytest.fixture
def answering() -> Iterator[Any]:
    """A worker's web server that answers as it is told."""

    class Handler(BaseHTTPRequestHandler):
        status, body = 200, b"{}"

        def do_GET(self) -> None:
            self.send_response(Handler.status)
            self.end_headers()
            self.wfile.write(Handler.body)

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_worker_with_a_problem_has_restored_its_tables_and_tells_the_problem(answering: Any) -> None:
    handler, url = answering
    problem = {"name": DRIFT.name, "subject": DRIFT.subject, "detail": DRIFT.detail, "since": "now"}
    handler.status = 503
    handler.body = json.dumps({"status": "problems", "problems": [problem]}).encode()
    assert answers_ready(url) and told_by(url) == [DRIFT]
    handler.body = json.dumps({"status": "recovering", "problems": []}).encode()
    assert not answers_ready(url) and told_by(url) == []
    for nonsense in (b"", b"no json", b"[1]"):
        handler.body = nonsense
        assert not answers_ready(url) and told_by(url) is None
    assert conditions.told_by("http://127.0.0.1:9") is None
