"""Each broken fraud stream is found by the judge's model, on logs that the product answers rightly."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from pipeline.verify.model.record import Record
from tests.fraud.judged_log import judged_log
from tests.fraud.log_mutants import MUTANTS, Set
from tests.fraud.plain_log import assert_agreed, records

SEEDS = (0, 2, 4, 6, 8, 10)


def logs() -> list[list[Record]]:
    """Return logs in which each of them shows."""
    return [records(judged_log(Random(seed), 60)) for seed in SEEDS]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[one.__name__ for one in MUTANTS])
def test_a_fraud_stream_is_found_that(mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch) -> None:
    found = logs()
    mutant(monkeypatch.setattr)
    with pytest.raises(AssertionError):
        for log in found:
            assert_agreed(log)


def test_the_stream_that_is_whole_is_right() -> None:
    for log in logs():
        assert_agreed(log)
