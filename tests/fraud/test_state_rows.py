"""States of features as rows: the same answers as in memory, the same bytes wherever runs are cut."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from pipeline.domain.fraud import state_rows
from pipeline.domain.fraud.features.amounts import CURRENCIES
from pipeline.domain.fraud.features.catalogue import NAMES
from pipeline.domain.fraud.features.columns import Integers, Keys, Payments, Receipts
from pipeline.domain.fraud.features.forms import PAIR_KEPT_S
from pipeline.domain.fraud.state_rows import FeatureRows
from pipeline.domain.kernel.layouts import UnreadableRow
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from tests.fraud_features.histories import DAY_S, RATES, START_S, cut, fresh, payments, random_payments

DAY_US = MICROSECONDS_PER_DAY


def keys_of(of: Payments, tenant: str = "acme") -> Keys:
    """Return the row keys of payments."""
    debtors, payees = (list(map(str, column.tolist())) for column in (of.debtor, of.payee))
    return Keys(
        [state_rows.payer_key(tenant, one) for one in debtors],
        [state_rows.receiver_key(tenant, one) for one in debtors],
        [state_rows.card_key(tenant, one) for one in payees],
        [state_rows.pair_key(tenant, *pair) for pair in zip(debtors, payees, strict=True)],
        [state_rows.device_key(tenant, str(one)) if one else b"" for one in of.device.tolist()],
        [state_rows.population_key(tenant, CURRENCIES[one]) for one in of.currency.tolist()],
    )


def run(rows: MemoryRows, of: Payments, too_old_us: int = 90 * DAY_US, tenant: str = "acme") -> Integers:
    """Pay, receive and know over rows, as one run; return the features."""
    count, keys = len(of.at_s), keys_of(of, tenant)
    features = FeatureRows(rows, RATES, too_old_us)
    payees = [state_rows.receiver_key(tenant, str(one)) for one in of.payee.tolist()]
    features.receivers.load([*keys.receiver, *payees])  # type: ignore[list-item]
    for kind, of_kind in (
        (features.payers, keys.payer),
        (features.cards, keys.card),
        (features.pairs, keys.pair),
        (features.devices, [key for key in keys.device if key]),
        (features.populations, keys.population),
    ):
        kind.load(of_kind)  # type: ignore[arg-type]
    places, at_s, named = range(count), of.at_s.tolist(), np.flatnonzero(of.device).tolist()
    features.payers.touch(keys.payer, places, at_s)  # type: ignore[arg-type]
    features.pairs.touch(keys.pair, places, at_s)  # type: ignore[arg-type]
    devices = [keys.device[place] for place in named]
    features.devices.touch(devices, named, [at_s[place] for place in named])  # type: ignore[arg-type]
    judged = features.tables.pay(of, keys=keys)
    features.write()
    return judged.features


def by_runs(of: Payments, cuts: list[int]) -> tuple[MemoryRows, Integers]:
    """Pay in runs that are cut at some places; return the rows and the features."""
    rows = MemoryRows()
    ends = [*cuts, len(of.at_s)]
    parts = [run(rows, cut(of, start, end)) for start, end in zip([0, *cuts], ends, strict=True)]
    return rows, np.concatenate(parts, axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_rows_say_what_memory_says_wherever_runs_are_cut(seed: int) -> None:
    of = random_payments(seed, 150, span_s=40 * DAY_S)
    chance = Random(seed)
    in_memory = fresh().pay(of).features
    whole_rows, whole = by_runs(of, [])
    for cuts in ([*range(1, 150)], sorted(chance.sample(range(1, 150), 8))):
        rows, features = by_runs(of, cuts)
        assert np.array_equal(features, in_memory)
        assert rows.data == whole_rows.data
    assert np.array_equal(whole, in_memory)


def test_what_accounts_receive_is_the_same_wherever_runs_are_cut() -> None:
    of = random_payments(5, 120)
    origins = np.zeros((5, 2, 120), np.int64)
    kept = []
    for size in (1, 7, 120):
        rows = MemoryRows()
        for start in range(0, 120, size):
            part = cut(of, start, start + size)
            keys = [state_rows.receiver_key("acme", str(one)) for one in part.payee.tolist()]
            features = FeatureRows(rows, RATES, DAY_US)
            features.receivers.load(keys)
            features.receivers.touch(keys, range(len(keys)), part.at_s.tolist())
            receipts = Receipts(
                part.at_s, part.payee, part.debtor, part.currency, part.minor, origins[:, :, : len(keys)]
            )
            features.tables.receive(receipts, keys)
            features.write()
        kept.append(rows.data)
    assert kept[0] == kept[1] == kept[2]


def test_states_of_tenants_are_their_own() -> None:
    of = random_payments(1, 60)
    both, alone = MemoryRows(), MemoryRows()
    run(both, of, tenant="acme")
    again = run(both, of, tenant="beta")
    assert np.array_equal(again, run(alone, of, tenant="beta"))


def test_a_row_that_cannot_be_read_says_so() -> None:
    rows = MemoryRows()
    of = payments({})
    run(rows, of)
    key = state_rows.payer_key("acme", "1")
    rows.data[key] = rows.data[key][:-1]
    with pytest.raises(UnreadableRow, match="fraud table, payer"):
        run(rows, of)


def _years(step_days: int, runs: int, size: int, seed: int = 1) -> list[Payments]:
    """Return payments of a few debtors to ever new payees, with ever new devices, at a constant rate."""
    chance, found = Random(seed), []
    for number in range(runs):
        found.append(
            payments(
                *(
                    {
                        "at_s": START_S + number * step_days * DAY_S + place * 60,
                        "debtor": 1 + chance.randrange(5),
                        "payee": 1_000 + (number * size + place if place % 2 else chance.randrange(4)),
                        "device": 1 + number * size + place,
                    }
                    for place in range(size)
                )
            )
        )
    return found


def test_at_a_constant_rate_the_table_does_not_grow() -> None:
    rows, sizes = MemoryRows(), []
    for of in _years(10, 160, 12):
        run(rows, of, too_old_us=DAY_US)
        sizes.append(sum(len(key) + len(value) for key, value in rows.data.items()))
    first, second = sizes[60:110], sizes[110:]
    assert max(second) <= max(first) * 1.02
    assert max(second) > sizes[20] * 1.3


def test_deletions_change_no_answer_and_no_cut_changes_them() -> None:
    """What is over counts as absent, deleted or not; runs of any length delete the same rows."""
    log = _years(40, 40, 24)
    whole, single, never = MemoryRows(), MemoryRows(), MemoryRows()
    deleted: list[bytes] = []
    whole_delete = whole.delete
    whole.delete = lambda key: (deleted.append(key), whole_delete(key))[1]  # type: ignore[method-assign,func-returns-value]
    never.delete = lambda key: None  # type: ignore[method-assign]
    for of in log:
        found = run(whole, of, too_old_us=DAY_US)
        parts = [run(single, cut(of, n, n + 1), too_old_us=DAY_US) for n in range(len(of.at_s))]
        assert np.array_equal(found, np.concatenate(parts, axis=1))
        assert np.array_equal(found, run(never, of, too_old_us=DAY_US))
        assert whole.data == single.data
    assert any(key.startswith(b"k\0") for key in deleted) and any(key.startswith(b"v\0") for key in deleted)


def test_a_payee_is_new_again_after_the_time_of_a_pair() -> None:
    rows = MemoryRows()
    new = NAMES.index("is_new_payee")
    found = [
        int(run(rows, payments({"at_s": START_S + after_s}))[new, 0])
        for after_s in (0, PAIR_KEPT_S, 2 * PAIR_KEPT_S + 1)
    ]
    assert found == [1, 0, 1]
