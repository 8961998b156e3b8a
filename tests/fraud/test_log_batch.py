"""The fraud stream by rows and by columns: the same rows, bytes and outputs, wherever a log is cut."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from pipeline.domain.fraud.account_rows import RatesOfTenants
from pipeline.domain.fraud.features.amounts import Rates
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.kernel import events as ev
from tests.fraud.log_traffic import whole_log
from tests.fraud.logs import NOON
from tests.fraud.test_log import payment
from tests.kernel.side_by_side import Replay, assert_alike


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


def test_a_run_of_many_tenants_asks_for_the_rates_of_each_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, ...]] = []

    def counted(self: RatesOfTenants, currencies: Sequence[str], found: Sequence[bytes | None]) -> Rates:
        asked.append(tuple(currencies))
        return Rates()

    monkeypatch.setattr(RatesOfTenants, "of", counted)
    stream = FraudLog()
    log = [(payment(number, tenant_id=f"t{number}"), NOON) for number in range(80)]
    again = [(payment(100 + number, tenant_id=f"t{number}"), NOON) for number in range(80)]
    replay = Replay(stream)
    replay.by_columns(FraudLogBatch(stream), [*log, *again])
    assert replay.in_columns == 160
    assert len(asked) <= 4 * 80
