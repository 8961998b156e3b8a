"""The view of commands that wait for a second person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.domain.ledger.views import PROPOSALS
from pipeline.domain.tenants.settings import parse_tenants
from pipeline.web import answers, pages
from pipeline.web.problems import Problem
from tests.cli.fake_worker import PARTITIONS, Worker, home, scope_of

ANNA, BERT = ev.Actor("idp", "anna", "s-1"), ev.Actor("idp", "bert", "s-2")


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    """A worker with three limits proposed for `a`, one of which was approved."""
    running, rows, at = Worker(tmp_path), MemoryRows(), Arrival(9, home("a"), PARTITIONS)
    ledger = Ledger(LedgerRules(tenants=parse_tenants("[default]\nfour_eyes = { limits = true }")))
    opened = ev.AccountOpened("open", "t", 1, "c", None, "a", "x", "checking", "EUR", 100)
    limits = [
        ev.AccountLimitSet(event_id, "t", 2, "c", None, "a", 5, actor=ANNA)
        for event_id in ("e/1", "e2", "e3")
    ]
    out = Outbox()
    for event in (opened, *limits):
        ledger.apply(event, at, rows, out)
    content_hash = out.items[-1][2].content_hash
    ledger.apply(ev.ProposalApproved("ok", "t", 3, "c", None, "a", "e2", content_hash, BERT), at, rows, out)
    running.commit("ledger", rows.data, home("a"))
    yield running
    running.close()


async def shown(worker: Any, *path: str, **query: Any) -> Any:
    scope = scope_of(PROPOSALS, *path, **query)
    return msgspec.json.decode(pages._rendered(scope, await answers.answer(worker, scope)).body)


async def test_open_proposals_are_shown_with_what_they_say_and_who_says_it(worker: Any) -> None:
    for found in (await shown(worker, "t", "a"), await shown(worker, tenant="t")):
        assert [row["proposal_id"] for row in found["data"]] == ["e/1", "e3"]
    row = (await shown(worker, "t", "a", "e3"))["data"]
    assert row["command"] == "account_limit_set" and row["content"]["overdraft_limit_minor"] == 5
    assert (row["proposed_by"]["issuer"], row["proposed_by"]["subject"], row["changes"]) == ("idp", "anna", 0)
    assert len(row["content_hash"]) == 64 and row["expires_at"].startswith("1970-01-08")
    with pytest.raises(Problem) as decided:
        await shown(worker, "t", "a", "e2")
    assert decided.value.status == 404
