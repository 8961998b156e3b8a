"""The view of journals by their id, and of an account's limits and what is frozen of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.journals import earlier_key, journal_key
from pipeline.domain.ledger.stream import Ledger
from pipeline.domain.ledger.views import BALANCES, JOURNALS
from pipeline.web import answers, pages
from pipeline.web.problems import Problem
from tests.cli.fake_worker import PARTITIONS, Worker, home, scope_of


def opened(account: str) -> ev.AccountOpened:
    envelope = (f"open {account}", "t", 1, "c", None)
    return ev.AccountOpened(*envelope, account, "x", "checking", "EUR", 100)


def journal(journal_id: str, debit: str, credit: str) -> ev.JournalSubmitted:
    legs = (
        ev.JournalLeg(1, 0, debit, "DEBIT", 30, "EUR"),
        ev.JournalLeg(2, 0, credit, "CREDIT", 30, "EUR", "fee"),
    )
    envelope = (f"submit {journal_id} {debit}", "t", 5, "c", None)
    return ev.JournalSubmitted(*envelope, journal_id, debit, legs, "ref", "because", None, "REFUSE")


def neighbour(account: str) -> str:
    """Return another account of the same partition."""
    return next(f"n{n}" for n in range(1_000) if home(f"n{n}") == home(account))


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    """A worker with journals of `a` and `b`, who live on different partitions."""
    assert home("a") != home("b")
    running = Worker(tmp_path)
    for account, journals in (("a", ("j", "both")), ("b", ("both",))):
        rows, at, other = MemoryRows(), Arrival(9, home(account), PARTITIONS), neighbour(account)
        taken = ev.JournalReversed(
            "back", "t", 6, "c", None, "j", "a", "r", (), "in error", None, "NEXT_PERIOD"
        )
        limits = ev.AccountLimitSet("limit", "t", 7, "c", None, account, 0, 20, 500)
        frozen = ev.AccountFrozen("freeze", "t", 8, "c", None, account, "DEBIT", "order")
        for event in (
            *(opened(account), opened(other), *(journal(name, account, other) for name in journals)),
            *((taken, limits, frozen) if account == "a" else ()),
        ):
            Ledger().apply(event, at, rows, Outbox())
        running.commit("ledger", rows.data, home(account))
    yield running
    running.close()


async def shown(worker: Any, view: Any, *path: str, **query: Any) -> Any:
    scope = scope_of(view, *path, **query)
    return msgspec.json.decode(pages._rendered(scope, await answers.answer(worker, scope)).body)


async def test_a_journal_is_found_by_its_id_with_its_legs_and_what_was_taken_back(worker: Any) -> None:
    row = (await shown(worker, JOURNALS, "t", "j"))["data"]
    assert (row["account_id"], row["state"], row["code"], row["reverses"]) == ("a", "POSTED", "ok", None)
    assert [(leg["account_id"], leg["side"], leg["amount_minor"], leg["purpose"]) for leg in row["legs"]] == [
        ("a", "DEBIT", 30, None),
        (neighbour("a"), "CREDIT", 30, "fee"),
    ]
    taken = {(one["account_id"], one["side"], one["amount_minor"]) for one in row["reversed"]}
    assert taken == {("a", "DEBIT", 30), (neighbour("a"), "CREDIT", 30)}
    reversal = (await shown(worker, JOURNALS, "t", "r"))["data"]
    assert (reversal["reverses"], reversal["reason"], reversal["state"]) == ("j", "in error", "POSTED")
    with pytest.raises(Problem) as unknown:
        await shown(worker, JOURNALS, "t", "nobody")
    assert unknown.value.status == 404 and "or not any more" in unknown.value.detail


async def test_of_two_accounts_that_use_one_id_one_must_be_named(worker: Any) -> None:
    with pytest.raises(Problem) as several:
        await shown(worker, JOURNALS, "t", "both")
    assert several.value.status == 409 and "?account=" in str(several.value)
    for account in ("a", "b"):
        row = (await shown(worker, JOURNALS, "t", "both", owner=account))["data"]
        assert row["account_id"] == account


async def test_accounts_of_one_branch_may_use_one_id_and_earlier_keys_are_found(worker: Any) -> None:
    rows, at, other = MemoryRows(), Arrival(9, home("a"), PARTITIONS), neighbour("a")
    for event in (*map(opened, ("a", other)), journal("one", "a", other), journal("one", other, "a")):
        Ledger().apply(event, at, rows, Outbox())
    rows.put(earlier_key("t", "one"), rows.data.pop(journal_key("t", "a", "one")))
    worker.commit("ledger", rows.data, home("a"))
    with pytest.raises(Problem) as several:
        await shown(worker, JOURNALS, "t", "one")
    assert several.value.status == 409 and all(name in str(several.value) for name in ("a", other))
    for account in ("a", other):
        row = (await shown(worker, JOURNALS, "t", "one", owner=account))["data"]
        assert (row["account_id"], row["journal_id"]) == (account, "one")
    first = await shown(worker, JOURNALS, tenant="t", limit=1)
    after, ids = first["next"].partition("after=")[2].partition("&")[0], []
    while after:
        page = await shown(worker, JOURNALS, tenant="t", limit=1, after=unquote(after))
        ids += [(row["journal_id"], row["account_id"]) for row in page["data"]]
        after = (page["next"] or "").partition("after=")[2].partition("&")[0]
    assert ids == [("both", "b"), ("j", "a"), ("one", "a"), ("one", other), ("r", "a")]


async def test_all_journals_of_a_tenant_are_a_list(worker: Any) -> None:
    listed = (await shown(worker, JOURNALS, tenant="t"))["data"]
    assert sorted(row["journal_id"] for row in listed) == ["both", "both", "j", "r"]


async def test_an_account_shows_its_limits_and_what_is_frozen(worker: Any) -> None:
    names = ("overdraft_limit_minor", "minimum_balance_minor", "maximum_balance_minor", "frozen")
    row = (await shown(worker, BALANCES, "t", "a"))["data"]
    assert tuple(row[name] for name in names) == (0, 20, 500, "DEBIT")
    row = (await shown(worker, BALANCES, "t", "b"))["data"]
    assert tuple(row[name] for name in names) == (0, None, None, "NONE")
