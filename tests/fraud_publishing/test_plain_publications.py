"""The judge's publications and the product's: the same codes and rows after any events of fraud-rules."""

from __future__ import annotations

import hashlib
from functools import cache
from random import Random
from typing import Any

import msgspec
import pytest

from pipeline.domain.fraud.publishing.publications import publish
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.verify.model.fraud_publications import Publications
from pipeline.verify.model.wire import Dead
from tests.fraud_deciding.payments import model_bytes
from tests.fraud_publishing.publishing import (
    FROM_US,
    in_role,
    list_parts,
    model_parts,
    published,
    rule_set,
    watch_list,
)

TENANTS = (None, "north")


@cache
def models() -> list[bytes]:
    """Return two boosted models, an isolation forest, and one of other features."""
    changed = model_bytes(3).replace(b"_", b"q", 1)[:-32]
    isolation, unknown = model_bytes(4, kind=2), changed + hashlib.sha256(changed).digest()
    return [model_bytes(1), model_bytes(2), isolation, unknown]


def some_events(random: Random) -> list[Any]:
    """Return events of a set or a model; some are lost, doubled, or wrong."""
    tenant = random.choice(TENANTS)
    if random.random() < 0.5:
        names, sizes = "abc"[: random.randrange(3)], [0, 1, 5, 2_100]
        lists = [watch_list(name, random.choice(sizes)) for name in names]
        version, set_id = random.choice([1, 1, 2, 3, *range(4, 14)]), random.choice(["mine", "other"])
        rules = rule_set(version, *lists, tenant=tenant, set_id=set_id)
        if random.random() < 0.3:
            begin_us = FROM_US + random.randrange(-3, 9)
            rules = msgspec.structs.replace(rules, effective_from_us=begin_us)
        made = [*list_parts(rules), published(rules)]
    else:
        data = random.choice(models())
        parts = model_parts(data, 1 + len(data) // random.choice([1, 1, 2]), tenant)
        role = random.choice(["LIVE", "LIVE", "SHADOW", "ANOMALY"])
        from_us = FROM_US + random.randrange(12)
        made = [*parts, in_role(data, len(parts), role, tenant, from_us)]
        if random.random() < 0.2:
            made = [in_role(None, 0, role, tenant, from_us)]
    found = []
    for one in made:
        if random.random() < 0.08:
            continue
        found += [wrong(random, one) if random.random() < 0.15 else one] * random.choice([1, 1, 1, 2])
    if random.random() < 0.2:
        random.shuffle(found)
    return found


def wrong(random: Random, event: Any) -> Any:
    """Return an event with something that is not right."""
    changes: list[dict[str, Any]] = [{"tenant_id": "west"}]
    for name in ("sha256", "list_sha256", "model_sha256"):
        if getattr(event, name, None):
            changes += [{name: "0" * 64}, {name: "x"}]
    if hasattr(event, "number"):
        changes += [{"number": random.choice([-1, 1, 7, 8, 511, 512])}]
        changes += [{"part": event.part + random.choice([" ", "=", "QQ=="])}, {"part": event.part[:-4]}]
    if hasattr(event, "parts"):
        changes += [{"parts": random.choice([0, 1, 2, 9])}, {"effective_from": FROM_US + 99}]
    if hasattr(event, "head"):
        head = event.head.replace(
            *random.choice([("500", "501"), ("500", "0500"), ("EUR", "s"), ("[1,", "[2,")]), 1
        )
        changes += [{"head": head, "sha256": hashlib.sha256(head.encode()).hexdigest()}] * 3
    changes += [{"occurred_at": FROM_US + random.randrange(12)}] * 3
    return msgspec.structs.replace(event, **random.choice(changes))


class Beside:
    """Both, through the same events."""

    def __init__(self) -> None:
        self.rows, self.plain_rows = MemoryRows(), MemoryRows()
        self.plain = Publications(self.put)
        self.codes: set[str | None] = set()

    def put(self, key: bytes, row: bytes | None) -> None:
        if row is None:
            self.plain_rows.delete(key)
        else:
            self.plain_rows.put(key, row)

    def apply(self, event: Any) -> None:
        """Apply an event to both. Raises AssertionError where they differ."""
        theirs: str | None = None
        try:
            publish(event, self.rows)
        except Reject as reject:
            theirs = reject.code
        ours: str | None = None
        try:
            self.plain.publish(type(event).__name__, msgspec.structs.asdict(event))
        except Dead as dead:
            ours = str(dead)
        assert ours == theirs, event
        assert self.plain_rows.data == self.rows.data
        self.codes.add(theirs)


@pytest.mark.parametrize("seed", range(8))
def test_both_know_the_same_after_any_events(seed: int) -> None:
    random, beside = Random(seed), Beside()
    for _ in range(40):
        for event in some_events(random):
            beside.apply(event)
    assert {None, "part_missing"} < beside.codes


def test_what_waits_is_bounded_in_both() -> None:
    beside = Beside()
    for number in range(70):
        (part,) = list_parts(rule_set(1, watch_list("a", 1, f"acc{number}")))
        beside.apply(part)
    beside.apply(published(rule_set(1, watch_list("a", 1, "acc0"))))
    assert beside.codes == {None, "part_missing"}


def test_both_keep_the_same_versions_and_times() -> None:
    beside = Beside()
    for seed in range(6):
        random, tenant = Random(seed), f"t{seed}"
        for number in range(60):
            begin_us, now_us = FROM_US + random.randrange(20), FROM_US + random.randrange(number // 3 + 1)
            rules = msgspec.structs.replace(
                rule_set(random.randrange(1, 40), tenant=tenant), effective_from_us=begin_us
            )
            for one in (published(rules), in_role(None, 0, "LIVE", tenant, begin_us)):
                beside.apply(msgspec.structs.replace(one, occurred_at=now_us))
    assert beside.codes == {None, "other_content", "too_many_publications"}
