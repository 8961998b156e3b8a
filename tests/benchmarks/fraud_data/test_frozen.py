"""The generators make what is frozen, and what they say they make."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.fraud_data import frozen, handbook, mixture
from tests.benchmarks.fraud_data.__main__ import main
from tests.benchmarks.fraud_data.draws import Draws
from tests.benchmarks.fraud_data.frozen import FILE, FORMS, GENERATORS, SEEDS, VERSION, digests, generated
from tests.benchmarks.fraud_data.tables import DAY_US, HOUR_US, DataSet, digest
from tests.benchmarks.fraud_data.typologies import TYPOLOGIES


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_makes_what_is_frozen(name: str, seed: int) -> None:
    assert generated(name, "small", seed).digests() == digests(name, "small", seed), "see frozen.py"


def test_every_data_set_is_frozen_in_both_forms() -> None:
    kept = json.loads(FILE.read_text())
    assert [int(version) for version in kept] == [*range(1, VERSION + 1)]
    for version in kept.values():
        for name in GENERATORS:
            for form in FORMS:
                assert list(version[name][form]) == [str(seed) for seed in SEEDS]
    every = [
        one for version in kept.values() for form in version["mixture"].values() for one in form.values()
    ]
    assert len({one["payments"] for one in every}) == len(every)


def test_a_digest_depends_on_names_values_and_nulls_and_on_no_chunks() -> None:
    table = pa.table({"a": ["x", "", None, "yz"], "b": [1, 2, None, 4]})
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1, 3)])
    assert digest(table) == digest(chunked) == digest(pa.concat_tables([table, table]).slice(4))
    others = [
        table.rename_columns(["a", "c"]),
        table.set_column(0, "a", pa.array(["", "x", None, "yz"])),
        table.set_column(0, "a", pa.array(["x", None, None, "yz"])),
        table.set_column(1, "b", pa.array([1, 2, 0, 4])),
    ]
    assert len({digest(one) for one in [table, *others]}) == 5


def test_draws_have_the_distributions_that_they_are_named_after() -> None:
    draws, count = Draws(7, "test"), 200_000
    normal = draws.normal(count)
    assert abs(normal.mean()) < 0.01 and abs(normal.std() - 1) < 0.01
    assert abs((normal > 2.4).mean() - 0.0082) < 0.0008
    assert abs((normal**4).mean() - 3) < 0.06
    mean = np.full(count, 2.5)
    assert abs(draws.poisson(mean).mean() - 2.5) < 0.02 and abs(draws.poisson(mean).var() - 2.5) < 0.05
    assert np.bincount(draws.below(count, 5)).min() > 0.97 * count / 5
    assert np.bincount(draws.pick(count, (1, 0, 3))).tolist()[1] == 0
    assert sorted(draws.order(1_000).tolist()) == list(range(1_000))
    assert draws.raw(3).tolist() != Draws(7, "tests").raw(3).tolist()


def test_the_stream_of_raw_integers_is_the_one_that_was_used() -> None:
    assert Draws(1, "a").raw(2).tolist() == RAW


RAW = [8030300726587112311, 15067110353712548073]


@pytest.fixture(scope="module")
def mixed() -> DataSet:
    return mixture.generate(1, mixture.SMALL)


def test_payments_are_ordered_and_their_ids_are_unique(mixed: DataSet) -> None:
    for made in (mixed, handbook.generate(1, handbook.SMALL)):
        at = made.payments["occurred_at"].cast(pa.int64()).to_numpy()
        assert (np.diff(at) >= 0).all()
        assert len(pc.unique(made.payments["payment_id"])) == made.payments.num_rows
        assert made.payments["payment_id"] == made.truth["payment_id"]
        assert pc.min(made.payments["amount_minor"]).as_py() >= 0
        assert not pc.any(pc.equal(*made.payments.select([1, 2]).columns)).as_py()


def test_a_label_comes_after_its_payment_and_is_of_a_fraud() -> None:
    for made in (mixture.generate(2, mixture.SMALL), handbook.generate(2, handbook.SMALL)):
        joined = made.labels.join(made.payments, "payment_id").join(made.truth, "payment_id")
        assert pc.all(joined["fraud"]).as_py()
        late = pc.subtract(joined["labelled_at"].cast(pa.int64()), joined["occurred_at"].cast(pa.int64()))
        assert pc.min(late).as_py() >= 2 * DAY_US
        if made.name == "handbook":
            assert pc.unique(late).to_pylist() == [7 * DAY_US]
            assert made.labels.num_rows == pc.sum(made.truth["fraud"]).as_py()
        else:
            assert 0.7 < made.labels.num_rows / pc.sum(made.truth["fraud"]).as_py() < 1


def test_the_scenarios_of_the_handbook_are_there() -> None:
    made = handbook.generate(3, handbook.SMALL)
    high = pc.greater(made.payments["amount_minor"], handbook.HIGH_MINOR)
    assert pc.all(made.truth.filter(high)["fraud"]).as_py()
    assert set(pc.unique(made.truth["kind"]).to_pylist()) == {*handbook.KINDS, None}


def test_each_typology_is_planted_as_its_words_say(mixed: DataSet) -> None:
    kinds = pc.value_counts(mixed.instances["kind"]).to_pylist()
    assert {one["values"]: one["counts"] for one in kinds} == dict.fromkeys(
        TYPOLOGIES, mixture.SMALL.instances
    )
    of = mixed.payments.append_column("instance", mixed.truth["instance"])
    for row in mixed.instances.to_pylist():
        found = of.filter(pc.equal(of["instance"], row["instance"])).to_pylist()
        assert len(found) == row["payments"]
        at = [one["occurred_at"] for one in found]
        assert (at[0], at[-1]) == (row["first_at"], row["last_at"])
        took_us = (at[-1] - at[0]).total_seconds() * 1e6
        debtors = [one["debtor_account_id"] for one in found]
        creditors = [one["creditor_account_id"] for one in found]
        amounts = [one["amount_minor"] for one in found]
        match row["kind"]:
            case "structuring" | "structuring_slow":
                assert len(set(debtors)) == 1
                assert all(8_500_00 <= amount < 10_000_00 for amount in amounts)
            case "fan_in":
                assert len(set(creditors[:8])) == 1 and creditors[0] == debtors[-1]
            case "fan_out":
                assert len(set(debtors)) == 1 and 4 <= len(found) <= 12 and took_us < HOUR_US
            case "cycle":
                assert 3 <= len(found) <= 6
                assert debtors[1:] + debtors[:1] == creditors
            case "pass_through":
                assert creditors[0] == debtors[-1]
            case "dormant":
                before = pc.and_(
                    pc.equal(mixed.payments["debtor_account_id"], debtors[0]),
                    pc.less(mixed.payments["occurred_at"], pa.scalar(at[0], pa.timestamp("us", "UTC"))),
                )
                earlier = mixed.payments.filter(before)["occurred_at"].to_pylist()
                assert earlier and (at[0] - earlier[-1]).days >= 29
            case "probe_drain":
                assert len(set(debtors)) == 1 and took_us < HOUR_US
                assert amounts[0] < 5_00 < amounts[-1]


def test_no_column_alone_tells_frauds_apart(mixed: DataSet) -> None:
    fraud = mixed.payments.filter(mixed.truth["fraud"])
    honest = mixed.payments.filter(pc.invert(mixed.truth["fraud"]))
    for name in ("currency", "channel", "merchant_category"):
        assert {*pc.unique(fraud[name]).to_pylist()} <= {*pc.unique(honest[name]).to_pylist()}
    people = {*pc.unique(fraud["debtor_account_id"]).to_pylist()}
    assert len(people & {*pc.unique(honest["debtor_account_id"]).to_pylist()}) > 0.9 * len(people)


def test_files_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--small", "--seed", "1", "--name", "mixture"]) == 0
    written = [path.rsplit("/", 1)[1] for path in capsys.readouterr().out.split()]
    assert written == [f"mixture-1-{name}.parquet" for name in ("payments", "labels", "truth", "instances")]
    assert pq.read_table(tmp_path / written[0]) == mixture.generate(1, mixture.SMALL).payments


def test_what_is_frozen_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "FILE", tmp_path / "frozen.json")
    monkeypatch.setattr(frozen, "FORMS", ("small",))
    monkeypatch.setattr(frozen, "SEEDS", (1,))
    assert main(["--freeze"]) == 0
    assert frozen.freeze() == []
    before = frozen.FILE.read_text()
    monkeypatch.setattr(mixture, "SMALL", replace(mixture.SMALL, instances=3))
    assert main(["--freeze"]) == 1
    assert frozen.FILE.read_text() == before
    monkeypatch.setattr(frozen, "VERSION", VERSION + 1)
    assert frozen.freeze() == ["handbook small 1", "mixture small 1"]
    kept = json.loads(frozen.FILE.read_text())
    assert kept[str(VERSION)] == json.loads(before)[str(VERSION)]
    assert kept[str(VERSION + 1)]["mixture"] != kept[str(VERSION)]["mixture"]
