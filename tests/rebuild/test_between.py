"""What branches send each other in a replay: each message is applied once, wherever it is interrupted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.rebuild.between import BranchMessages, Message
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.store.partition_store import PartitionStore
from tests.ledger.branches import decided, envelope
from tests.runtime.fixed_registry import FixedRegistry

CODEC = Codec(FixedRegistry())  # type: ignore[arg-type]


@pytest.fixture
def between(tmp_path: Path) -> BranchMessages:
    return BranchMessages(PartitionStore(tmp_path / "between.rocks"), CODEC)


def answer(event_id: str) -> tuple[bytes, bytes, list[Any], None]:
    ids = {"leg_id": "l", "payment_id": "p", "debtor_account_id": "a", "creditor_account_id": "b"}
    event = ev.LegPosted(**envelope(event_id), **ids, amount_minor=1, currency="EUR")
    return b"acme/a", CODEC.encode([event])[0], [], None


def test_a_message_waits_for_its_branch_until_it_is_applied(between: BranchMessages) -> None:
    key, value, *_ = said = answer("one")
    between.send(1, [said])
    assert between.find(1, "one") == Message(key, value)
    assert between.find(0, "one") is None
    assert between.waiting() == [(1, "one", Message(key, value))]
    between.applying(1, {"one": 7})
    between.applied(1, ["one"])
    assert between.find(1, "one") is None
    assert between.waiting() == []


@pytest.mark.parametrize(("end", "waits"), [(7, True), (8, False)])
def test_what_an_interrupted_replay_was_applying_is_known_by_its_rows(
    between: BranchMessages, end: int, waits: bool
) -> None:
    between.send(1, [answer("one"), answer("two")])
    between.applying(1, {"one": 7})
    between.recover({0: 100, 1: end})
    assert (between.find(1, "one") is not None) == waits
    assert [event_id for _, event_id, _ in between.waiting()] == ["one", "two"][not waits :]


def test_what_was_applied_before_it_was_sent_is_not_applied_again(between: BranchMessages) -> None:
    between.applying_early(1, "one")
    between.recover({1: 100})
    assert between.find(1, "one") is None
    between.send(1, [answer("one")])
    assert between.find(1, "one") is None
    assert between.waiting() == []


def test_only_what_branches_send_each_other_is_a_message(between: BranchMessages) -> None:
    values = [answer("one")[1], CODEC.encode([decided("d", "p", "a", "b", 1)])[0], b"", None, b"\0\0\0\0\1x"]
    cut_off = answer("two")[1][:-3]
    found = between.received([SimpleNamespace(value=value) for value in (*values, cut_off)])
    assert {place: event.event_id for place, event in found.items()} == {0: "one"}
