"""The generator makes what is frozen."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.reconciliation_data import frozen
from tests.benchmarks.reconciliation_data.__main__ import main
from tests.benchmarks.reconciliation_data.chance import Chance
from tests.benchmarks.reconciliation_data.frozen import FILE, FORMS, SEEDS, VERSION, digests, generated
from tests.benchmarks.reconciliation_data.generator import Form
from tests.benchmarks.reconciliation_data.tables import digest


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_makes_what_is_frozen(seed: int) -> None:
    assert generated("small", seed).digests() == digests("small", seed), "see frozen.py"


def test_every_data_set_is_frozen_in_both_forms_and_no_two_are_the_same() -> None:
    kept = json.loads(FILE.read_text())
    assert [int(version) for version in kept] == [*range(1, VERSION + 1)]
    for version in kept.values():
        assert list(version) == list(FORMS)
        assert all(list(form) == [str(seed) for seed in SEEDS] for form in version.values())
    every = [
        one["postings"] for version in kept.values() for form in version.values() for one in form.values()
    ]
    assert len({*every}) == len(every)


def test_a_digest_depends_on_names_types_values_and_nulls_and_on_no_chunks() -> None:
    table = pa.table({"a": ["x", "", None], "b": [1, None, 3]})
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert digest(table) == digest(chunked)
    others = [
        table.rename_columns(["a", "c"]),
        table.set_column(0, "a", pa.array(["x", None, None])),
        table.set_column(1, "b", pa.array([1, 0, 3])),
        table.set_column(1, "b", pa.array([1, None, 3], pa.int32())),
    ]
    assert len({digest(one) for one in [table, *others]}) == 5


def test_chance_is_even_and_its_stream_is_the_one_that_was_used() -> None:
    chance = Chance(1, "test")
    counts = [0] * 6
    for _ in range(12_000):
        counts[chance.below(6)] += 1
    assert min(counts) > 1_850
    assert sorted(chance.shuffled(range(50))) == list(range(50))
    picked = [chance.weighted("abc", (1, 0, 3)) for _ in range(4_000)]
    assert "b" not in picked and 900 < picked.count("a") < 1_100
    assert {chance.between(3, 5) for _ in range(100)} == {3, 4, 5}
    assert [Chance(1, "a").below(1_000) for _ in range(3)] == [FIRST_OF_A] * 3


FIRST_OF_A = 550


def test_files_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--small", "--seed", "1"]) == 0
    made = generated("small", 1)
    written = capsys.readouterr().out.split()
    assert [path.rsplit("/", 1)[1] for path in written] == [
        f"reconciliation-1-{name}.parquet" for name in made.tables
    ]
    assert pq.read_table(written[0]) == made.postings


def test_what_is_frozen_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "FILE", tmp_path / "frozen.json")
    monkeypatch.setattr(frozen, "FORMS", {"small": Form(200, 1)})
    monkeypatch.setattr(frozen, "SEEDS", (1,))
    assert main(["--freeze"]) == 0
    assert frozen.freeze() == []
    before = frozen.FILE.read_text()
    monkeypatch.setattr(frozen, "FORMS", {"small": Form(200, 2)})
    assert main(["--freeze"]) == 1
    assert frozen.FILE.read_text() == before
    monkeypatch.setattr(frozen, "VERSION", VERSION + 1)
    assert frozen.freeze() == ["small 1"]
