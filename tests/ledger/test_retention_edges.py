"""Edges of what the ledger forgets: ids that begin anew, short windows, upgrades, a run of columns."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel import retention
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.domain.ledger.rows import read_number, taken_key
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.verify.model import retention as model_retention
from pipeline.verify.model.ledger import Branch
from tests.chaos.ledger_town import logs_of
from tests.chaos.side_by_side import first_difference
from tests.kernel.side_by_side import Log, Replay, assert_alike
from tests.ledger.branches import DAY, decided, envelope, opened
from tests.ledger.test_retention import as_log, downgraded
from tests.ledgers.words import account_id

A, B, C = map(account_id, ("A", "B", "C.1"))
MINUTE = 60_000_000
SHORT = LedgerRules(dedupe_window_days=1, reversal_window_days=1)


def said(rules: LedgerRules, rows: MemoryRows, event: Any, at: int, number: int = 0) -> list[Any]:
    """Return what a branch of three says to a command that Kafka has at a time; a text: its dead letter."""
    out = Outbox()
    try:
        Ledger(rules).apply(event, Arrival(at, number, 3), rows, out)
    except Reject as reject:
        return [reject.code]
    return [one for _, _, one in out.items]


def pay(name: str, to: str, at: int, event: str = "", **more: Any) -> Any:
    amount = more.pop("amount_minor", 1)
    return decided(event or f"e{name}{at}", name, A, to, amount, occurred_at=at, **more)


def unpay(name: str, reversal: str, at: int, amount: int | None = None) -> Any:
    about = envelope(f"u{reversal}{at}", at)
    return ev.PaymentReversed(
        **about, payment_id=name, debtor_account_id=A, reversal_id=reversal, amount_minor=amount, reason="why"
    )


def capture(name: str, part: str, at: int, amount: int | None = None) -> Any:
    about = envelope(f"c{part}{at}", at)
    final = amount is None
    return ev.PaymentCaptured(
        **about, payment_id=name, debtor_account_id=A, capture_id=part, amount_minor=amount, final=final
    )


def test_a_repeat_is_never_booked_twice_though_its_time_was_ahead_and_both_windows_are_the_same() -> None:
    """Its id was known until a day after its record, it itself was too old a day after its own time."""
    rows = MemoryRows()
    said(SHORT, rows, opened("o1", A, 100), 0)
    said(SHORT, rows, opened("o2", B), 0)
    first = pay("P", B, 4 * MINUTE, "once")
    assert any(isinstance(one, ev.PaymentSettled) for one in said(SHORT, rows, first, 0))
    for at in range(DAY - 2 * MINUTE, DAY + 10 * MINUTE, MINUTE):
        said(SHORT, rows, pay(f"Q{at}", C, at), at)
        again = said(SHORT, rows, first, at)
        assert not any(isinstance(one, ev.PaymentSettled) for one in again), at


@pytest.mark.parametrize("days", [1, 2])
@pytest.mark.parametrize("longer", [0, 400])
def test_the_leg_of_an_id_that_is_new_again_is_taken_whatever_the_windows_are(days: int, longer: int) -> None:
    """`longer`: the windows of all branches from when the id began anew, in days; 0: as before."""
    rules = LedgerRules(dedupe_window_days=days, reversal_window_days=1)
    home, there, now = MemoryRows(), MemoryRows(), (days + 1) * DAY + MINUTE
    said(rules, home, opened("o1", A, 100), 0)
    said(rules, there, opened("o2", C), 0, 1)
    (leg,) = (one for one in said(rules, home, pay("P", C, 0), 0) if isinstance(one, ev.LegRequested))
    (posted,) = (one for one in said(rules, there, leg, 0, 1) if isinstance(one, ev.LegPosted))
    said(rules, home, posted, 0)
    said(rules, home, pay("Q", B, now), now)
    said(rules, home, unpay("P", "X", now), now)  # it is forgotten
    if longer:
        rules = LedgerRules(reversal_window_days=longer)
    late = pay("P", C, now - days * DAY)
    (leg,) = (one for one in said(rules, home, late, now) if isinstance(one, ev.LegRequested))
    answer = [one for one in said(rules, there, leg, now, 1) if isinstance(one, ev.LegPosted)]
    assert len(answer) == 1, "its home waits for an answer, with the money held"
    assert said(rules, there, leg, now, 1) == ["leg_exists"]


@pytest.mark.parametrize("ends_at", [0, 5 * MINUTE])
def test_what_was_reversed_before_an_upgrade_is_forgotten_with_its_payment(ends_at: int) -> None:
    """Otherwise less of the next payment of that id could be reversed."""
    rows = MemoryRows()
    said(SHORT, rows, opened("o1", A, 100), 0)
    said(SHORT, rows, opened("o2", B), 0)
    said(SHORT, rows, pay("P", B, 0, amount_minor=10, hold_expires_at=DAY // 2), 0)
    said(SHORT, rows, capture("P", "C1", 0, 4), 0)
    said(SHORT, rows, unpay("P", "R1", 0, 4), 0)
    assert read_number(rows, taken_key("acme", "P")) == 4
    rows.data = downgraded(rows.data)
    if ends_at:
        said(SHORT, rows, pay("Q1", B, ends_at), ends_at)  # the walk comes by while it is held
    said(SHORT, rows, capture("P", "C2", ends_at), ends_at)
    said(SHORT, rows, pay("Q2", B, 3 * DAY), 3 * DAY)
    said(SHORT, rows, pay("P", B, 3 * DAY), 3 * DAY)
    (reversed_,) = (one for one in said(SHORT, rows, unpay("P", "R2", 3 * DAY, 1), 3 * DAY)
                    if isinstance(one, ev.JournalUpdated | ev.CommandRefused))  # fmt: skip
    assert getattr(reversed_, "state", None) == "POSTED", reversed_


@pytest.mark.parametrize("first", ["REVIEW", "APPROVE"])
def test_columns_look_at_rows_as_they_were_when_a_bucket_went(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id that is new again within a run stands in a bucket from before, which goes earlier in the run."""
    monkeypatch.setattr(retention, "BUCKET_KEYS", 2)
    rules = LedgerRules(dedupe_window_days=1, reversal_window_days=2)
    late = 5 * DAY
    batches: list[Log] = [
        [(opened("o1", A, 100), 0), (opened("o2", B), 0), (pay("P", B, 0), 0), (pay("Q", B, 0), 0)],
        [(pay("R", B, late), late), (unpay("P", "X", late), late)],
    ]
    if first == "REVIEW":
        batches.append([(pay("P", B, late, outcome="REVIEW"), late)])
        review = ev.PaymentReviewed(
            **envelope("v", late),
            payment_id="P",
            debtor_account_id=A,
            approved=True,
            reviewer="x",
            reason="why",
        )
        batches.append([(pay("S", B, late), late), (review, late)])
    else:
        batches.append([(pay("S", B, late), late), (pay("P", B, late), late)])
    by_rows, by_columns = (Replay(Ledger(rules), 0, 3) for _ in range(2))
    for log in batches:
        by_rows.by_rows(log)
        by_columns.by_columns(LedgerBatch(rules), log)
    assert by_columns.in_columns >= 5
    assert by_rows.rows.data == by_columns.rows.data


@pytest.mark.parametrize(("seed", "days"), [(11, 1), (12, 2)])
def test_model_rows_and_columns_agree_where_the_windows_are_alike(
    seed: int, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no payment waits for a leg that nobody answers."""
    monkeypatch.setattr(retention, "BUCKET_KEYS", 2)
    monkeypatch.setattr(model_retention, "BUCKET", 2)
    monkeypatch.setattr("tests.chaos.ledger_traffic.MINUTE_US", 15 * MINUTE)
    rules = LedgerRules(dedupe_window_days=days, reversal_window_days=days)

    def models() -> list[Branch]:
        return [Branch(number, 2, window_days=days, keep_days=days + 1) for number in range(2)]

    played = models()
    logs = logs_of(played, seed, 1200)
    for number, records in enumerate(logs):
        assert first_difference(models()[number], Ledger(rules), records) is None
        log = as_log(records)
        replay = assert_alike(Ledger(rules), LedgerBatch(rules), log, list(range(5, len(log), 30)), number, 2)
        assert replay.in_columns and not {"leg_exists", "legs_exist"} & {*map(str, replay.rejected)}
        assert played[number].past.gone > 5
        assert not [one for one in played[number].payments.values() if one.state == "IN_FLIGHT"]
