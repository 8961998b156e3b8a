"""Model, rules and columns on random traffic in which commands need two people: all three say the same."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.domain.tenants.settings import parse_tenants
from pipeline.verify.model.ledger import Branch
from pipeline.verify.model.tenants import Tenants
from tests.chaos.ledger_town import commands_of
from tests.chaos.side_by_side import first_difference
from tests.chaos.town_of_two import TENANTS, TownOfTwo
from tests.kernel.side_by_side import Replay

CODES = (
    *("actor_required", "person_required", "awaits_approval", "proposal_changed", "already_decided"),
    *("proposal_expired", "programs_cannot_approve", "maker_cannot_approve", "proposal_approved"),
)


def test_commands_that_need_two_people_are_the_same_for_model_rules_and_columns() -> None:
    said = "".join(said_by_two(seed, partitions) for seed, partitions in ((6, 1), (7, 3)))
    assert [code for code in CODES if code not in said] == []


def said_by_two(seed: int, partitions: int) -> str:
    """Put a town in which commands need two people through all three; return what they say, in lower case."""
    settings: dict[str, Any] = {"tenants": Tenants(TENANTS), "proposal_days": 1}
    models = [Branch(number, partitions, **settings) for number in range(partitions)]
    town = TownOfTwo(models, Random(f"town-{seed}"))
    for _ in town.play(commands_of(seed, 1500)):
        pass
    rules, said = LedgerRules(tenants=parse_tenants(TENANTS), proposal_days=1), ""
    for number, log in enumerate(town.logs):
        assert first_difference(Branch(number, partitions, **settings), Ledger(rules), log) is None
        events = [
            (msgspec.convert(one.fields, EVENTS[f"ledgerflow.{one.event}"]), one.timestamp_ms * 1000)
            for one in log
        ]
        rows, columns = (Replay(Ledger(rules), number, partitions) for _ in range(2))
        rows.by_rows(events)
        columns.by_columns(LedgerBatch(rules), events)
        assert columns.rows.data == rows.rows.data and columns.said == rows.said
        said += str(rows.said)
    return said.lower()
