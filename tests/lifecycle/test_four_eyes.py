"""A review that needs a second person is a payment's step when that person has approved it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.lifecycle.batch import LifecycleBatch
from pipeline.domain.lifecycle.stream import Lifecycle
from pipeline.domain.tenants.settings import parse_tenants
from tests.kernel.side_by_side import Replay
from tests.lifecycle.test_stream import HOUR, NOON, Branch, fields, reviewed, said, screened

TENANTS = parse_tenants("[tenants.t.four_eyes]\nreviews = { EUR = 5 }")


def proposed(at: int = NOON) -> Any:
    return ev.CommandProposed(
        *fields("proposed", at)[:5], "payment_reviewed", "a", "review p", "hash", at + HOUR, "p"
    )


def decided(outcome: str = "APPROVED", command: str = "payment_reviewed", at: int = NOON) -> Any:
    about = (command, "a", "review p", "hash", outcome, "idp anna", None, "p")
    return ev.ProposalDecided(*fields(f"decided {outcome} {command}", at)[:5], *about)


def held(amount: int = 5) -> list[Any]:
    return [screened(outcome="REVIEW", amount=amount), said(ev.PaymentReserved, amount=amount)]


def branch_of(events: list[Any]) -> Branch:
    branch = Branch()
    branch.stream = Lifecycle(tenants=TENANTS)
    for event in events:
        branch.apply(event)
    return branch


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([reviewed()], "HELD"),
        ([reviewed(), proposed()], "HELD"),
        ([reviewed(), proposed(), decided("REJECTED"), decided("EXPIRED")], "HELD"),
        ([reviewed(), proposed(), decided(command="payment_reversed")], "HELD"),
        ([reviewed(), proposed(), decided()], "RESERVED"),
        ([reviewed(approved=False)], "RESERVED"),
    ],
)
def test_a_payment_is_held_until_two_have_let_it_go_on(events: list[Any], state: str) -> None:
    log = [*held(), *events]
    branch = branch_of(log)
    assert branch.life().state == state
    rows, columns = (Replay(Lifecycle(tenants=TENANTS)) for _ in range(2))
    timed = [(event, 99 * HOUR) for event in log]
    rows.by_rows(timed)
    columns.by_columns(LifecycleBatch(Lifecycle(tenants=TENANTS)), timed)
    assert columns.rows.data == rows.rows.data == branch.rows.data and columns.in_columns


def test_one_person_is_enough_below_the_amount() -> None:
    assert branch_of([*held(4), reviewed()]).life().state == "RESERVED"


def test_a_proposed_review_leaves_the_payment_stuck_for_review_and_its_approval_resumes_it() -> None:
    branch = branch_of([*held(), reviewed(), proposed()])
    (stuck,) = branch.apply(proposed(NOON + 9 * HOUR))
    assert (stuck.waiting_for, stuck.payment_id) == ("review", "p")
    (resumed,) = branch.apply(decided(at=NOON + 9 * HOUR))
    assert resumed.stuck_id == stuck.stuck_id if hasattr(stuck, "stuck_id") else resumed.payment_id == "p"
    step = branch.life().steps[-1]
    assert (step.name, step.state, step.code) == ("payment_reviewed", "RESERVED", "approved")
