"""Errors of the gateway are problems (RFC 9457), without traces and without what the client sent."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from pydantic import BaseModel

from pipeline.gateway import problems
from pipeline.gateway.problems import MEDIA_TYPE, SHOWN_CHARS_MAX, Problem, shown


class Order(BaseModel):
    """What the test's route takes."""

    amount: int


@pytest.fixture
def client() -> TestClient:
    """An app whose routes fail in each way."""
    app = FastAPI()
    problems.install(app)

    @app.get("/refused")
    def refused() -> None:
        raise Problem(409, "key_reused", "This key had another body.", {"Retry-After": "3"}, first="e1")

    @app.post("/orders")
    def orders(order: Order) -> int:
        return order.amount

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("password=hunter2")

    @app.get("/late")
    def late() -> None:
        raise HTTPException(503, "x" * 5_000)

    return TestClient(app, raise_server_exceptions=False)


def test_a_problem_has_all_its_members_and_headers(client: TestClient) -> None:
    answer = client.get("/refused?token=secret")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["retry-after"] == "3"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "/problems/key_reused",
        "title": "Key reused",
        "status": 409,
        "detail": "This key had another body.",
        "code": "key_reused",
        "instance": "/refused",
        "first": "e1",
    }


def test_an_invalid_body_is_told_by_place_and_not_repeated(client: TestClient) -> None:
    answer = client.post("/orders", json={"amount": "hunter2"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == "body.amount"
    assert "hunter2" not in answer.text


def test_a_fault_shows_no_trace(client: TestClient) -> None:
    answer = client.get("/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


def test_errors_of_the_framework_are_problems_too(client: TestClient) -> None:
    assert client.get("/nowhere").json()["code"] == "not_found"
    assert client.put("/refused").json()["code"] == "method_not_allowed"
    assert len(client.get("/late").json()["detail"]) == SHOWN_CHARS_MAX


def test_what_a_client_sent_is_cut_and_printable() -> None:
    assert shown("a\nb\x1b[31m") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m"
    assert len(shown("é" * 10_000)) == SHOWN_CHARS_MAX
