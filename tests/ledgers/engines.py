"""The programs that play tales: the rules, their batch path, and the independent model.

Branches -> Engine.apply(one command of a branch) -> the code of its dead letter or None, what it says
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from pipeline.domain.kernel.columns import events_of
from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.routing import record_key
from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.domain.tenants.settings import parse_tenants
from pipeline.runtime.kafka.topics import COMPACTED
from tests.kernel.side_by_side import Replay, at_home, run_of
from tests.ledger.branches import Branch, Branches, ByRows, Items, replayed, said_bytes
from tests.ledgers.model import (
    COMMANDS,
    TABLE,
    Journal,
    Model,
    Problems,
    Record,
    Tenants,
    first_difference,
)
from tests.ledgers.tale import Settings
from tests.ledgers.words import BRANCHES

_NAMES = {kind: name for name, kind in EVENTS.items()}


class Engine(Protocol):
    """Applies the commands of all branches, one by one."""

    def apply(self, number: int, branch: Branch, event: Any, recorded_at: int) -> tuple[str | None, Items]:
        """Apply one command to a branch; return the code of its dead letter or None, and what it says."""

    def finish(self, ledger: Branches) -> None:
        """Check a ledger whose tale has been told. Raises: AssertionError."""


def rules_of(settings: Settings) -> LedgerRules:
    """Return the settings of the ledger."""
    return LedgerRules(
        dedupe_window_days=settings.window_days,
        holds_max=settings.holds_max,
        ended_max=settings.ended_max,
        backdating=settings.backdating,
        tenants=parse_tenants(settings.tenants),
    )


class Rules(ByRows):
    """The rules, row by row; the log of each branch, applied again, gives the same bytes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = rules_of(settings)
        super().__init__(BRANCHES, self.settings)

    def finish(self, ledger: Branches) -> None:
        for number, branch in enumerate(ledger.branches):
            rows, said = replayed(branch, number, BRANCHES, self.settings)
            assert rows == branch.rows.data and said == said_bytes(branch.said), "a replay is not exact"


class Batch(Rules):
    """The batch path, a command at a time and then each log as one batch; what it leaves goes by rows."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.in_columns = 0
        """How many commands of the logs, as one batch each, went by columns."""
        self._columns = LedgerBatch(self.settings)

    def apply(self, number: int, branch: Branch, event: Any, recorded_at: int) -> tuple[str | None, Items]:
        applied, blocks = self._columns.apply(
            run_of(self._columns, [(event, recorded_at)], number, BRANCHES), branch.rows
        )
        if not applied:
            return super().apply(number, branch, event, recorded_at)
        said: list[tuple[int, str, str, Any]] = []
        for block in blocks:
            rows = zip(block.order.tolist(), block.keys.to_pylist(), events_of(block), strict=True)
            said += [(order, block.topic, key, one) for order, key, one in rows]
        return None, [item[1:] for item in sorted(said, key=lambda item: item[0])]

    def finish(self, ledger: Branches) -> None:
        for number, branch in enumerate(ledger.branches):
            replay = Replay(Ledger(self.settings), number, BRANCHES)
            replay.by_columns(self._columns, at_home(branch.log, number, BRANCHES))
            self.in_columns += replay.in_columns
            assert replay.rows.data == branch.rows.data, "a log as one batch writes other rows"
            said: dict[str, list[tuple[str, Any]]] = {}
            for topic, key, event in branch.said:
                said.setdefault(topic, []).append((key, event))
            latest = {topic: dict(said.pop(topic)) for topic in COMPACTED & said.keys()}
            assert replay.said == said and replay.latest == latest, "a log as one batch says other things"


class ByModel:
    """The independent model, record by record."""

    def __init__(self, settings: Settings) -> None:
        self.models = [model_of(number, settings) for number in range(BRANCHES)]

    def apply(self, number: int, branch: Branch, event: Any, recorded_at: int) -> tuple[str | None, Items]:
        code, expected = self.models[number].apply(record_of(event, recorded_at, number, len(branch.log) - 1))
        items: Items = []
        for one in expected:
            if one.topic != TABLE:
                said = msgspec.convert(one.fields, EVENTS[f"ledgerflow.{one.event}"])
                items.append((one.topic, one.key.decode(), said))
            elif one.value is None:
                branch.rows.delete(one.key)
            else:
                branch.rows.put(one.key, one.value)
        return code, items

    def finish(self, ledger: Branches) -> None:
        pass


def model_of(number: int, settings: Settings) -> Model:
    """Return the model of one branch."""
    return Model(
        number,
        BRANCHES,
        tenants=Tenants(settings.tenants),
        window_days=settings.window_days,
        keep_days=max(400, settings.window_days + 1),
        holds_max=settings.holds_max,
        ended_max=settings.ended_max,
        refuses_past=settings.backdating == "refuse",
    )


def first_difference_of(ledger: Branches, settings: Settings) -> str | None:
    """Return the first difference between rules and model over the logs of a ledger, or None."""
    for number, branch in enumerate(ledger.branches):
        log = [record_of(event, at, number, offset) for offset, (event, at) in enumerate(branch.log)]
        rules = Ledger(rules_of(settings))
        found = first_difference(model_of(number, settings), rules, log)
        if found is not None:
            return found
    return None


def problems_of(ledger: Branches) -> list[Any]:
    """Return what `ledgerflow verify` finds wrong with the journal of a ledger, from its postings alone."""
    problems = Problems()
    journal = Journal(problems)
    for number, branch in enumerate(ledger.branches):
        for offset, (event, at) in enumerate(branch.log):
            journal.hear(record_of(event, at, number, offset))
        for offset, (topic, _, event) in enumerate(branch.said):
            if topic == "postings":
                journal.see(record_of(event, 0, number, offset))
        journal.close_branch(number)
    journal.close()
    under_way = {"clearing"} if any(branch.waiting for branch in ledger.branches) else set()
    return [problem for problem in problems.new if problem.check not in under_way]


def record_of(event: Any, recorded_at: int, number: int, offset: int) -> Record:
    """Return a command as a record of a branch's log."""
    name = _NAMES[type(event)].removeprefix("ledgerflow.")
    fields = msgspec.to_builtins(event)
    return Record(
        COMMANDS, number, offset, recorded_at // 1000, record_key(event).encode(), b"", {}, name, fields, None
    )


ENGINES: dict[str, Callable[[Settings], Any]] = {"rules": Rules, "batch": Batch, "model": ByModel}
