"""Ticks, broken on purpose: the models find it by logs, and where no log can tell the ticker is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pipeline.domain.fraud import log as fraud_log
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger import stream as ledger_stream
from pipeline.runtime.ticks import Ticker
from pipeline.verify.model.fraud_log import FraudBranch
from tests.chaos.by_hand import NOW_US, envelope, record
from tests.ledgers.engines import first_difference_of
from tests.ledgers.player import Player
from tests.ledgers.tale import read_tales
from tests.runtime.test_ticks import Worker

Set = Callable[[Any, str, Any], None]


def takes_a_tick_beyond_its_record(patch: Set) -> None:
    advance = ledger_stream.advance_watermark

    def advanced(rows: Any, occurred_at: int, recorded_at: int) -> int:
        return advance(rows, occurred_at, max(occurred_at, recorded_at))

    patch(ledger_stream, "advance_watermark", advanced)


def ends_no_more_by_a_tick_than_by_a_command(patch: Set) -> None:
    patch(ledger_stream, "OTHERS_OF_TICK", 100)


def gives_no_time_by_a_tick(patch: Set) -> None:
    patch(ledger_stream.Ledger, "_tick", lambda self, *about: None)


@pytest.mark.parametrize(
    "mutant",
    [takes_a_tick_beyond_its_record, ends_no_more_by_a_tick_than_by_a_command, gives_no_time_by_a_tick],
)
def test_a_ledger_is_found_by_the_logs_of_tales_of_ticks_that(
    mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tales = [tale for tale in read_tales() if tale.place.startswith("ticks.txt")]
    logs = [(Player(tale, "model").play(), tale.settings) for tale in tales]
    mutant(monkeypatch.setattr)
    assert any(first_difference_of(ledger, settings) is not None for ledger, settings in logs)


def test_a_fraud_stream_is_found_that_lets_a_tick_go_on_ahead_of_its_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    about = envelope("tick", tenant_id="", account_id="$clock:0", branch=0, occurred_at=NOW_US + 1_000)
    wanted = FraudBranch(0, 1).apply(record("BranchTicked", about, topic="fraud-commands"))
    assert wanted == (None, [])

    def passed_on() -> int:
        out = Outbox()
        event = msgspec.convert(about, ev.BranchTicked)
        fraud_log.FraudLog().apply(event, Arrival(NOW_US, 0, 1), MemoryRows(), out)
        return len(out.items)

    assert passed_on() == 0
    apply = fraud_log.FraudLog.apply

    def applied(self: Any, event: Any, at: Any, rows: Any, out: Any) -> None:
        apply(self, event, at._replace(recorded_at=max(at.recorded_at, event.occurred_at)), rows, out)

    monkeypatch.setattr(fraud_log.FraudLog, "apply", applied)
    assert passed_on() == 1


def test_a_worker_is_found_that_ticks_though_a_log_is_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sees it afterwards: when a record was applied is not in a log."""

    def ticks() -> list[int]:
        worker = Worker()
        worker.grow("journals")
        return worker.look(5)

    assert ticks() == []
    monkeypatch.setattr(Ticker, "_are_read", lambda self, *about: True)
    assert ticks() != []
