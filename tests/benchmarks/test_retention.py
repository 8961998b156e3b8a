"""500 days of event time at a constant rate: tables stop growing once the windows are over (short form)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.domain.kernel.retention import BUCKET_KEYS, Windows
from tests.benchmarks.retention import EVENTS, sizes

RATE = 4
DAYS, EVERY = 500, 25
KEPT_DAYS = {"fraud": Windows().duplicates_days}


@pytest.mark.parametrize("stream", EVENTS)
def test_rows_and_bytes_stay_the_same_once_the_windows_are_over(stream: str, tmp_path: Path) -> None:
    found = {size.day: size for size in sizes(stream, tmp_path, DAYS, RATE, EVERY)}
    kept = RATE * KEPT_DAYS.get(stream, Windows().both_days)
    slack = 8 * BUCKET_KEYS  # the accounts of reconciliation have queues of their own
    assert found[DAYS].rows <= kept + slack
    assert found[DAYS].all_rows <= found[DAYS - EVERY].all_rows + slack
    grown = found[75].rows - found[50].rows
    assert grown == RATE * EVERY, "before that it grows by every event"
    assert found[DAYS].rows < RATE * DAYS - slack
