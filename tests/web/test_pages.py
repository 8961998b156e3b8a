"""Every page that the index names is there, and no page is there that it does not name; on a web server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp.test_utils import TestClient, TestServer
from msgspec import structs

from pipeline.cli.supervisor import lists_of
from pipeline.domain.fraud.alerts import alert_key
from pipeline.domain.fraud.day_rows import day_key
from pipeline.domain.fraud.state_rows import payer_key, receiver_key
from pipeline.domain.history import stream as history
from pipeline.domain.history.views import HISTORY, STATEMENT
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.kernel.views import ViewPage
from pipeline.domain.ledger.stream import Ledger
from pipeline.domain.ledger.views import BALANCES
from pipeline.domain.lifecycle.stream import Lifecycle
from pipeline.domain.positions.rows import Position, pack_position, position_key
from pipeline.domain.requests.rows import request_key
from pipeline.runtime.app import create_app
from pipeline.runtime.settings import load_settings
from pipeline.web import pages
from tests.cli.fake_worker import PARTITIONS, Worker, home
from tests.contract.row_kinds import golden_rows
from tests.web.reconciled import ids_of, reconciled
from tests.web.test_answers import alert
from tests.web.test_journals import journal, neighbour, opened
from tests.web.test_past import JOURNAL
from tests.web.test_payments import HOUR, event
from topologies.app import VIEWS

RECONCILED = reconciled()
SAMPLES = {
    "tenant": "t",
    "account": "a",
    "instrument": "i",
    "payment": "stuck",
    "journal": "j",
    "proposal": "k",
    "break": ids_of(RECONCILED, "f")[0],
    "posting": ids_of(RECONCILED, "o")[0],
    "line": ids_of(RECONCILED, "l")[0],
    "request": "a",
}
DOCUMENTED = pages.documented(VIEWS)
BESIDE = {"/", "/snapshots"}
"""The index itself, and a page for the operator's command, which is asked with POST."""


def fill(worker: Any) -> None:
    """Write a row for every view, all of account `a` but the other side of its journal."""
    at = Arrival(9 * HOUR, home("a"), PARTITIONS)
    ledger, past, lives = MemoryRows(), MemoryRows(), MemoryRows()
    person = ev.Actor("idp", "anna", "s-1")
    proposed = structs.replace(
        journal("k", "a", neighbour("a")), event_id="k", needs_approval=True, actor=person
    )
    for made in (opened("a"), opened(neighbour("a")), journal("j", "a", neighbour("a")), proposed):
        Ledger().apply(made, at, ledger, Outbox())
    for posting in JOURNAL:
        history.apply(posting, at, past, Outbox())
    for kind, payment, hours in (
        (ev.PaymentScreened, "stuck", 0),
        (ev.PaymentReserved, "stuck", 0),
        (ev.PaymentSettled, "clock", 3),
    ):
        Lifecycle().apply(event(kind, payment, "a", hours * HOUR), at, lives, Outbox())
    rows = {
        "ledger": ledger.data,
        "history": past.data,
        "lifecycle": lives.data,
        "positions": {position_key("t", "a", "i"): pack_position(Position("EUR", 1, 1, 0, 0, 1))},
        "fraud": {
            alert_key("t", "a", "stuck"): alert("REVIEW"),
            payer_key("t", "a"): golden_rows("fraud", "payer", 1)[1],
            day_key("t", 20_000, home("a")): golden_rows("fraud", "day", 1)[1],
            receiver_key("t", "a"): golden_rows("fraud", "receiver", 1)[1],
        },
        "reconciliation": RECONCILED.data,
        "requests": {request_key("t", "a"): golden_rows("requests", "request", 1)[1]},
    }
    for table, content in rows.items():
        worker.commit(table, content, home("a"))


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A worker that has a row for every view."""
    running = Worker(tmp_path_factory.mktemp("tables"))
    fill(running)
    yield running
    running.close()


@pytest.fixture
async def client(worker: Any, tmp_path: Path) -> AsyncIterator[TestClient[Any, Any]]:
    """A client of the worker's pages."""
    app = create_app(load_settings(data_dir=tmp_path), cast(Any, None))
    worker.web, worker.page = app.web, app.page
    pages.mount(worker, VIEWS)
    async with TestClient(TestServer(app.web.web_app)) as asking:
        yield asking


def asked(path: str) -> str:
    """Return a request for a documented page."""
    path, _, parameters = path.partition("?")
    filled = re.sub(r"\{(\w+)\}", lambda part: SAMPLES[part[1]], path)
    return f"{filled}?tenant=t&limit=2" if "tenant=" in parameters else filled


@pytest.mark.parametrize("path", DOCUMENTED)
async def test_every_documented_page_answers(client: TestClient[Any, Any], path: str) -> None:
    response = await client.get(asked(path))
    assert response.status == 200, await response.text()
    if response.content_type == "application/json" and path not in pages.WORKER_PAGES:
        assert (await response.json())["data"], "the worker has a row for it"


@pytest.mark.parametrize("path", [path for path in DOCUMENTED if path not in pages.WORKER_PAGES])
async def test_every_view_is_a_table_too(client: TestClient[Any, Any], path: str) -> None:
    response = await client.get(asked(path), headers={"Accept": "text/csv"})
    assert (response.status, response.content_type) == (200, "text/csv")
    assert len((await response.text()).splitlines()) >= 2


async def test_the_index_names_every_page_and_no_other_is_there(client: TestClient[Any, Any]) -> None:
    assert (await (await client.get("/")).json())["pages"] == DOCUMENTED
    routed = {resource.canonical for resource in client.app.router.resources()}
    assert routed - BESIDE == {path.partition("?")[0] for path in DOCUMENTED}
    page = await (await client.get("/", headers={"Accept": "text/html"})).text()
    assert page.count("<tr>") == len(DOCUMENTED)


async def test_a_journal_is_found_on_its_page_and_in_the_list(client: TestClient[Any, Any]) -> None:
    one = await (await client.get("/journals/t/j?account=a")).json()
    assert (one["data"]["state"], len(one["data"]["legs"])) == ("POSTED", 2)
    listed = await (await client.get("/journals?tenant=t")).json()
    assert [row["journal_id"] for row in listed["data"]] == ["j"]


async def test_a_time_asks_for_another_view_of_the_same_page(client: TestClient[Any, Any]) -> None:
    now = (await (await client.get("/balances/t/a")).json())["data"]
    then = (await (await client.get("/balances/t/a?known_at=36000000000")).json())["data"]
    assert "status" in now and "known_at" not in now
    assert (then["known_at"], then["balance_minor"]) == ("1970-01-01T10:00:00Z", 100)
    for near in ("asof", "asOf", "as-of", "as_off"):
        unknown = await client.get(f"/balances/t/a?{near}=1")
        said = (await unknown.json())["detail"]
        assert unknown.status == 400
        assert said == f"unknown parameter '{near}'; did you mean as_of? known here: as_of, format, known_at"
    assert (await client.get("/balances/t/a?as_at=1")).status == 400
    assert (await client.get("/balances?tenant=t&as_of=1")).status == 400, "a list has no past"


@pytest.mark.parametrize("path", [path for path in DOCUMENTED if path not in pages.WORKER_PAGES])
async def test_every_view_refuses_what_it_does_not_know_and_names_the_nearest(
    client: TestClient[Any, Any], path: str
) -> None:
    address = asked(path)
    answer = await client.get(f"{address}{'&' if '?' in address else '?'}fromat=csv")
    assert answer.status == 400
    assert "'fromat'; did you mean format?" in (await answer.json())["detail"]


async def test_the_dashboard_names_the_lists_of_the_index(client: TestClient[Any, Any]) -> None:
    url = str(client.make_url("")).rstrip("/")
    lists = tuple(path.partition("?")[0] for path in DOCUMENTED if "tenant=" in path)
    assert await asyncio.to_thread(lists_of, url) == lists
    assert {"/balances", "/journals", "/stuck"} <= set(lists)
    assert lists_of("http://127.0.0.1:1") == ()


def test_two_views_of_one_page_need_a_parameter_that_selects_one() -> None:
    for other in (HISTORY, STATEMENT._replace(times=()), BALANCES):
        doubled = other._replace(name="balances", pages=(ViewPage("/{tenant}/{account}", "the same page"),))
        with pytest.raises(ValueError, match="no parameter selects"):
            pages.by_path((BALANCES, doubled))
