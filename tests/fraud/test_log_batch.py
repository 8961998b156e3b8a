"""The fraud stream by rows and by columns: the same rows, bytes and outputs, wherever a log is cut."""

from __future__ import annotations

from random import Random

import pytest

from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.kernel import events as ev
from tests.fraud.log_traffic import whole_log
from tests.kernel.side_by_side import assert_alike


@pytest.mark.parametrize("seed", range(4))
def test_columns_do_what_rows_do(seed: int) -> None:
    chance = Random(seed)
    log = whole_log(chance, 120, scheduled=0.05 * (seed % 2), links=0.05 * (seed % 2))
    stream = FraudLog()
    for cuts in ([], sorted(chance.sample(range(1, len(log)), 9))):
        replay = assert_alike(stream, FraudLogBatch(stream), log, cuts)
    kinds = {type(event) for event, _ in log}
    assert {ev.FundsReceived, ev.PayeeRiskChanged, ev.PayeeFraudConfirmed, ev.PaymentLabelled} <= kinds
    assert replay.in_columns > len(log) / 2
