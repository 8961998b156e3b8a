"""The web pages without Kafka: parameters, links, errors, CSV, health."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from faust.types import TP
from multidict import MultiDict

from pipeline.domain.kernel.layouts import UnknownLayout
from pipeline.domain.ledger.views import BALANCES
from pipeline.domain.positions.views import POSITIONS
from pipeline.web import health
from pipeline.web.problems import Problem, problems, unavailable
from pipeline.web.query import ACCOUNT_LIST, LIST, Query, parse
from pipeline.web.render import csv_response
from tests.cli.fake_worker import Worker, home, scope_of


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    running = Worker(tmp_path)
    yield running
    running.close()


# --- parameters


@pytest.mark.parametrize(
    ("text", "accept", "expected"),
    [
        ({}, "", Query("t", None, 100, False)),
        ({"limit": "1"}, "*/*", Query("t", None, 1, False)),
        ({"limit": "1000", "after": "t/a"}, "text/html", Query("t", "t/a", 1000, False)),
        ({}, "text/csv;q=0.9, */*", Query("t", None, 100, True)),
        ({}, "application/json, text/csv", Query("t", None, 100, False)),
        ({"format": "json"}, "text/csv", Query("t", None, 100, False)),
        ({"format": "csv"}, "application/json", Query("t", None, 100, True)),
    ],
)
def test_parameters(text: dict[str, str], accept: str, expected: Query) -> None:
    assert parse(MultiDict({"tenant": "t", **text}), accept, LIST) == expected
    assert parse(MultiDict(text), accept, ACCOUNT_LIST) == expected._replace(tenant=None)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ([], "tenant: must be given"),
        ([("limit", "5")], "tenant: must be given"),
        ([("limit", "0"), ("tenant", "a")], "limit"),
        ([("limit", "1001"), ("tenant", "a")], "limit"),
        ([("limit", "-1"), ("tenant", "a")], "limit"),
        ([("limit", "1.5"), ("tenant", "a")], "limit"),
        ([("limit", "²"), ("tenant", "a")], "limit"),
        ([("limit", "9" * 5000), ("tenant", "a")], "limit"),
        ([("format", "xml")], "format"),
        ([("tenant", "")], "tenant"),
        ([("tenant", "a/b")], "tenant"),
        ([("tenant", "a\0b")], "tenant"),
        ([("after", "\udcff")], "after"),
        ([("tenant", "a"), ("tenant", "b")], "tenant"),
        ([("tennant", "a")], "unknown parameter 'tennant'; did you mean tenant? known here: after,"),
        ([("LIMIT ", "a")], "unknown parameter 'LIMIT '; did you mean limit?"),
        ([("x" * 99, "a")], f"unknown parameter '{'x' * 40}'; known here: after, format, limit, tenant"),
        ([("\udcff\n", "a")], r"unknown parameter '\udcff\n'; known here:"),
    ],
)
def test_a_bad_parameter_is_named(parameters: list[tuple[str, str]], named: str) -> None:
    with pytest.raises(Problem) as caught:
        parse(MultiDict(parameters), "", LIST)
    assert caught.value.status == 400
    assert caught.value.detail.startswith(named)


def test_a_link_leads_back_to_the_same_scope() -> None:
    scope = scope_of(POSITIONS, "t", "a&b?", limit=5, csv=True)
    assert scope.link("t/a&b?/EUR/USD") == (
        "/positions/t/a%26b%3F?limit=5&after=t%2Fa%26b%3F%2FEUR%2FUSD&format=csv"
    )
    assert scope_of(POSITIONS, "t", "a", "EUR/USD").link(None) == "/positions/t/a/EUR%2FUSD"


def test_an_account_has_one_partition_and_an_internal_one_that_in_its_name() -> None:
    assert scope_of(BALANCES, "t", "a").partitions(4) == [home("a")]
    assert scope_of(BALANCES, "t", "$clearing:EUR:3").partitions(4) == [3]
    assert scope_of(BALANCES, tenant="t").partitions(4) == [0, 1, 2, 3]
    for account in ("$clearing:EUR:4", "$clearing:EUR:-1", "$clearing", "$", "$x:²"):
        with pytest.raises(Problem) as caught:
            scope_of(BALANCES, "t", account).partitions(4)
        assert caught.value.status == 404


# --- form


async def served(error: Exception) -> web.Response:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    response = await problems(make_mocked_request("GET", "/"), handler)
    assert isinstance(response, web.Response)
    return response


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Problem(400, "bad"), 400),
        (unavailable("later"), 503),
        (web.HTTPNotFound(), 404),
        (web.HTTPMethodNotAllowed("POST", ["GET", "HEAD"]), 405),
        (ValueError("secret"), 500),
    ],
)
async def test_every_error_is_a_problem(error: Exception, status: int) -> None:
    response = await served(error)
    body = msgspec.json.decode(response.body)
    assert (response.status, response.content_type) == (status, "application/problem+json")
    assert (body["status"], body["type"]) == (status, "about:blank")
    assert "secret" not in body["detail"]
    assert ("Retry-After" in response.headers) == (status == 503)
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_row_of_a_newer_version_is_named_to_who_asks_for_it() -> None:
    response = await served(UnknownLayout("ledger table, account: a row of unknown layout 9", b"\x09"))
    assert response.status == 500
    problem = msgspec.json.decode(response.body or b"")
    assert problem["detail"] == "ledger table, account: a row of unknown layout 9"


def test_csv_keeps_integers_and_quotes_what_needs_it() -> None:
    rows = [{"a": 2**63 - 1, "b": None, "c": 'x,"y"', "d": [{"rule": "r"}]}]
    response = csv_response(("a", "b", "c", "d"), rows, {})
    assert response.body == (b'a,b,c,d\r\n9223372036854775807,,"x,""y""","[{""rule"":""r""}]"\r\n')
    assert (response.content_type, response.charset) == ("text/csv", "utf-8")


# --- health


def test_a_partition_that_has_work_and_does_not_commit_is_stuck(worker: Any) -> None:
    watch = health.CommitWatch(worker)
    task = worker.tasks.running[TP("ledger", 1)]
    assert watch.ages(0.0) == {}
    task.position = 9
    assert watch.ages(10.0) == {TP("ledger", 1): 0.0}
    assert watch.ages(35.0) == {TP("ledger", 1): 25.0}
    assert watch.ages(45.0)[TP("ledger", 1)] > health.STUCK_AFTER_S
    task.committed = 8
    assert watch.ages(50.0) == {TP("ledger", 1): 0.0}
    worker.rebalancing = True
    assert watch.ages(90.0) == {}
    worker.rebalancing = False
    assert watch.ages(100.0) == {TP("ledger", 1): 0.0}
    task.committed = 9
    assert watch.ages(110.0) == {}


def test_live_and_ready(worker: Any) -> None:
    assert health.live(health.CommitWatch(worker)).status == 200
    assert health.ready(worker).status == 200
    worker.in_recovery = True
    response = health.ready(worker)
    assert (response.status, response.headers["Retry-After"]) == (503, "1")
    assert msgspec.json.decode(response.body)["status"] == "recovering"
