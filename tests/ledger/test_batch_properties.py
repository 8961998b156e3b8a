"""The batch path of the ledger says and leaves what the row path does, whatever the log and its batches."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.verify.model.ledger import Branch as TownBranch
from tests.chaos.ledger_town import logs_of
from tests.examples import examples
from tests.kernel.side_by_side import Log, assert_alike, at_home
from tests.kernel.signed import signed
from tests.ledger.branches import DAY, Branches, decided, envelope, opened
from tests.ledger.test_properties import COUNT, Put, Step, edge_schedules, few_schedules

TENANTS = ["acme", "north"]
_IDS = [f"account-{number}" for number in range(40)]
_HOME = {
    tenant: [one for one in _IDS if partition_of(f"{tenant}/{one}", COUNT) == 0][:4] for tenant in TENANTS
}
_AWAY = {
    tenant: [one for one in _IDS if partition_of(f"{tenant}/{one}", COUNT) == 1][:2] for tenant in TENANTS
}


def _played(schedule: list[Any]) -> Branches:
    """Return the branches after a schedule, every leg delivered, by the row path."""
    ledger = Branches(COUNT)
    for action in schedule:
        if isinstance(action, Put):
            ledger.recorded_at = action.recorded_at
            ledger.put(signed(action.event))
        elif ledger.branches[action.branch].waiting:
            if not isinstance(action, Step):  # a leg that comes twice
                ledger.branches[action.branch].waiting.append(ledger.branches[action.branch].waiting[0])
            ledger.step(action.branch)
    ledger.deliver()
    return ledger


def _check(log: Log, partition: int, cuts: list[int], partitions: int = COUNT) -> int:
    """Assert that a branch's log gives the same by rows and by batches; return how many went by columns."""
    home = at_home(log, partition, partitions)
    if len(cuts) % 2:
        strict = LedgerRules(backdating="refuse")
        assert_alike(Ledger(strict), LedgerBatch(strict), home, cuts, partition, partitions)
    return assert_alike(Ledger(), LedgerBatch(), home, cuts, partition, partitions).in_columns


_cuts = st.lists(st.integers(0, 60), max_size=4).map(sorted)


@examples(65)
@given(st.one_of(few_schedules, edge_schedules), _cuts)
def test_batches_and_rows_agree_on_schedules_of_branches(schedule: list[Any], cuts: list[int]) -> None:
    for partition, branch in enumerate(_played(schedule).branches):
        _check(branch.log, partition, cuts)


@st.composite
def _payments(draw: st.DrawFn, number: int, ids: st.SearchStrategy[str]) -> ev.PaymentDecided:
    tenant = draw(st.sampled_from(["acme", "acme", "acme", "north"]))
    creditors = [*_HOME[tenant], *_AWAY[tenant], "account-none"]
    return decided(
        f"event-{number}",
        draw(ids),
        draw(st.sampled_from(_HOME[tenant])),
        draw(st.sampled_from(creditors)),
        draw(st.sampled_from([*range(1, 40), 0, -1, 2**50])),
        tenant_id=tenant,
        occurred_at=draw(st.sampled_from([200 * DAY] * 9 + [201 * DAY, 100 * DAY])),
        outcome=draw(st.sampled_from(["APPROVE"] * 6 + ["REVIEW"] * 3 + ["DECLINE"])),
        currency=draw(st.sampled_from(["EUR"] * 15 + ["USD", "EURO"])),
        payment_type=draw(st.sampled_from(["transfer"] * 5 + ["deposit"])),
        reference=draw(st.sampled_from(["rent"] * 5 + ["food"])),
        hold_expires_at=draw(st.sampled_from([None] * 9 + [200 * DAY, 200 * DAY + DAY // 2, 300 * DAY])),
        balancing=draw(st.sampled_from([None] * 9 + [False, True])),
        hold=draw(st.sampled_from([None] * 9 + [False, True])),
        expected_sequence=draw(st.sampled_from([None] * 9 + [1, 2])),
        creditor_currency=draw(st.sampled_from([None] * 9 + ["EUR", "USD", "JPY"])),
        rate_e8=draw(st.sampled_from([None] * 9 + [110_000_000, 0])),
    )


@st.composite
def _legs(draw: st.DrawFn, number: int) -> ev.LegRequested:
    tenant = draw(st.sampled_from(TENANTS))
    creditor = draw(st.sampled_from(_HOME[tenant]))
    return ev.LegRequested(
        *envelope(f"event-{number}", 200 * DAY, tenant).values(),
        *(draw(st.sampled_from([f"leg-{number}"] * 9 + ["leg-0"])), f"far-{number}", creditor),
        *(_AWAY[tenant][0], creditor, draw(st.integers(1, 40)), draw(st.sampled_from(["EUR"] * 9 + ["USD"]))),
        *(1, f"leg of {number}"),
    )


@st.composite
def _about(draw: st.DrawFn, number: int, payment: ev.PaymentDecided) -> Any:
    """Return what can come for a payment after its decision, at the right time or not."""
    fields = {**envelope(f"event-{number}", 200 * DAY, payment.tenant_id), "payment_id": payment.payment_id}
    debtor = draw(st.sampled_from([payment.debtor_account_id] * 9 + _HOME[payment.tenant_id][:1]))
    kinds = ["reviewed", "reviewed", "cancelled", "posted", "posted", "refused", "captured", "reversed"]
    kind = draw(st.sampled_from(kinds))
    if kind == "captured":
        amount = draw(st.sampled_from([None, 1, payment.amount_minor]))
        return ev.PaymentCaptured(
            **fields,
            debtor_account_id=debtor,
            capture_id=f"C{number}",
            amount_minor=amount,
            final=amount == 1,
        )
    if kind == "reversed":
        return ev.PaymentReversed(
            **fields, debtor_account_id=debtor, reversal_id=f"R{number}", amount_minor=None, reason=""
        )
    if kind == "cancelled":
        return ev.PaymentCancelled(**fields, debtor_account_id=debtor, reason="")
    if kind == "reviewed":
        approved = draw(st.sampled_from([True, True, False]))
        return ev.PaymentReviewed(
            **fields, debtor_account_id=debtor, approved=approved, reviewer="", reason=""
        )
    leg = {
        **fields,
        "leg_id": "leg",
        "debtor_account_id": debtor,
        "creditor_account_id": payment.creditor_account_id,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
    }
    return ev.LegPosted(**leg) if kind == "posted" else ev.LegRefused(**leg, code="creditor_closed")


@st.composite
def _of_accounts(draw: st.DrawFn, number: int) -> Any:
    """Return what leaves its mark on rows that the batch path reads: limits, freezing, periods, journals."""
    tenant = draw(st.sampled_from(TENANTS))
    fields = envelope(f"event-{number}", 200 * DAY, tenant)
    account = draw(st.sampled_from(_HOME[tenant]))
    kind = draw(st.sampled_from(["limit", "limit", "freeze", "unfreeze", "period", "journal"]))
    if kind == "limit":
        least = draw(st.sampled_from([None, None, 5]))
        return ev.AccountLimitSet(
            **fields,
            account_id=account,
            overdraft_limit_minor=0 if least else draw(st.sampled_from([0, 20, None])),
            minimum_balance_minor=least,
            maximum_balance_minor=draw(st.sampled_from([None, None, 100])),
            effective_at=draw(st.sampled_from([None, 200 * DAY + DAY // 2])),
        )
    if kind == "period":
        return ev.PeriodClosed(
            **fields, period_id=f"{number}", closed_through=draw(st.sampled_from([150, 200])) * DAY
        )
    if kind == "journal":
        other = draw(st.sampled_from([*_HOME[tenant], *_AWAY[tenant]]))
        legs = tuple(
            ev.JournalLeg(place, 0, one, side, 7, "EUR")
            for place, (one, side) in enumerate([(account, "DEBIT"), (other, "CREDIT")])
        )
        ends = draw(st.sampled_from([None, 200 * DAY + DAY // 2]))
        return ev.JournalSubmitted(
            *fields.values(), f"J{number}", account, legs, "", None, None, "NEXT_PERIOD", ends
        )
    side = draw(st.sampled_from(["DEBIT", "CREDIT"]))
    if kind == "unfreeze":
        return ev.AccountUnfrozen(**fields, account_id=account, side=side, reason="")
    until = draw(st.sampled_from([None, 200 * DAY + DAY // 2]))
    return ev.AccountFrozen(**fields, account_id=account, side=side, reason="", until=until)


@st.composite
def _links(draw: st.DrawFn, number: int, known: list[str]) -> Any:
    """Return linked payments, or a review of a payment that says that it is in a link."""
    tenant = draw(st.sampled_from(TENANTS))
    fields, debtor = envelope(f"event-{number}", 200 * DAY, tenant), _HOME[tenant][0]
    if draw(st.integers(0, 3)) == 0:
        payment_id = draw(st.sampled_from(known or ["P0"]))
        own = {"payment_id": payment_id, "debtor_account_id": debtor, "link_id": f"L{number - 1}"}
        return ev.PaymentReviewed(**fields, **own, approved=True, reviewer="", reason="")
    ids = st.sampled_from([f"P{number + 1}", *known[-2:], f"P{number}"])
    creditors = st.sampled_from([*_HOME[tenant], *_AWAY[tenant]])
    payments = tuple(
        ev.DecidedPayment(
            draw(ids), draw(creditors), draw(st.integers(1, 9)), "EUR", "transfer", "rent",
            *(None, None, None, None), draw(st.sampled_from(["APPROVE", "APPROVE", "REVIEW"])), 0, (),
        )
        for _ in range(draw(st.integers(1, 2)))
    )  # fmt: skip
    link = {
        "link_id": f"L{number}",
        "debtor_account_id": debtor,
        "payments": payments,
        "rules_version": "test",
    }
    return ev.PaymentsLinkDecided(**fields, **link)


@st.composite
def _logs(draw: st.DrawFn) -> tuple[list[tuple[Any, int]], list[int]]:
    """Return a log of one branch with busy accounts, and where it is cut into batches."""
    log: list[Any] = []
    for tenant in TENANTS:
        for number, account_id in enumerate(_HOME[tenant]):
            account = opened(f"open-{tenant}-{number}", account_id, draw(st.integers(-10, 120)))
            changes = {
                "overdraft_limit_minor": draw(st.sampled_from([0, 0, 0, 10, None])),
                "account_type": draw(st.sampled_from(["checking", "checking", "nostro"])),
                "currency": draw(st.sampled_from(["EUR"] * 9 + ["USD"])),
                "tenant_id": tenant,
            }
            log.append(type(account)(**{name: changes.get(name, getattr(account, name))
                                        for name in type(account).__struct_fields__}))  # fmt: skip
    if draw(st.booleans()):
        closed = {**envelope("close"), "account_id": _HOME["acme"][3], "reason": "fraud"}
        log.append(ev.AccountClosed(**closed, regulatory_notification_sent=True))
    cuts = [len(log)]
    payments: list[ev.PaymentDecided] = []
    for length in (draw(st.integers(0, 12)), draw(st.integers(1, 40))):
        for _ in range(length):
            number = len(log)
            known = [payment.payment_id for payment in payments]
            ids = st.sampled_from([f"P{number}"] * 8 + (known[-3:] or [f"P{number}"]))
            what = draw(st.sampled_from(["pay"] * 8 + ["leg"] * 4 + ["about"] * 6 + ["account", "link"]))
            if what == "pay" or (what == "about" and not payments):
                payments.append(draw(_payments(number, ids)))
                log.append(payments[-1])
            elif what == "leg":
                log.append(draw(_legs(number)))
            elif what == "link":
                log.append(draw(_links(number, known)))
            elif what == "account":
                log.append(draw(_of_accounts(number)))
            else:
                log.append(draw(_about(number, draw(st.sampled_from(payments)))))
        cuts.append(len(log))
    return [(signed(event), 200 * DAY + place) for place, event in enumerate(log)], cuts


@examples(50)
@given(_logs())
def test_batches_and_rows_agree_on_one_busy_branch(drawn: tuple[list[tuple[Any, int]], list[int]]) -> None:
    log, cuts = drawn
    _check(log, 0, cuts)


@pytest.mark.parametrize("seed", [0, 1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("others", [100, 1])
def test_batches_and_rows_agree_on_random_traffic_over_all_commands(
    seed: int, others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`others`: how much of what is due a command ends beside its own, so that more or less of it waits."""
    monkeypatch.setattr("pipeline.domain.ledger.stream.OTHERS_MAX", others)
    monkeypatch.setattr("pipeline.verify.model.ledger_due.OTHERS_MAX", others)
    chance = Random(seed)
    for number, records in enumerate(logs_of([TownBranch(one, 3) for one in range(3)], seed, 1200)):
        kinds = [ev.EVENTS[f"ledgerflow.{record.event}"] for record in records]
        log = [
            (msgspec.convert(record.fields, kind), record.timestamp_ms * 1000)
            for record, kind in zip(records, kinds, strict=True)
        ]
        cuts = sorted(chance.choices(range(len(records)), k=len(records) // 40))
        assert _check(log, number, cuts, partitions=3) > 0, "nothing went by columns"
