"""POST /snapshots: who may ask, for what, and what the answer says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from pipeline.runtime.snapshots import TOKEN_HEADER
from pipeline.web import snapshots as page
from pipeline.web.problems import Problem
from tests.runtime.snapshot_bench import PARTITIONS, TABLES, TOKEN, Bench

NAME = "20261122T090000Z"
ASKED = {TOKEN_HEADER: TOKEN.decode()}


def asked(bench: Bench, query: str = "", headers: dict[str, str] = ASKED, peer: str = "127.0.0.1") -> Any:
    """Ask, in a loop of its own as the web server's thread does, and return the answer."""

    async def ask() -> Any:
        transport = SimpleNamespace(
            get_extra_info=lambda what, _=None: {"sockname": ("10.0.0.5", 1), "peername": (peer, 2)}.get(what)
        )
        request = make_mocked_request("POST", f"/snapshots{query}", headers=headers, transport=transport)
        worker: Any = SimpleNamespace(
            loop=asyncio.get_running_loop(), table_names=frozenset(TABLES), snapshots=bench.snapshots
        )
        return await page.take_snapshot(worker, request)

    return asyncio.run(ask())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    built = Bench(tmp_path, monkeypatch)
    monkeypatch.setattr(page, "recovered", lambda _: True)
    yield built
    built.close()


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.5"])
def test_the_workers_own_machine_gets_a_snapshot(bench: Bench, peer: str) -> None:
    answer = asked(bench, peer=peer)
    assert answer.status == 201 and json.loads(answer.body)["name"] == NAME
    assert b'"files":' in answer.body and b"sha256" not in answer.body
    assert bench.folder(NAME).exists()


def test_the_tables_are_those_asked_for(bench: Bench) -> None:
    asked(bench, query=f"?table={TABLES[0]}")
    assert len(list(bench.folder(NAME).glob("*.rocks"))) == PARTITIONS


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"peer": "10.0.0.6"}, 403),
        ({"headers": {}}, 403),
        ({"headers": {TOKEN_HEADER: "something else"}}, 403),
        ({"headers": {TOKEN_HEADER: "é"}}, 403),
        ({"query": "?join=.."}, 400),
        ({"query": "?join=20261122T090000Z.partial"}, 400),
        ({"query": f"?join={NAME}&join={NAME}"}, 400),
        ({"query": "?name=99991231T235959Z"}, 400),
        ({"query": "?table=ledger&table=nothing"}, 400),
    ],
)
def test_anybody_and_anything_else_is_refused(bench: Bench, said: dict[str, Any], status: int) -> None:
    with pytest.raises(Problem) as caught:
        asked(bench, **said)
    assert caught.value.status == status
    assert not bench.settings.snapshots_dir.exists()


def test_one_that_is_there_already_is_a_conflict(bench: Bench) -> None:
    asked(bench)
    with pytest.raises(Problem) as caught:
        asked(bench, query=f"?join={NAME}")
    assert caught.value.status == 409


def test_there_is_none_while_tables_are_restored(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "recovered", lambda _: False)
    with pytest.raises(Problem) as caught:
        asked(bench)
    assert (caught.value.status, caught.value.retry) == (503, True)
