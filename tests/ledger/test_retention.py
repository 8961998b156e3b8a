"""The ledger's rows go when both windows are over, and the moment of it decides nothing."""

from __future__ import annotations

from typing import Any
from unittest import mock

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel import retention
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.domain.ledger.journals import ENDED_STATES as ENDED_JOURNALS
from pipeline.domain.ledger.journals import unpack_branch_legs, unpack_journal
from pipeline.domain.ledger.links import OPEN_STATES, unpack_link
from pipeline.domain.ledger.rows import ENDED_STATES, unpack_payment
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.verify.model import retention as model_retention
from pipeline.verify.model.ledger import Branch
from pipeline.verify.model.record import Record
from tests.chaos.ledger_town import logs_of
from tests.chaos.side_by_side import first_difference
from tests.kernel.side_by_side import Log, Replay, assert_alike
from tests.ledger.branches import DAY, decided, opened
from tests.ledgers.words import account_id

RULES = LedgerRules(dedupe_window_days=1, reversal_window_days=2)
KEPT = b"pjklg"
"""The families of the rows that come with the traffic; others go with them."""


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a bucket be full with three keys, and random traffic go on for weeks."""
    monkeypatch.setattr(retention, "BUCKET_KEYS", 3)
    monkeypatch.setattr(model_retention, "BUCKET", 3)
    monkeypatch.setattr("tests.chaos.ledger_traffic.MINUTE_US", 600_000_000)


def model(number: int, partitions: int) -> Branch:
    return Branch(number, partitions, window_days=1, keep_days=2)


def traffic(seed: int, partitions: int, count: int = 1500) -> list[list[Record]]:
    """Return the logs of the branches of a ledger that forgets soon."""
    return logs_of([model(number, partitions) for number in range(partitions)], seed, count)


def as_log(records: list[Record]) -> Log:
    kinds = [ev.EVENTS[f"ledgerflow.{one.event}"] for one in records]
    fields = [(one.fields, one.timestamp_ms * 1000) for one in records]
    return [(msgspec.convert(what, kind), at) for kind, (what, at) in zip(kinds, fields, strict=True)]


@pytest.mark.parametrize(("seed", "partitions"), [(1, 1), (2, 2), (3, 3)])
def test_model_and_product_forget_the_same(seed: int, partitions: int) -> None:
    for number, log in enumerate(traffic(seed, partitions)):
        kept = model(number, partitions)
        assert first_difference(kept, Ledger(RULES), log) is None
        assert kept.past.gone > 5
        assert partitions == 1 or any(past.gone for past in kept.told.values())


@pytest.mark.parametrize(("seed", "partitions"), [(4, 1), (5, 3)])
def test_what_is_said_is_the_same_whenever_rows_are_deleted(seed: int, partitions: int) -> None:
    for number, records in enumerate(traffic(seed, partitions)):
        one, never = (Replay(Ledger(RULES), number, partitions) for _ in range(2))
        one.by_rows(as_log(records))
        with mock.patch.object(retention, "SWEPT_MAX", 0):
            never.by_rows(as_log(records))
        assert (one.said, one.latest, one.rejected) == (never.said, never.latest, never.rejected)
        assert counted(one.rows.data) < counted(never.rows.data)


@pytest.mark.parametrize(("seed", "partitions"), [(6, 1), (7, 3)])
def test_batches_and_rows_forget_the_same(seed: int, partitions: int) -> None:
    for number, records in enumerate(traffic(seed, partitions)):
        cuts = list(range(7, len(records), 40))
        place = number, partitions
        assert assert_alike(Ledger(RULES), LedgerBatch(RULES), as_log(records), cuts, *place).in_columns


def counted(rows: dict[bytes, bytes]) -> int:
    """Return how many rows come with the traffic."""
    return sum(key[:1] in KEPT for key in rows)


# --- many payments, without anything else


def paid(days: int, rate: int, rules: LedgerRules, rows: MemoryRows) -> None:
    """Pay from A to B and to C on another branch, in turn, `rate` times a day, by columns."""
    step, (a, b, c) = DAY // rate, map(account_id, ("A", "B", "C.1"))
    log: Log = [(opened("o1", a, 10**9), 0), (opened("o2", b), 0)]
    for number in range(days * rate):
        at = number * step
        log.append((decided(f"e{number}", f"P{number}", a, (b, c)[number % 2], 1, occurred_at=at), at))
    replay = Replay(Ledger(rules), 0, 3)
    replay.rows = rows
    for start in range(0, len(log), 100):
        replay.by_columns(LedgerBatch(rules), log[start : start + 100])


# --- rows of the version before


def downgraded(rows: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return rows as they are read that an earlier version has written: without when they have ended."""
    found = {}
    for key, row in rows.items():
        family = key[:1]
        if family in b"mzW":
            continue
        if family in b"pjg":
            *fields, _, _ = msgspec.msgpack.decode(row[1:])
            row = bytes([row[0] - 1]) + msgspec.msgpack.encode(fields)
        elif family == b"k":
            *fields, _ = msgspec.msgpack.decode(row[1:])
            row = b"\1" + msgspec.msgpack.encode(fields)
        elif family == b"l":
            row = b"\1"
        found[key] = row
    return found


def ended(key: bytes, row: bytes) -> bool:
    if key[:1] == b"p":
        return unpack_payment(row).state in ENDED_STATES
    if key[:1] == b"j":
        return unpack_journal(row).state in ENDED_JOURNALS
    if key[:1] == b"k":
        return unpack_link(row).state not in OPEN_STATES
    return key[:1] == b"l" or (key[:1] == b"g" and unpack_branch_legs(row).state != "HELD")


@pytest.mark.parametrize("partitions", [1, 3])
def test_rows_of_the_version_before_go_too(partitions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.domain.ledger.walk.STEP_ROWS", 20)
    for number, records in enumerate(traffic(8, partitions, 3000)):
        log, half = as_log(records), len(records) // 3
        before = Replay(Ledger(RULES), number, partitions)
        with mock.patch.object(retention, "SWEPT_MAX", 0):
            before.by_rows(log[:half])
        old = {key for key, row in before.rows.data.items() if key[:1] in KEPT and ended(key, row)}
        assert len(old) > 50
        by_rows, by_columns = (Replay(Ledger(RULES), number, partitions) for _ in range(2))
        by_rows.rows.data = downgraded(before.rows.data)
        by_columns.rows.data = downgraded(before.rows.data)
        by_rows.by_rows(log[half:])
        for start in range(half, len(log), 50):
            by_columns.by_columns(LedgerBatch(RULES), log[start : start + 50])
        assert by_rows.rows.data == by_columns.rows.data
        assert by_rows.said == by_columns.said
        parts = {key for key in old if key[:1] == b"g"}  # at home they go with their journal
        left = {key for key in old - parts if key in by_rows.rows.data}
        assert len(left) < len(old) / 4, "what was used again, or has ended of late"


def test_a_new_table_has_nothing_to_walk_through() -> None:
    rows, at = MemoryRows(), Arrival(0, 0, 1)
    Ledger().apply(opened("o", "a"), at, rows, Outbox())
    assert msgspec.msgpack.decode(rows.data[b"W"][1:]) == [2**63 - 1, b""]


def test_rows_are_no_more_than_two_windows_hold() -> None:
    rows = MemoryRows()
    with mock.patch.object(retention, "BUCKET_KEYS", 32):
        paid(6, 200, RULES, rows)
    kept = 2 * 200
    payments = [key for key in rows.data if key[:1] == b"p"]
    in_flight = sum(unpack_payment(rows.data[key]).state == "IN_FLIGHT" for key in payments)
    assert in_flight == 6 * 200 / 2, "no leg was delivered: they are open"
    assert len(payments) - in_flight <= kept / 2 + 2 * 32 and len(rows.data) < len(payments) * 3


def test_columns_go_by_the_newest_time_of_a_home_though_its_last_leg_is_older() -> None:
    a, c = map(account_id, ("A", "C.1"))

    def legs(first: int, *days: int) -> Log:
        about = ("q", c, a, c, 5, "EUR", 0, "")
        return [
            (ev.LegRequested(f"l{n}", "acme", day * DAY, "c", None, f"l{n}", *about), 9 * DAY)
            for n, day in enumerate(days, first)
        ]

    batches = [(opened("o", c), 0)], legs(0, 0, 0, 0), legs(3, 3, 1, 1)
    by_rows, by_columns = (Replay(Ledger(RULES), 1, 3) for _ in range(2))
    for log in batches:
        by_rows.by_rows(log)
        by_columns.by_columns(LedgerBatch(RULES), log)
    assert by_columns.in_columns == 6
    assert by_rows.rows.data == by_columns.rows.data
    assert [key for key in by_rows.rows.data if key[:1] == b"l"] == [b"l\0acme\0l%d" % n for n in (3, 4, 5)]


def test_a_leg_that_comes_both_windows_late_is_refused_and_fails_its_payment() -> None:
    """No tale tells it: in Kafka's order no leg comes behind one that its home has asked for later."""
    (a, c), branches = map(account_id, ("A", "C.1")), (MemoryRows(), MemoryRows())

    def said(event: Any, number: int, at: int) -> list[Any]:
        out = Outbox()
        Ledger(RULES).apply(event, Arrival(at, number, 3), branches[number], out)
        return [one for _, _, one in out.items]

    def leg(number: int, at: int) -> Any:
        pay = decided(f"e{number}", f"P{number}", a, c, 1, occurred_at=at)
        return next(one for one in said(pay, 0, at) if isinstance(one, ev.LegRequested))

    said(opened("o1", a, 100), 0, 0)
    said(opened("o2", c), 1, 0)
    early, late = leg(1, 0), leg(2, 2 * DAY + 1)
    assert any(isinstance(one, ev.LegPosted) for one in said(late, 1, 2 * DAY + 1))
    (refused,) = said(early, 1, 2 * DAY + 1)
    assert isinstance(refused, ev.LegRefused) and refused.code == "too_old"
    failed = [one for one in said(refused, 0, 2 * DAY + 1) if isinstance(one, ev.PaymentFailed)]
    assert [(one.payment_id, one.code) for one in failed] == [("P1", "too_old")]
