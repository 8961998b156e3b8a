"""A town in which commands need two people; people decide, and others: late, twice, about something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.verify.model.ledger import Branch
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import DAY_US
from tests.chaos.by_hand import envelope
from tests.chaos.ledger_town import Town
from tests.chaos.ledger_traffic import TENANT, Command
from tests.kernel.signed import ANNA, PAYROLL

BERT = ev.Actor("https://id.example", "bert", session_id="s-2")
OTHER_ANNA = ev.Actor("https://other.example", "anna", session_id="s-3")
NO_SESSION = ev.Actor("https://id.example", "carl")
DECIDERS = (BERT, BERT, BERT, BERT, OTHER_ANNA, ANNA, PAYROLL, NO_SESSION, None)
TENANTS = f"""
[tenants.{TENANT}.four_eyes]
reviews = {{ EUR = 20, USD = 0 }}
corrections = true
limits = true
"""


@dataclass
class TownOfTwo(Town):
    """Branches whose proposals are decided at random; every eighth journal asks for two people itself."""

    proposed: list[dict[str, Any]] = field(default_factory=list)
    """What was proposed, to be decided once or more often."""
    decided: int = 0

    def put(self, command: Command) -> Iterator[tuple[Record, str | None]]:
        fields = command.fields
        if command.event == "JournalSubmitted" and crc32(fields["event_id"].encode()) % 8 == 0:
            person = msgspec.to_builtins(ANNA if self.rng.random() < 0.8 else BERT)
            command = command._replace(fields={**fields, "needs_approval": True, "actor": person})
        yield from super().put(command)
        while self.proposed and self.rng.random() < 0.3:
            yield from super().put(self._decision(command.at_us))

    def _apply(self, made: Record, number: int) -> tuple[Record, str | None]:
        placed, code = super()._apply(made, number)
        branch = self.branches[number]
        assert isinstance(branch, Branch)
        if code is None:
            said = [one.fields for one in branch.out if one.event == "CommandProposed"]
            self.proposed = [*self.proposed[-30:], *said]
        return placed, code

    def _decision(self, now_us: int) -> Command:
        said, self.decided = self.rng.choice(self.proposed), self.decided + 1
        if self.rng.random() < 0.7:
            self.proposed.remove(said)
        hashes = [said["content_hash"]] * 6 + ["0" * 64]
        about = {
            **envelope(f"d{self.decided - (self.rng.random() < 0.05)}"),
            "occurred_at": now_us + self.rng.choice((0, 0, 0, DAY_US, -DAY_US)),
            "account_id": said["account_id"],
            "proposal_id": said["proposal_id"],
            "content_hash": self.rng.choice(hashes),
            "actor": msgspec.to_builtins(self.rng.choice(DECIDERS)),
        }
        if self.rng.random() < 0.2:
            return Command("ProposalRejected", {**about, "reason": "why"}, now_us)
        return Command("ProposalApproved", about, now_us)
