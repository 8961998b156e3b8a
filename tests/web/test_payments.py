"""The views of payments: by id from whichever partition has them, by state, and those that are stuck."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from multidict import MultiDict

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.amounts import amount_columns
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.exchange import Exchange
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.rows import write_payment
from pipeline.domain.lifecycle.stream import Lifecycle
from pipeline.domain.lifecycle.views import STUCK
from pipeline.web import answers, pages
from pipeline.web.problems import Problem
from pipeline.web.query import LIST, parameters_of, parse
from tests.cli.fake_worker import HERE, PARTITIONS, Worker, home, scope_of
from tests.web.test_answers import Peer
from topologies.lifecycle import PAYMENTS

HOUR = 3_600_000_000


def event(kind: type, payment: str, debtor: str, at: int = 0) -> Any:
    rest = ("REVIEW" if payment == "held" else "APPROVE", "d") if kind is ev.PaymentScreened else ("ok",)
    ids = (f"{kind.__name__} {payment}", "t", at, "correlation", f"cause of {payment}")
    return kind(*ids, payment, debtor, "shop", 5, "EUR", *rest)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    """A worker that has payments of `a` and `b`, who live on different partitions."""
    assert home("a") != home("b")
    running = Worker(tmp_path)
    for debtor, log in (
        ("a", [("settled", 0), ("stuck", 1), ("held", 1), ("both", 2)]),
        ("b", [("both", 0)]),
    ):
        rows = MemoryRows()
        for payment, at in log:
            for kind in (ev.PaymentScreened, ev.PaymentReserved):
                made = event(kind, payment, debtor, at * HOUR)
                Lifecycle().apply(made, Arrival(9 * HOUR, 0, 1), rows, Outbox())
        for name, at in (("settled", 1), ("clock", 2)) if debtor == "a" else ():
            made = event(ev.PaymentSettled, name, debtor, at * HOUR)
            Lifecycle().apply(made, Arrival(9 * HOUR, 0, 1), rows, Outbox())
        running.commit("lifecycle", rows.data, home(debtor))
    yield running
    running.close()


async def test_a_payment_between_currencies_shows_both_amounts_and_the_rate(worker: Any) -> None:
    rows, by = MemoryRows(), Exchange(6, "USD", 110_000_000, "EUR", "rate-1")
    payment = Payment("SETTLED", "ok", "a", "shop", 5, "EUR", "", 0, "transfer", None, exchange=by)
    write_payment(rows, "t", "settled", payment)
    worker.commit("ledger", rows.data, home("a"))
    found = (await shown(worker, "t", "settled"))["data"]
    assert (found["amount"], found["currency"]) == ("0.05", "EUR")
    assert found["exchange"] == {
        "creditor_amount_minor": 6,
        "creditor_amount": "0.06",
        "currency": "USD",
        "rate_e8": 110_000_000,
        "rate_currency": "EUR",
        "rate_event_id": "rate-1",
    }
    assert (await shown(worker, "t", "stuck"))["data"]["exchange"] is None


async def shown(worker: Any, *path: str, view: Any = PAYMENTS, **query: Any) -> Any:
    scope = scope_of(view, *path, **query)
    return msgspec.json.decode(pages._rendered(scope, await answers.answer(worker, scope)).body)


async def test_a_payment_is_found_by_its_id_with_every_step(worker: Any) -> None:
    answer = await shown(worker, "t", "settled")
    found = answer["data"]
    assert tuple(found) == amount_columns(PAYMENTS.columns)
    assert (found["state"], found["waiting_for"], found["debtor_account_id"]) == ("settled", None, "a")
    assert [(step["event"], step["state"], step["code"]) for step in found["steps"]] == [
        ("payment_screened", "processing", "approve"),
        ("payment_reserved", "processing", "ok"),
        ("payment_settled", "settled", "ok"),
    ]
    assert found["steps"][2] == {
        "event": "payment_settled",
        "state": "settled",
        "code": "ok",
        "occurred_at": "1970-01-01T01:00:00Z",
        "recorded_at": "1970-01-01T09:00:00Z",
        "event_id": "PaymentSettled settled",
        "causation_id": "cause of settled",
        "correlation_id": "correlation",
    }
    assert [part["partition"] for part in answer["meta"]["partitions"]] == list(range(PARTITIONS))


async def test_what_does_not_get_on_says_what_it_waits_for(worker: Any) -> None:
    held, stuck = [(await shown(worker, "t", payment))["data"] for payment in ("held", "stuck")]
    assert (held["state"], held["waiting_for"], held["stuck_id"]) == ("held", "review", None)
    assert held["due_at"] == "1970-01-01T09:00:00Z", "a review may take longer"
    assert (stuck["state"], stuck["waiting_for"], stuck["due_at"]) == ("processing", "settlement", None)
    assert stuck["stuck_id"] is not None


async def test_an_id_that_several_debtors_use_needs_its_debtor(worker: Any) -> None:
    with pytest.raises(Problem, match=r"several debtors \(a, b\)") as caught:
        await shown(worker, "t", "both")
    assert caught.value.status == 409
    answer = await shown(worker, "t", "both", owner="b")
    assert answer["data"]["debtor_account_id"] == "b"
    assert [part["partition"] for part in answer["meta"]["partitions"]] == [home("b")]


@pytest.mark.parametrize("asked", [("t", "nothing"), ("other", "settled")])
async def test_an_unknown_payment_is_a_404(worker: Any, asked: tuple[str, str]) -> None:
    for debtor in (None, "a", "b"):
        with pytest.raises(Problem) as caught:
            await shown(worker, *asked, owner=debtor)
        assert caught.value.status == 404
    with pytest.raises(Problem, match="of another"):
        await shown(worker, "t", "settled", owner=same_partition("a"))


def same_partition(account: str) -> str:
    """Return `another...` that lives with an account."""
    return next(name for name in (f"another{number}" for number in range(99)) if home(name) == home(account))


async def test_a_payment_of_a_peer_is_asked_for_there(worker: Any) -> None:
    theirs = await answers.collect(worker, scope_of(PAYMENTS, "t", "settled"), [home("a")])
    peer = worker.http_client = Peer(body=msgspec.json.encode(theirs))
    worker.owners = lambda _: {**dict.fromkeys(range(PARTITIONS), HERE), home("a"): "http://peer"}
    assert (await shown(worker, "t", "settled"))["data"]["state"] == "settled"
    assert [str(url) for url, _ in peer.asked] == ["http://peer/payments/t/settled"]


async def test_payments_are_listed_by_state(worker: Any) -> None:
    everything = await shown(worker, tenant="t")
    names = ["both", "both", "clock", "held", "settled", "stuck"]
    assert [row["payment_id"] for row in everything["data"]] == names
    for state, expected in (("held", ["held"]), ("settled", ["clock", "settled"]), ("failed", [])):
        listed = await shown(worker, tenant="t", state=state)
        assert [row["payment_id"] for row in listed["data"]] == expected
    assert scope_of(PAYMENTS, tenant="t", state="held", limit=1).link(None) == (
        "/payments?limit=1&tenant=t&state=held"
    )


async def test_what_is_stuck_is_listed_until_it_gets_on(worker: Any) -> None:
    (row,) = (await shown(worker, tenant="t", view=STUCK))["data"]
    assert tuple(row) == amount_columns(STUCK.columns)
    assert (row["payment_id"], row["waiting_for"]) == ("stuck", "settlement")
    assert [one["payment_id"] for one in (await shown(worker, "t", "a", view=STUCK))["data"]] == ["stuck"]
    with pytest.raises(Problem, match="not known"):
        await shown(worker, "t", "b", view=STUCK)


def test_a_state_that_no_payment_has_is_a_bad_parameter() -> None:
    assert parse(MultiDict({"tenant": "t", "state": "held"}), "", parameters_of(PAYMENTS, ())).state == "held"
    for allowed, hint in (
        (parameters_of(PAYMENTS, ()), "state: must be one of"),
        (LIST, "unknown parameter"),
    ):
        with pytest.raises(Problem, match=hint):
            parse(MultiDict({"tenant": "t", "state": "lost"}), "", allowed)
