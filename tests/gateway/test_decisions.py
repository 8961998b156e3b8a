"""What is heard of a command: its decision is the first final answer with its correlation, on its own key."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.gateway.commands import decisions as module
from pipeline.gateway.commands.decisions import Decisions
from pipeline.gateway.log.hearing import Heard, Ring, TooManyListeners

BODIES: dict[bytes, Any] = {}


def heard(event: Any, topic: str, key: str = "north/alice", number: int = 1) -> Heard:
    """Return a record whose value is found again; it has the correlation in it, as Avro's has."""
    value = f"{event.correlation_id} {len(BODIES)}".encode()
    BODIES[value] = event
    return Heard(number, topic, 0, number, key, value)


def decode(one: Heard) -> Any:
    return BODIES[one.value]


def answered(request: str, answer: Any = "ACCEPTED", topic: str = "payments", sent: bool = False) -> Heard:
    asked = ev.RequestedCommand(topic, "ledgerflow.X", request, "north/alice")
    event = ev.RequestAnswered("e", "north", 1, request, "c", request, answer, "a" * 64, 1, sent, (asked,))
    return heard(event, "request-results", f"north/{request}")


def said(kind: type, request: str, **fields: Any) -> Any:
    """Return an event of a kind with what matters here; all else is as empty as it may be."""
    empty = {str: "", int: 0, bool: False}
    made = {field.name: empty.get(field.type) for field in msgspec.structs.fields(kind) if field.required}
    return kind(**made | {"tenant_id": "north", "correlation_id": request} | fields)


def of(*records: Heard) -> Decisions:
    known = Decisions(decode)
    for one in records:
        known.hear(one)
    return known


def test_a_payment_is_decided_when_it_is_settled_and_says_how_many_postings_there_were() -> None:
    known = of(
        answered("r-1"),
        heard(said(ev.PaymentScreened, "r-1", outcome="APPROVE"), "payment-events"),
        heard(said(ev.PaymentReserved, "r-1"), "payment-events"),
    )
    assert known.get("r-1") is None
    known.hear(heard(said(ev.PostingRecorded, "r-1", account_sequence=7), "postings"))
    known.hear(heard(said(ev.PaymentSettled, "r-1", code="ok"), "payment-events"))
    decision = known.get("r-1")
    assert decision is not None and known.key_of("r-1") == "north/alice"
    assert (decision.state, decision.account_sequence, decision.is_refusal) == ("settled", 7, False)


@pytest.mark.parametrize("about", [{"outcome": "REVIEW"}, {"hold": True}, {"hold_expires_at": 5}])
def test_a_payment_that_is_held_is_decided_once_it_is_reserved(about: dict[str, Any]) -> None:
    screened = said(ev.PaymentScreened, "r-1", **{"outcome": "APPROVE"} | about)
    known = of(answered("r-1"), heard(screened, "payment-events"))
    known.hear(heard(said(ev.PaymentReserved, "r-1"), "payment-events"))
    decision = known.get("r-1")
    assert decision is not None and decision.state == "held"


def test_the_first_answer_counts_and_a_repeats_does_not() -> None:
    known = of(
        answered("r-1"),
        heard(said(ev.PaymentSettled, "r-1"), "payment-events"),
        answered("r-1", "REPEATED"),
        heard(said(ev.PaymentRejected, "r-1", code="exists"), "payment-events"),
    )
    decision = known.get("r-1")
    assert decision is not None and decision.state == "settled"


def test_that_a_command_was_known_before_decides_nothing() -> None:
    known = of(answered("r-1", "REPEATED"))
    known.hear(heard(said(ev.PaymentRejected, "r-1", code="exists"), "payment-events"))
    assert known.get("r-1") is None


def test_a_balance_decides_a_command_on_an_account_and_no_payment() -> None:
    changed = heard(said(ev.BalanceUpdated, "r-1", account_sequence=1), "balances")
    assert of(answered("r-1"), changed).get("r-1") is None
    decision = of(answered("r-1", topic="accounts"), changed).get("r-1")
    assert decision is not None and (decision.state, decision.account_sequence) == ("applied", 1)


def test_what_is_about_others_decides_nothing() -> None:
    settled = said(ev.PaymentSettled, "r-1")
    known = of(
        heard(settled, "payment-events"),  # nobody has claimed it yet
        answered("r-1", "CONFLICT"),
        heard(settled, "payment-events"),
        answered("r-2"),
        heard(said(ev.PaymentSettled, "r-2"), "payment-events", "north/bob"),
    )
    assert known.get("r-1") is None and known.get("r-2") is None


async def test_whoever_waits_is_told_and_others_wait_no_longer_than_they_want() -> None:
    known = of(answered("r-1"))
    assert await known.within("r-1", 0.01) is None
    assert await known.within("unknown", 5.0) is None
    known.hear(heard(said(ev.CommandRefused, "r-1", code="account_not_found"), "payment-events"))
    decision = await known.within("r-1", 5.0)
    assert decision is not None and (decision.code, decision.is_refusal) == ("account_not_found", True)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_MAX", 3)
    monkeypatch.setattr(module, "DECIDED_MAX", 2)
    known = of(*(answered(f"r-{number}") for number in range(5)))
    for number in range(5):
        known.hear(heard(said(ev.PaymentSettled, f"r-{number}"), "payment-events"))
    assert [known.get(f"r-{number}") is not None for number in range(5)] == [False, False, False, True, True]


def test_a_ring_gives_what_was_heard_since_and_says_where_some_is_gone() -> None:
    ring, got = Ring(records_max=3), []
    with ring.listening(lambda one: got.append(one.number), "a"), ring.listening(lambda one: None):
        ring.add([("t", 0, number, "a" if number % 2 else "b", b"x") for number in range(5)])
    ring.add([("t", 0, 5, "a", b"x")])
    assert got == [2, 4]
    assert [one.number for one in ring.since(4) or ()] == [5, 6]
    assert ring.since(6) == [] and ring.since(2) is None and ring.since(7) is None
    assert Ring(bytes_max=1).since(0) == []


def test_listeners_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.gateway.log.hearing.LISTENERS_MAX", 1)
    ring = Ring()
    with ring.listening(lambda one: None, "a"), pytest.raises(TooManyListeners):
        ring.listening(lambda one: None).__enter__()
    with ring.listening(lambda one: None, "a"):
        pass
