"""The lifecycle of payments: every step with time and cause, and an alert for one that does not get on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import schemas
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, derived_id
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.lifecycle.outputs import STEP_NAMES, STUCK_MAX
from pipeline.domain.lifecycle.rows import Life, due_key, life_key, read_life, stuck_key
from pipeline.domain.lifecycle.settings import LifecycleSettings
from pipeline.domain.lifecycle.stream import STATES, Lifecycle
from pipeline.runtime.settings import load_settings
from topologies import lifecycle
from topologies.configuration import Configuration

MINUTE = 60_000_000
HOUR = 60 * MINUTE
NOON = 12 * HOUR


class Branch:
    """One branch: says an event, and keeps what comes of it."""

    def __init__(self, rules: LifecycleSettings | None = None) -> None:
        self.stream = Lifecycle(rules)
        self.rows = MemoryRows()
        self.broken: list[Any] = []

    def apply(self, event: Any, recorded_at: int = 99 * HOUR) -> list[Any]:
        out = Outbox()
        self.stream.apply(event, Arrival(recorded_at, 0, 1), self.rows, out)
        assert all(key == "t/a" for _, key, _ in out.items)
        self.broken += [said for topic, _, said in out.items if topic == "invariant-alerts"]
        return [said for topic, _, said in out.items if topic == "payment-alerts"]

    def life(self, payment: str = "p") -> Life:
        life = read_life(self.rows, "t", payment)
        assert life is not None
        return life

    def waits(self) -> list[bytes]:
        return [key for key, _ in self.rows.scan(b"q\0")]


def fields(event_id: str, at: int, payment: str | None = "p", cause: str | None = None) -> tuple[Any, ...]:
    return (event_id, "t", at, "correlation", cause, payment)


def screened(at: int = NOON, payment: str = "p", outcome: str = "APPROVE", amount: int = 5) -> Any:
    about = ("a", "b", amount, "EUR", outcome, f"decide {payment}")
    return ev.PaymentScreened(*fields(f"screen {payment}", at, payment, f"pay {payment}"), *about)


def said(kind: type, at: int = NOON, payment: str = "p", code: str = "ok", amount: int = 5) -> Any:
    name = f"{kind.__name__} {payment}"
    return kind(*fields(name, at, payment, f"decide {payment}"), "a", "b", amount, "EUR", code)


def reviewed(approved: bool = True, at: int = NOON, debtor: str = "a") -> Any:
    return ev.PaymentReviewed(*fields("review p", at), debtor, approved, "me", "")


def refused(payment: str | None = "p", at: int = NOON) -> Any:
    about = ("payment_initiated", "a", payment, "exists")
    return ev.CommandRefused(*fields("refuse", at)[:5], *about)


def tick(at: int) -> Any:
    """Return what the ledger says of an account: only the clock goes on."""
    return refused(None, at)


def test_every_step_of_a_payment_has_its_state_its_times_and_its_cause() -> None:
    branch = Branch()
    for number, event in enumerate((screened(), said(ev.PaymentReserved), said(ev.PaymentSettled))):
        assert branch.apply(event, recorded_at=NOON + number) == []
    steps = [(step.name, step.state, step.code, step.recorded_at - NOON) for step in branch.life().steps]
    assert steps == [
        ("payment_screened", "SCREENED", "approve", 0),
        ("payment_reserved", "RESERVED", "ok", 1),
        ("payment_settled", "SETTLED", "ok", 2),
    ]
    first, second, _ = branch.life().steps
    assert (first.event_id, first.causation_id) == ("screen p", "pay p")
    assert (second.event_id, second.causation_id) == ("PaymentReserved p", "decide p")
    assert {step.correlation_id for step in branch.life().steps} == {"correlation"}


@pytest.mark.parametrize(
    ("events", "states"),
    [
        ([said(ev.PaymentRejected, code="declined")], ["REJECTED"]),
        ([said(ev.PaymentReserved), said(ev.PaymentSettled)], ["HELD", "SETTLED"]),
        ([said(ev.PaymentReserved), reviewed(), said(ev.PaymentSettled)], ["HELD", "RESERVED", "SETTLED"]),
        ([reviewed(), said(ev.PaymentReserved)], ["SCREENED", "RESERVED"]),
        (
            [said(ev.PaymentReserved), reviewed(False), said(ev.PaymentRejected)],
            ["HELD", "RESERVED", "REJECTED"],
        ),
        ([said(ev.PaymentReserved), said(ev.PaymentCancelledOutcome)], ["HELD", "CANCELLED"]),
        ([said(ev.PaymentReserved), reviewed(), reviewed()], ["HELD", "RESERVED"]),
        ([said(ev.PaymentReserved), reviewed(debtor="other")], ["HELD"]),
        ([said(ev.PaymentRejected), reviewed()], ["REJECTED"]),
    ],
)
def test_a_payment_that_was_screened_for_a_review_is_held_until_it_is_reviewed(
    events: list[Any], states: list[str]
) -> None:
    branch = Branch()
    for event in (screened(outcome="REVIEW"), *events):
        branch.apply(event)
    assert [step.state for step in branch.life().steps] == ["SCREENED", *states]


def test_an_authorised_payment_waits_for_its_captures_until_its_end() -> None:
    branch = Branch()
    held = msgspec.structs.replace(screened(), hold_expires_at=NOON + 5 * HOUR)
    for event in (held, said(ev.PaymentReserved), tick(NOON + 5 * HOUR)):
        assert branch.apply(event) == []
    assert branch.life().state == "AUTHORISED"
    head = fields("extend", NOON + 5 * HOUR)
    branch.apply(ev.PaymentExtendedOutcome(*head, "a", "b", 5, "EUR", NOON + 8 * HOUR, "ok"))
    capture = ev.PaymentCapturedOutcome(*fields("capture", NOON), "a", "b", 2, "EUR", "c1", 2, 3, "ok")
    branch.apply(capture)
    assert branch.life().state == "AUTHORISED"
    assert branch.apply(tick(NOON + 9 * HOUR - 1)) == []
    (stuck,) = branch.apply(tick(NOON + 9 * HOUR))
    assert stuck.waiting_for == "capture", "the ledger should have released it"
    branch.apply(msgspec.structs.replace(capture, event_id="last", capture_id="c2", held_minor=0))
    assert (branch.life().state, branch.waits()) == ("SETTLED", [])


def test_what_comes_again_is_counted_and_the_row_does_not_grow() -> None:
    branch = Branch()
    for event in (screened(), said(ev.PaymentReserved), said(ev.PaymentSettled)):
        branch.apply(event)
    before = branch.life()
    for _ in range(100):
        branch.apply(screened(amount=7))
        branch.apply(refused())
    assert branch.life().refused == 100
    branch.apply(refused("unknown"))
    before.refused, before.screened_again_at = 100, NOON
    assert branch.life() == before and set(branch.rows.data) == {life_key("t", "p"), b"w", b"e"}


@pytest.mark.parametrize("code", ["too_old", "not_yet"])
def test_an_id_that_the_ledger_does_not_remember_begins_a_new_life(code: str) -> None:
    branch = Branch()
    refused = said(ev.PaymentRejected, code=code)
    for event in (screened(), refused, refused):
        branch.apply(event)
    assert (branch.life().state, branch.life().refused, len(branch.life().steps)) == ("REJECTED", 1, 2)
    branch.apply(screened(amount=9))
    assert (branch.life().amount_minor, [step.state for step in branch.life().steps]) == (9, ["SCREENED"])


@pytest.mark.parametrize("code", ["too_old", "not_yet"])
def test_a_repeat_refused_by_its_time_leaves_the_life_of_a_settled_payment_as_it_is(code: str) -> None:
    branch = Branch()
    for event in (screened(), said(ev.PaymentReserved), said(ev.PaymentSettled), screened()):
        branch.apply(event)
    branch.apply(said(ev.PaymentRejected, code=code))
    assert (branch.life().state, branch.life().refused, len(branch.life().steps)) == ("SETTLED", 1, 3)


@pytest.mark.parametrize("days", [400, 401])
def test_a_repeat_refused_by_its_time_is_a_payment_of_its_own_once_the_first_life_is_over(days: int) -> None:
    branch, later = Branch(), NOON + days * 24 * HOUR
    for event in (screened(), said(ev.PaymentReserved), said(ev.PaymentSettled)):
        branch.apply(event)
    branch.apply(tick(later), recorded_at=later)
    branch.apply(screened(amount=9), recorded_at=later)
    branch.apply(said(ev.PaymentRejected, code="too_old", amount=9), recorded_at=later)
    life = branch.life()
    if days == 400:
        assert (life.state, life.amount_minor, life.refused, len(life.steps)) == ("SETTLED", 5, 1, 3)
    else:
        assert (life.state, life.amount_minor, life.refused, len(life.steps)) == ("REJECTED", 9, 0, 2)
        assert life.is_forgotten


def test_what_the_ledger_says_of_a_payment_that_was_never_screened_begins_its_life() -> None:
    branch = Branch()
    branch.apply(said(ev.PaymentReserved))
    assert (branch.life().state, branch.life().debtor_account_id) == ("RESERVED", "a")


MOVES = [ev.PaymentReserved, ev.PaymentSettled, ev.PaymentCapturedOutcome]


def moved(kind: type, at: int = NOON) -> Any:
    if kind is ev.PaymentCapturedOutcome:
        return kind(*fields("capture p", at, "p", "forged"), "a", "b", 5, "EUR", "c1", 5, 0, "ok")
    return said(kind, at)


@pytest.mark.parametrize("kind", MOVES)
def test_a_payment_that_moves_money_unscreened_breaks_an_invariant_once(kind: type) -> None:
    branch = Branch()
    assert branch.apply(moved(kind)) == []
    (broken,) = branch.broken
    assert (broken.invariant, broken.account_id, broken.currency) == ("settled_unscreened", "a", "EUR")
    assert (broken.topic, broken.causation_id) == ("payment-events", moved(kind).event_id)
    assert "payment p, 5 minor units" in broken.found
    branch.apply(said(ev.PaymentSettled))
    branch.apply(screened(outcome="APPROVE"))
    branch.apply(said(ev.PaymentSettled))
    assert branch.broken == [broken]


@pytest.mark.parametrize("kind", MOVES)
@pytest.mark.parametrize("outcome", ["APPROVE", "REVIEW", "DECLINE"])
def test_a_screening_that_lets_a_payment_through_must_stand_before_it(kind: type, outcome: str) -> None:
    branch = Branch()
    branch.apply(screened(outcome=outcome))
    branch.apply(moved(kind))
    assert len(branch.broken) == (outcome == "DECLINE")


@pytest.mark.parametrize("kind", sorted(STATES.keys() - {*MOVES}, key=str))
def test_an_answer_that_moves_no_money_needs_no_screening(kind: type) -> None:
    branch = Branch()
    rest = (NOON,) if kind is ev.PaymentExtendedOutcome else ()
    branch.apply(kind(*fields("e", NOON), "a", "b", 5, "EUR", *rest, "ok"))
    assert branch.broken == []


def test_a_repeat_that_was_screened_before_the_first_one_was_too_old_is_screened() -> None:
    branch = Branch()
    for event in (screened(), screened(amount=9), said(ev.PaymentRejected, code="too_old")):
        branch.apply(event)
    branch.apply(said(ev.PaymentReserved, amount=9))
    branch.apply(screened(outcome="DECLINE", payment="q"))
    branch.apply(screened(payment="q"))
    branch.apply(said(ev.PaymentSettled, payment="q"))
    assert branch.broken == []


def test_a_payment_of_an_earlier_version_breaks_nothing_and_a_declined_one_does() -> None:
    for outcome, screening, count in (("APPROVE", 1, 0), ("DECLINE", 0, 1), (None, 2, 0)):
        branch = Branch()
        branch.apply(said(ev.PaymentReserved) if outcome is None else screened(outcome=outcome))
        branch.broken.clear()
        key = life_key("t", "p")
        fields_now = msgspec.msgpack.decode(branch.rows.data[key][1:])
        branch.rows.data[key] = b"\1" + msgspec.msgpack.encode(fields_now[:-4])
        assert branch.life().screened == screening
        branch.apply(said(ev.PaymentSettled))
        assert len(branch.broken) == count


def test_a_payment_is_stuck_once_when_the_ledger_has_gone_on_without_it() -> None:
    branch = Branch()
    branch.apply(screened())
    branch.apply(said(ev.PaymentReserved, NOON + MINUTE))
    assert branch.apply(tick(NOON + HOUR)) == [], "it has got on since it was screened"
    (stuck,) = branch.apply(tick(NOON + HOUR + MINUTE))
    assert isinstance(stuck, ev.PaymentStuck)
    assert stuck.event_id == derived_id("t\0a\0p\0PaymentReserved p", "payment_stuck")
    assert (stuck.occurred_at, stuck.progressed_at) == (NOON + HOUR + MINUTE, NOON + MINUTE)
    assert (stuck.causation_id, stuck.waiting_for) == ("PaymentReserved p", "settlement")
    assert branch.rows.get(stuck_key("t", "a", "p")) is not None
    assert branch.apply(tick(NOON + 9 * HOUR)) == []
    (resumed,) = branch.apply(said(ev.PaymentSettled, NOON))
    assert isinstance(resumed, ev.PaymentResumed)
    assert (resumed.stuck_id, resumed.causation_id) == (stuck.event_id, "PaymentSettled p")
    assert set(branch.rows.data) == {life_key("t", "p"), b"w", b"e"}
    assert branch.apply(tick(NOON + 99 * HOUR)) == []


def test_the_fraud_stream_does_not_move_the_clock() -> None:
    branch = Branch()
    branch.apply(tick(NOON))
    for hours in range(9):
        assert branch.apply(screened(NOON + hours * HOUR, f"p{hours}")) == []
    stuck = [one.payment_id for one in branch.apply(tick(NOON + 4 * HOUR))]
    assert stuck == ["p0", "p1", "p2", "p3"], "those that the ledger has passed by"


def test_a_late_payment_is_not_stuck_at_once_and_a_clock_that_is_ahead_is_not_believed() -> None:
    branch = Branch()
    branch.apply(tick(NOON))
    assert branch.apply(screened(NOON - 50 * HOUR)) == []
    assert branch.apply(tick(NOON + MINUTE)) == []
    assert branch.apply(tick(NOON + 90 * HOUR), recorded_at=NOON + 2 * MINUTE) == []
    assert branch.waits() == [due_key(NOON + HOUR, "t", "p")]


def test_what_waits_for_a_person_may_wait_longer() -> None:
    branch = Branch(LifecycleSettings(stuck_after_s=60, review_after_s=600))
    branch.apply(screened(outcome="REVIEW"))
    branch.apply(said(ev.PaymentReserved))
    assert branch.apply(tick(NOON + 9 * MINUTE)) == []
    (stuck,) = branch.apply(tick(NOON + 10 * MINUTE))
    assert stuck.waiting_for == "review"
    (resumed,) = branch.apply(reviewed())
    assert isinstance(resumed, ev.PaymentResumed)
    (stuck,) = branch.apply(tick(NOON + 11 * MINUTE))
    assert stuck.waiting_for == "settlement", "a second standstill is another one"


def test_many_that_are_due_together_go_with_the_next_events() -> None:
    branch = Branch()
    for number in range(STUCK_MAX + 3):
        branch.apply(screened(NOON, f"p{number:03}"))
    branch.apply(said(ev.PaymentSettled, NOON, "p001"))
    first, second = branch.apply(tick(NOON + 2 * HOUR)), branch.apply(tick(NOON + 2 * HOUR))
    names = [one.payment_id for one in (*first, *second)]
    assert names == [f"p{number:03}" for number in range(STUCK_MAX + 3) if number != 1]
    assert (len(first), len(branch.waits())) == (STUCK_MAX, 0)


def test_the_bounds_are_settings() -> None:
    spec = lifecycle.STREAMS[0].spec(
        Configuration(load_settings(stuck_after_seconds=1, review_after_seconds=2))
    )
    rows, out = MemoryRows(), Outbox()
    for event in (screened(), tick(NOON + 1_000_000)):
        spec.rules.apply(event, Arrival(99 * HOUR, 0, 1), rows, out)
    assert len(out.items) == 1


def test_another_event_is_a_dead_letter() -> None:
    with pytest.raises(Reject, match="unexpected_event"):
        Branch().apply(ev.TradeSettled(*fields("e", 0)[:5], "t", "a", 0))
    with pytest.raises(Reject, match="invalid_id"):
        Branch().apply(screened(payment=""))


def test_every_payment_event_has_its_place_in_a_life() -> None:
    """Whoever adds an event to the log must say here what it makes of a payment."""
    names = {version.record_name for version in schemas.load() if version.topic == "payment-events"}
    known = {kind: name for name, kind in ev.EVENTS.items()}
    taken = {known[kind] for kind in STEP_NAMES} - {"ledgerflow.PaymentReviewed"}
    assert names == taken | {"ledgerflow.CommandRefused", "ledgerflow.CommandProposed"}
    not_of_ledger = {ev.PaymentScheduled, ev.PaymentScreened, ev.PaymentReviewed, ev.ProposalDecided}
    assert set(STATES) == set(STEP_NAMES) - not_of_ledger
