"""Event ids of changes of accounts: what is remembered is bounded; forgetting decides nothing."""

from __future__ import annotations

from hashlib import sha256

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.rows import CHANGE_ROW, write_watermark
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from tests.ledger.branches import DAY, envelope, opened

HOUR = DAY // 24
FAMILY = CHANGE_ROW.family.encode()


def limit(event_id: str, amount: int, occurred_at: int) -> ev.AccountLimitSet:
    return ev.AccountLimitSet(**envelope(event_id, occurred_at), account_id="a", overdraft_limit_minor=amount)


@pytest.mark.parametrize("ids", ["by chance", "in order"])
def test_an_account_remembers_little_more_than_the_window_however_often_it_changes(ids: str) -> None:
    ledger, rows = Ledger(LedgerRules(dedupe_window_days=1)), MemoryRows()
    ledger.apply(opened("open", "a", 0), Arrival(0, 0, 1), rows, Outbox())
    most = 0
    for hour in range(400):
        name = sha256(b"%d" % hour).hexdigest() if ids == "by chance" else f"{hour:04}"
        write_watermark(rows, hour * HOUR)
        ledger.apply(limit(name, hour, hour * HOUR), Arrival(hour * HOUR, 0, 1), rows, Outbox())
        kept = {key for key in rows.data if key.startswith(FAMILY + b"\0")}
        assert f"e\0acme\0a\0{name}".encode() in kept
        most = max(most, len(kept))
    assert 25 <= most <= 25 * 2


def test_what_is_too_old_is_refused_whether_it_is_still_remembered_or_not() -> None:
    said = []
    for forgotten in (False, True):
        ledger, rows = Ledger(LedgerRules(dedupe_window_days=1)), MemoryRows()
        for event in (opened("open", "a", 0), limit("one", 5, 0), limit("two", 0, 0)):
            ledger.apply(event, Arrival(0, 0, 1), rows, Outbox())
        write_watermark(rows, 2 * DAY)
        if forgotten:
            rows.delete(b"e\0acme\0a\0one")
        out = Outbox()
        ledger.apply(limit("one", 5, 0), Arrival(2 * DAY, 0, 1), rows, out)
        ledger.apply(limit("one", 7, 2 * DAY), Arrival(2 * DAY, 0, 1), rows, out)
        said.append(out.items)
    assert said[0] == said[1]
    assert [type(event) for _, _, event in said[0]] == [ev.CommandRefused, ev.BalanceUpdated]
    assert said[0][0][2].code == "too_old"
