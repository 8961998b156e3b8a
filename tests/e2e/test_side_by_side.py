"""Two demos side by side, long form: one goes on after its Kafka died, and a forgery in the other is found.

The default run shows the same apart: a demo that holds at its end and a Kafka that dies (test_up.py), a
forged posting that `verify` finds (integration/test_load_verify.py) and that the streams report
(security/test_forged_on_stack.py).
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

import schemas
from pipeline.loadgen.encoder import registry_encoder
from tests.conftest import free_ports
from tests.e2e.running_up import DEMO, Place, belonging

pytestmark = pytest.mark.long


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    """Two places for stacks; what a test that fails leaves there ends with it."""
    made = Place(tmp_path / "first"), Place(tmp_path / "neighbour")
    yield made
    for place in made:
        place.kill()


def test_of_two_stacks_side_by_side_one_goes_on_and_holds_and_a_forgery_in_the_other_is_found(
    places: tuple[Place, Place],
) -> None:
    place, neighbour = places
    before = crashed(place)
    place.ports["web"] = str(free_ports()[3])  # the group still knows the worker under its old address
    place.up(*DEMO)
    neighbour.up(*DEMO)
    forge_a_posting(neighbour.endpoints(), neighbour.wait_for_postings()["value"])
    place.endpoints()
    place.wait_for(lambda: has_grown(place, before), "alerts and dead letters of the second run")
    switched = json.loads(place.ask("switch", "--again", "--json"))
    assert [one["rules"] for one in switched["switched"]] == [switched["rules"]]

    neighbour.wait_for(lambda: neighbour.counted().get("invariant-alerts"), "an alert about the forgery")
    tampered = neighbour.end(signal.SIGTERM)
    summary = json.loads(tampered.out)
    broken = {name for name, holds in summary["invariants"].items() if not holds}
    assert tampered.code == 1 and {"zero_sum", "entries", "fold", "invariant_alerts"} <= broken
    assert summary["broken"] > 0
    assert tampered.err.splitlines()[-1].startswith("error: does not hold: ")
    assert all(name in summary["error"] for name in broken)

    interrupted = place.end(signal.SIGINT)
    assert interrupted.code == 0, interrupted.err
    summary = json.loads(interrupted.out)
    assert summary["ok"] and not summary["first_run"] and summary["error"] is None
    assert len(summary["invariants"]) > 20 and all(summary["invariants"].values())
    for name in ("events_in", "postings", "balances", "alerts", "dead_letters"):
        assert summary[name] > before[name], name
    assert summary["restarts"] == 1  # by the switch, under load
    assert summary["lag"] == summary["broken"] == 0
    for data_dir in (place.data_dir, neighbour.data_dir):
        assert not (data_dir / "endpoints.json").exists()
        assert belonging(data_dir) == []


def crashed(place: Place) -> dict[str, Any]:
    """Run a demo until it has postings, and kill its Kafka under load; return its summary."""
    place.up(*DEMO, "--workers", "2")
    place.endpoints()
    place.wait_for(lambda: place.counted().get("postings"), "postings")
    place.java()[0].kill()
    ended = place.end()
    summary: dict[str, Any] = json.loads(ended.out)
    assert (ended.code, summary["ok"], summary["first_run"]) == (1, False, True)
    assert "kafka ended with exit code 137 (SIGKILL" in ended.err.splitlines()[-1]
    return summary


def has_grown(place: Place, before: dict[str, Any]) -> bool:
    counts = place.counted()
    grown = {"fraud-alerts": "alerts", "dead-letters": "dead_letters", "postings": "postings"}
    return all(counts.get(topic, 0) > before[name] for topic, name in grown.items())


def forge_a_posting(endpoints: dict[str, Any], posting: dict[str, Any]) -> None:
    """Write a posting that no ledger made: a framed, well-formed event with one side only."""
    encode = registry_encoder(endpoints["schema_registry_url"])
    forged = {**posting, "posting_id": "forged", "entry_id": "forged", "event_id": "forged"}
    producer = Producer(
        {"bootstrap.servers": endpoints["bootstrap_servers"], "partitioner": "murmur2_random"}
    )
    value = encode(schemas.newest("ledgerflow.PostingRecorded"), forged)
    producer.produce("postings", value, f"{posting['tenant_id']}/{posting['account_id']}".encode())
    assert producer.flush(30) == 0
