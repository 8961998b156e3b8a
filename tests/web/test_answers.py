"""Answers of the table views without Kafka: rows, pages over partitions and peers, availability."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.domain.fraud.alerts import Alert, alert_key, pack_alert
from pipeline.domain.fraud.decisions import decision_key
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.fraud.state_rows import payer_key
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.rows import Account, account_key, payment_key
from pipeline.domain.ledger.views import BALANCES
from pipeline.domain.lifecycle.stream import Lifecycle
from pipeline.domain.positions.rows import Position, pack_position, position_key
from pipeline.domain.positions.views import POSITIONS
from pipeline.domain.reconciliation.breaks.rows import LIFE_ROW, Life, life_key
from pipeline.domain.reconciliation.item_rows import watermark_key
from pipeline.domain.reconciliation.views import BREAKS
from pipeline.web import answers
from pipeline.web.answers import RowsPage, collect, merge
from pipeline.web.problems import Problem
from pipeline.web.scope import Scope
from tests.cli.fake_worker import HERE, Worker, home, scope_of
from topologies.fraud import ALERTS


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    running = Worker(tmp_path)
    yield running
    running.close()


def open_accounts(worker: Any, count: int) -> list[str]:
    names = sorted(f"a{number:04d}" for number in range(count))
    for name in names:
        worker.commit("ledger", {account_key("t", name): Account(0, "EUR").pack()}, home(name))
    return names


async def pages_of(worker: Any, scope: Scope, part: int = 1) -> list[list[str]]:
    """Follow the next links; return one part of the keys (the account), page by page."""
    found = []
    while True:
        page = await answers.answer(worker, scope)
        limit = scope.query.limit
        found.append([key.split("\0")[part] for key, _ in page.rows[:limit]])
        after = page.rows[limit - 1][0] if len(page.rows) > limit else page.reached
        if after is None:
            return found
        scope = scope._replace(query=scope.query._replace(after=after.replace("\0", "/")))


# --- rows


async def test_uncommitted_rows_are_not_shown(worker: Any) -> None:
    store = worker.stores["ledger", home("a")]
    store.put(account_key("t", "a"), Account(0, "EUR", credits_posted=5).pack())
    assert not (await answers.answer(worker, scope_of(BALANCES, "t", "a"))).known
    store.take()
    assert not (await answers.answer(worker, scope_of(BALANCES, "t", "a"))).known
    assert (await answers.answer(worker, scope_of(BALANCES, tenant="t"))).rows == []
    store.commit(None)
    page = await answers.answer(worker, scope_of(BALANCES, "t", "a"))
    assert page.rows[0][1]["balance_minor"] == 5
    assert (page.progress[0].partition, page.progress[0].as_of_offset) == (home("a"), 7)
    store.delete(account_key("t", "a"))
    assert (await answers.answer(worker, scope_of(BALANCES, "t", "a"))).known


@pytest.mark.parametrize("limit", [1, 7, 40, 41, 1000])
async def test_pages_over_all_partitions_are_whole_and_in_order(worker: Any, limit: int) -> None:
    names = open_accounts(worker, 41)
    worker.commit("ledger", {payment_key("t", "p"): b"another family"}, 0)
    pages = await pages_of(worker, scope_of(BALANCES, tenant="t", limit=limit))
    assert [name for page in pages for name in page] == names
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert pages[-1], "no page is empty where every row is shown"


async def test_a_tenant_sees_only_its_own(worker: Any) -> None:
    for tenant in ("t", "t2", "s"):
        row = {account_key(tenant, "a"): Account(0, "EUR").pack()}
        worker.commit("ledger", row, home("a", tenant))
    page = await answers.answer(worker, scope_of(BALANCES, tenant="t"))
    assert [key for key, _ in page.rows] == ["t\0a"]
    with pytest.raises(ValueError, match="of one tenant"):
        await answers.answer(worker, scope_of(BALANCES))


async def test_an_unpriced_position_has_null_not_zero(worker: Any) -> None:
    held = pack_position(Position("EUR", 10**8, 10**34, 0, 3, 1))
    worker.commit("positions", {position_key("t", "a", "i/1"): held}, home("a"))
    page = await answers.answer(worker, scope_of(POSITIONS, "t", "a", "i/1"))
    row = page.rows[0][1]
    assert (row["cost_basis_e8"], row["unrealised_pnl_e8"], row["last_price_e8"]) == (10**10, None, None)
    following = await answers.answer(worker, scope_of(POSITIONS, "t", "a", after="t/a/i/1"))
    assert (following.rows, following.known) == ([], True)


def bank_break(status: str) -> bytes:
    nothing = (None, None, None, None, (), ())
    return LIFE_ROW.pack(Life("FEE", 5, 5, "EUR", True, *nothing, "x", 0, 0, "NORMAL", status))


async def test_open_breaks_are_found_among_many_resolved_ones(
    worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request looks at a bounded number of rows; its page may be short, and the next one goes on."""
    monkeypatch.setattr(answers, "CHUNK_ROWS", 10)
    monkeypatch.setattr(answers, "EXAMINED_MAX", 50)
    found = {177: "OPEN", 250: "DISPUTED"}
    rows = {
        life_key("t", "a", f"b{number:04d}"): bank_break(found.get(number, "RESOLVED"))
        for number in range(300)
    }
    worker.commit("reconciliation", rows, home("a"))
    pages = await pages_of(worker, scope_of(BREAKS, tenant="t", state="OPEN"), part=2)
    assert [name for page in pages for name in page] == ["b0177", "b0250"]
    assert len(pages) == 6 + 1
    ended = await answers.answer(worker, scope_of(BREAKS, "t", "a", "b0178"))
    assert [row["state"] for _, row in ended.rows] == ["ENDED"]
    assert not (await answers.answer(worker, scope_of(BREAKS, "t", "a", "b0300"))).known
    assert not (await answers.answer(worker, scope_of(BREAKS, "t", "b"))).known
    worker.commit("reconciliation", {watermark_key("t", "b"): b""}, home("b"))
    assert (await answers.answer(worker, scope_of(BREAKS, "t", "b"))).known


def alert(outcome: str) -> bytes:
    verdict = Verdict(outcome, 60, (("new_payee", "x"),), "1")
    return pack_alert(Alert(1_700_000_000_000_000, verdict, "shop", 5, "EUR"))


async def test_the_alerts_of_an_account_are_read_without_those_of_others(worker: Any) -> None:
    for account in ("a", "aa", "b"):
        rows = {alert_key("t", account, f"p{number}"): alert("REVIEW") for number in range(3)}
        decisions = {decision_key("t", f"{account}{number}"): b"another family" for number in range(50)}
        worker.commit("fraud", {**rows, **decisions, payer_key("t", account): b""}, home(account))
    pages = await pages_of(worker, scope_of(ALERTS, "t", "a", limit=2), part=2)
    assert pages == [["p0", "p1"], ["p2"]]
    everywhere = await pages_of(worker, scope_of(ALERTS, tenant="t", limit=4))
    assert everywhere == [["a", "a", "a", "aa"], ["aa", "aa", "b", "b"], ["b"]]
    page = await answers.answer(worker, scope_of(ALERTS, "t", "a", "p1"))
    assert [(row["account_id"], row["payment_id"]) for _, row in page.rows] == [("a", "p1")]
    assert not (await answers.answer(worker, scope_of(ALERTS, "t", "a", "p9"))).known


async def test_an_account_of_which_a_row_is_shown_is_known_whatever_else_there_is_of_it(worker: Any) -> None:
    """An earlier version raised alerts, and kept no row of the family by which accounts are known today."""
    worker.commit("fraud", {alert_key("t", "a", "p0"): alert("REVIEW")}, home("a"))
    page = await answers.answer(worker, scope_of(ALERTS, "t", "a"))
    assert page.known and len(page.rows) == 1
    assert not (await answers.answer(worker, scope_of(ALERTS, "t", "aa"))).known


async def test_an_alert_says_what_has_become_of_the_payment(worker: Any) -> None:
    worker.commit("fraud", {alert_key("t", "a", "p"): alert("REVIEW")}, home("a"))

    async def shown() -> dict[str, Any]:
        (row,) = [row for _, row in (await answers.answer(worker, scope_of(ALERTS, tenant="t"))).rows]
        assert tuple(row) == ALERTS.columns
        return row

    row = await shown()
    assert (row["account_id"], row["amount_minor"], row["payment_state"]) == ("a", 5, None)
    for debtor, code, state in (
        ("a", None, "processing"),
        ("a", "declined", "rejected"),
        ("a", "too_old", "rejected"),  # the ledger keeps no row of such a payment
        ("other", "declined", None),  # the id of another account's payment says nothing
    ):
        lives = MemoryRows()
        about = ("e", "t", 0, "correlation", None, "p", debtor, "b", 5, "EUR")
        log = [ev.PaymentScreened(*about, "REVIEW", "d")]
        log += [] if code is None else [ev.PaymentRejected(*about, code)]
        for made in log:
            Lifecycle().apply(made, Arrival(0, 0, 1), lives, Outbox())
        worker.commit("lifecycle", lives.data, home("a"))
        assert (await shown())["payment_state"] == state


async def test_a_known_account_without_rows_is_empty_not_unknown(worker: Any) -> None:
    worker.commit("ledger", {account_key("t", "a"): Account(0, "EUR").pack()}, home("a"))
    for view in (POSITIONS, BREAKS, ALERTS):
        assert (await answers.answer(worker, scope_of(view, "t", "a"))).known
        assert not (await answers.answer(worker, scope_of(view, "t", "nobody"))).known
        # a key that only starts like it
        assert not (await answers.answer(worker, scope_of(view, "t", ""))).known


async def test_a_scan_lets_others_have_their_turn(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "CHUNK_ROWS", 5)
    open_accounts(worker, 60)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    await answers.answer(worker, scope_of(BALANCES, tenant="t"))
    running.cancel()
    assert turns >= 60 // 5


# --- availability


@pytest.mark.parametrize("state", ["rebalancing", "in_recovery", "actives", "task", "assignment"])
async def test_nothing_is_answered_before_recovery_is_complete(worker: Any, state: str) -> None:
    open_accounts(worker, 3)
    if state == "actives":
        worker.tables_ready = False
    elif state == "task":
        worker.tasks.running.clear()
    elif state == "assignment":
        worker.owners = lambda table: {}
    else:
        setattr(worker, state, True)
    for scope in (scope_of(BALANCES, tenant="t"), scope_of(BALANCES, "t", "a0000")):
        with pytest.raises(Problem) as caught:
            await answers.answer(worker, scope)
        assert (caught.value.status, caught.value.retry) == (503, True)


class Peer:
    """A peer's HTTP answer, or the error of asking for it."""

    def __init__(self, status: int = 200, body: bytes = b"", error: Exception | None = None) -> None:
        self.status, self._body, self._error = status, body, error
        self.asked: list[tuple[str, dict[str, str]]] = []

    def get(self, url: Any, *, headers: dict[str, str], **_: Any) -> Peer:
        self.asked.append((str(url), headers))
        return self

    async def __aenter__(self) -> Peer:
        if self._error is not None:
            raise self._error
        return self

    async def __aexit__(self, *_: object) -> None: ...

    @property
    def content(self) -> Peer:
        return self

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self._body


async def test_a_peer_is_asked_once_for_its_partitions(worker: Any) -> None:
    names = open_accounts(worker, 20)
    theirs = await collect(worker, scope_of(BALANCES, tenant="t", limit=5), [2, 3])
    peer = worker.http_client = Peer(body=msgspec.json.encode(theirs))
    worker.owners = lambda _: {0: HERE, 1: HERE, 2: "http://10.0.0.2:6066", 3: "http://10.0.0.2:6066"}
    page = await answers.answer(worker, scope_of(BALANCES, tenant="t", limit=5))
    assert [row["account_id"] for _, row in page.rows] == names[:6]
    assert peer.asked == [
        ("http://10.0.0.2:6066/balances?limit=5&tenant=t", {answers.PARTITIONS_HEADER: "2,3"})
    ]
    assert [part.partition for part in page.progress] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        (Peer(error=TimeoutError()), 504),
        (Peer(error=answers.aiohttp.ConnectionTimeoutError()), 503),
        (Peer(error=answers.aiohttp.ClientConnectionError()), 503),
        (Peer(status=503), 503),
        (Peer(status=500), 502),
        (Peer(status=302), 502),
        (Peer(body=b"<html>"), 502),
        (Peer(body=b'{"rows": 1}'), 502),
        (Peer(status=421, body=b'{"detail": "not my name"}'), 502),
        (Peer(status=404, body=b"<html>"), 502),
        (Peer(status=400, body=b'{"detail": "after: must be a row of this list"}'), 400),
        (Peer(status=404, body=b'{"detail": "not known"}'), 404),
        (Peer(body=b" " * 2_000), 502),
    ],
)
async def test_a_peer_that_fails_is_a_problem(
    worker: Any, peer: Peer, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "PEER_BYTES_MAX", 1_000)
    worker.http_client = peer
    worker.owners = lambda _: dict.fromkeys(range(4), "http://10.0.0.2:6066")
    with pytest.raises(Problem) as caught:
        await answers.answer(worker, scope_of(BALANCES, tenant="t"))
    assert caught.value.status == status


def test_merging_stops_before_a_gap() -> None:
    """A page that was not searched to its end hides what lies behind its `reached` in all others."""
    short = RowsPage([("b", {})], "c", [])
    whole = RowsPage([("a", {}), ("c", {}), ("d", {})], None, [])
    assert merge([short, whole], 10) == RowsPage([("a", {}), ("b", {}), ("c", {})], "c", [])
    assert merge([short, whole], 2) == RowsPage([("a", {}), ("b", {})], "b", [])
    assert merge([whole], 10) == whole
