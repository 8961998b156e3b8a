"""A fixed sample of every kind of row of the fraud stream's features."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.domain.fraud import account_rows, alert_rows, day_rows, state_rows
from pipeline.domain.fraud.features import layout
from tests.contract.row_kinds import AT, HIGH, Sample


def _state(kind: state_rows.Kept, values: dict[int, int]) -> tuple[int, ...]:
    words = [0] * kind.form.width
    for place, value in values.items():
        words[place] = value
    return tuple(words)


def _of(kind: state_rows.Kept, *values: dict[int, int]) -> Sample:
    """Return the sample of a kind of state: an empty one, and ones with some words."""

    def write(words: Any) -> bytes:
        (packed,) = kind.form.pack(np.array([words], np.int64))
        return kind.row.head + packed

    def read(row: bytes) -> Any:
        return tuple(state_rows.states_of(kind, [row])[0].tolist())

    return Sample(kind.row, write, read, tuple(_state(kind, one) for one in ({}, *values)))


NOW_S = 1_774_749_599
RING, IDS = layout.HOUR, layout.PAYEES
PAID = {
    layout.P_FIRST_S: NOW_S - 1,
    layout.P_LAST_S: NOW_S,
    layout.P_SUM: 2**40,
    RING.at: NOW_S // RING.bucket_s + 1,
    RING.at + RING.slots: 1,
    RING.at + 3 * RING.slots: 10**13 - 12_50,
    IDS.at: HIGH - 1,
    IDS.at + IDS.slots: NOW_S,
    IDS.at + 2 * IDS.slots: NOW_S - 5,
}
TAGS = layout.TAGS
RECEIVED = {
    layout.R_LAST_S: NOW_S,
    layout.R_COUNT: 300,
    TAGS.at: 2**62,
    TAGS.at + TAGS.slots: NOW_S - 70_000,
    TAGS.at + 2 * TAGS.slots: 6,
    TAGS.at + 3 * TAGS.slots: 10**12,
    layout.RISK.at: NOW_S // 86_400 + 1,
}
SAMPLES = (
    _of(state_rows.PAYER, PAID),
    _of(state_rows.RECEIVER, RECEIVED),
    _of(state_rows.CARD, {layout.C_FIRST_S: NOW_S - 9, layout.C_SENT_S: NOW_S, layout.CARD_RISK.end - 1: 7}),
    _of(state_rows.PAIR, dict(enumerate((NOW_S - 400, NOW_S, 3, 10**14, 2)))),
    _of(state_rows.DEVICE, {0: 5, 16: NOW_S, 32: NOW_S}),
    _of(state_rows.POPULATION, dict(enumerate((1, 2, 3, 4, 5, 6, 20_000)))),
    Sample(
        account_rows.ACCOUNT_ROW,
        account_rows.pack_account,
        account_rows.read_account,
        (account_rows.Account(NOW_S, "payroll"), account_rows.UNKNOWN),
    ),
    Sample(
        account_rows.RATES_ROW,
        account_rows.pack_days,
        account_rows.read_days,
        (
            [],
            [
                account_rows.DayRate(NOW_S - 90_000, 1, NOW_S - 89_000),
                account_rows.DayRate(NOW_S, HIGH, NOW_S),
            ],
        ),
    ),
    Sample(
        alert_rows.OPEN_ROW,
        alert_rows.OPEN_ROW.pack,
        alert_rows.read_open,
        (alert_rows.OpenAlert("a-1", AT, "p é€", 3),),
    ),
    Sample(
        day_rows.DAY_ROW,
        day_rows.DAY_ROW.pack,
        day_rows.read_day,
        (
            day_rows.Day(),
            day_rows.Day(
                True,
                [day_rows.ShadowRule("fan_out@3", 12, 5), day_rows.ShadowRule("new é€@1", 1, 0)],
                day_rows.ShadowModel("5" * 64, 9_000, 300, 20, HIGH),
                day_rows.LiveModel("a" * 64, 9_000, [], [("amount", 1_234), ("score", 2_500)]),
            ),
            day_rows.Day(live=day_rows.LiveModel("a" * 64, 3, [0, 127, 128, 70_000, HIGH])),
        ),
    ),
    Sample(
        day_rows.DAYS_ROW,
        day_rows.DAYS_ROW.pack,
        day_rows.read_days,
        (day_rows.Days(), day_rows.Days([20_000, 20_034])),
    ),
)
