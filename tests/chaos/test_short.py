"""The short form of a chaos run: a worker killed, a zombie, a broker killed, all under load."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pipeline.runtime.exit_codes import EXIT_CRASH
from tests.chaos.run import chaos

FAULTS = ("kill", "zombie", "broker")
SEED = 97
SECONDS = 105.0
RATE = 30.0


def test_everything_holds_after_a_kill_a_zombie_and_a_broker_that_dies(tmp_path: Path) -> None:
    outcome = chaos(tmp_path, SEED, SECONDS, FAULTS, rate=RATE)
    assert Counter(strike.fault for strike in outcome.strikes) == Counter(FAULTS)
    assert outcome.problems == []
    assert outcome.exits[-9] == 1 and set(outcome.exits) <= {-9, EXIT_CRASH}
    assert outcome.records > 3_000
