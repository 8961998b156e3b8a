"""The vector path of the ledger where one command changes what another one of the same run may do.

Every case names a log of one branch. It is applied in one run by columns and by the row path; both must say
the same, and the codes that they say are spelled out.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import derived_ids
from pipeline.domain.kernel.outbox import derived_id
from pipeline.domain.kernel.partitions import partition_of
from tests.ledger.branches import DAY, TENANT, decided, envelope, opened
from tests.ledger.runs import Replay

PARTITIONS = 3
NOW = 200 * DAY
_IDS = [f"account-{number}" for number in range(40)]
ALICE, BOB, CAROL, *_ = [one for one in _IDS if partition_of(f"{TENANT}/{one}", PARTITIONS) == 0]
FAR, *_ = [one for one in _IDS if partition_of(f"{TENANT}/{one}", PARTITIONS) == 1]


def pay(number: int, debtor: str, creditor: str, amount: int, **changes: Any) -> ev.PaymentDecided:
    """Return a payment of now."""
    fields = {"occurred_at": NOW, **changes}
    return decided(
        f"event-{number}", fields.pop("payment_id", f"P{number}"), debtor, creditor, amount, **fields
    )


def about(kind: type, number: int, payment: ev.PaymentDecided, **changes: Any) -> Any:
    """Return a command that is about a payment."""
    names = {*kind.__struct_fields__} & {*payment.__struct_fields__}  # type: ignore[attr-defined]
    own = {name: getattr(payment, name) for name in names}
    return kind(**{**own, **envelope(f"event-{number}", NOW), **changes})


def release(number: int, payment: ev.PaymentDecided) -> ev.PaymentCancelled:
    """Return the cancellation of a payment."""
    return about(ev.PaymentCancelled, number, payment, reason="")  # type: ignore[no-any-return]


HELD = pay(1, ALICE, BOB, 60, outcome="REVIEW")
AWAY = pay(2, ALICE, FAR, 30)
OLD = pay(3, ALICE, BOB, 5, occurred_at=NOW - 91 * DAY)
LEG = ev.LegRequested(
    *envelope("leg-event", NOW).values(), "leg-1", "far-1", ALICE, FAR, ALICE, 50, "EUR", 1, "a leg"
)

CASES: dict[str, tuple[list[Any], list[Any], list[tuple[str, str]]]] = {
    "what a cancelled payment gives back can be spent": (
        [HELD],
        [pay(10, ALICE, BOB, 50), release(11, HELD), pay(12, ALICE, BOB, 100)],
        [("P10", "insufficient_funds"), ("P1", "cancelled"), ("P12", "ok"), ("P12", "ok")],
    ),
    "what comes in can be spent": (
        [],
        [pay(10, ALICE, BOB, 110), pay(11, BOB, ALICE, 10), pay(12, ALICE, BOB, 110)],
        [("P10", "insufficient_funds"), *[("P11", "ok")] * 2, *[("P12", "ok")] * 2],
    ),
    "what a leg brings can be spent": (
        [],
        [pay(10, ALICE, BOB, 150), LEG, pay(11, ALICE, BOB, 150), pay(12, ALICE, BOB, 1)],
        [("P10", "insufficient_funds"), *[("P11", "ok")] * 2, ("P12", "insufficient_funds")],
    ),
    "what a review keeps cannot be spent": (
        [],
        [pay(10, ALICE, BOB, 100, outcome="REVIEW"), pay(11, ALICE, BOB, 1)],
        [("P10", "ok"), ("P11", "insufficient_funds")],
    ),
    "a leg that is refused gives its hold back": (
        [AWAY],
        [
            pay(10, ALICE, BOB, 80),
            about(ev.LegRefused, 11, AWAY, leg_id="leg", code="creditor_closed"),
            pay(12, ALICE, BOB, 100),
        ],
        [("P10", "insufficient_funds"), ("P2", "creditor_closed"), *[("P12", "ok")] * 2],
    ),
    "a refused payment keeps its id": (
        [],
        [pay(10, ALICE, BOB, 101), pay(11, ALICE, BOB, 10, payment_id="P10")],
        [("P10", "insufficient_funds"), ("P10", "exists_with_different_amount")],
    ),
    "a payment that is too old does not keep its id": (
        [pay(9, BOB, ALICE, 1)],
        [OLD, pay(10, ALICE, BOB, 5, payment_id="P3"), pay(11, ALICE, BOB, 5, payment_id="P3")],
        [("P3", "too_old"), ("P3", "ok"), ("P3", "ok"), ("P3", "exists")],
    ),
    "a review before its payment does not take the id": (
        [],
        [
            about(ev.PaymentReviewed, 10, HELD, approved=True, reviewer="", reason=""),
            HELD,
            pay(11, ALICE, BOB, 60, payment_id="P1"),
            about(ev.PaymentReviewed, 12, HELD, approved=True, reviewer="", reason=""),
        ],
        [("P1", "payment_not_found"), ("P1", "ok"), ("P1", "exists"), ("P1", "ok")],
    ),
    "an answer in the run of its payment settles it": (
        [],
        [AWAY, about(ev.LegPosted, 10, AWAY, leg_id="leg"), pay(11, ALICE, BOB, 71)],
        [("P2", "ok"), ("P2", "ok"), ("P11", "insufficient_funds")],
    ),
    "a limit that changes in the middle counts from there": (
        [],
        [
            pay(10, ALICE, BOB, 110),
            ev.AccountLimitSet(**envelope("limit", NOW), account_id=ALICE, overdraft_limit_minor=10),
            pay(11, ALICE, BOB, 110),
        ],
        [("P10", "insufficient_funds"), *[("P11", "ok")] * 2],
    ),
}


def _replay(setup: list[Any], log: list[Any], by_columns: bool) -> Replay:
    replay = Replay(0, PARTITIONS)
    accounts = [opened(f"open-{one}", one, 100) for one in (ALICE, BOB)]
    for event in [
        *accounts,
        msgspec.structs.replace(opened("open", CAROL, 0), account_type="nostro"),
        *setup,
    ]:
        replay.apply_row(event, NOW)
    replay.said.clear()
    if by_columns:
        replay.apply([(event, NOW) for event in log])
    else:
        for event in log:
            replay.apply_row(event, NOW)
    return replay


@pytest.mark.parametrize(("setup", "log", "codes"), CASES.values(), ids=CASES)
def test_in_one_run(setup: list[Any], log: list[Any], codes: list[tuple[str, str]]) -> None:
    columns, rows = _replay(setup, log, True), _replay(setup, log, False)
    assert [(event.payment_id, event.code) for _, event in columns.said["payment-events"]] == codes
    assert columns.said == rows.said
    assert columns.balances == rows.balances
    assert columns.rows.data == rows.rows.data
    assert columns.in_columns > 0


def test_a_nostro_account_tells_reconciliation() -> None:
    columns = _replay([], [pay(10, ALICE, CAROL, 7)], True)
    (item,) = columns.said["reconciliation-items"]
    assert item == columns.said["postings"][1]


def test_derived_ids_are_those_of_the_row_path() -> None:
    pairs = [("cause", "name"), ("", ""), ("é", "leg_answer"), *((f"event-{n}", "settle") for n in range(64))]
    causes, names = (pa.array(column) for column in zip(*pairs, strict=True))
    assert derived_ids(causes, names).to_pylist() == [derived_id(cause, name) for cause, name in pairs]
    assert derived_ids(causes, "one").to_pylist() == [derived_id(cause, "one") for cause, _ in pairs]
    assert derived_ids(pa.array([], pa.string()), "one").to_pylist() == []
