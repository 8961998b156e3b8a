"""Compares what was read of a cluster with what the models make of its inputs: everything against everything.

It compares as `ledgerflow verify` does (`pipeline.verify.comparison`), and more than that: also while the
streams run, every stream with the settings of the run, every row of every table, and every view.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from pipeline.verify.comparison import Comparison, Offsets
from pipeline.verify.dead import DeadLetters
from pipeline.verify.findings import Problem, at
from pipeline.verify.invariants import check_alerts
from pipeline.verify.journal import Journal
from pipeline.verify.model.history import HistoryBranch
from pipeline.verify.model.ledger_accounts import ACCOUNT_ROW, MAXIMUM
from pipeline.verify.model.record import Record
from pipeline.verify.model.tenants import Tenants
from pipeline.verify.model.wire import COMMANDS, DEAD_LETTERS, INVARIANT_ALERTS, POSTINGS
from pipeline.verify.planted import Planted, PlantedChecks
from pipeline.verify.streams import (
    ALL,
    FRAUD,
    HISTORY,
    LEDGER,
    LIFECYCLE,
    POSITION,
    RECONCILIATION,
    SOURCES,
    STREAMS,
    Only,
)
from tests.chaos.past_check import asking, compare_past
from tests.chaos.views_check import (
    BALANCE_VIEW,
    BREAK_VIEW,
    POSITION_VIEW,
    STUCK_VIEW,
    compare_view,
    read_view,
)

VIEWS = (
    (LEDGER, BALANCE_VIEW),
    (POSITION, POSITION_VIEW),
    (RECONCILIATION, BREAK_VIEW),
    (LIFECYCLE, STUCK_VIEW),
)
"""Which stream's model says what a view must show."""


class Tail:
    """The records of a log that grows, as far as they count; it goes on when more of them do."""

    def __init__(self, log: list[Record], end: Callable[[], int], events: Only = ALL) -> None:
        """`end`: the first offset that does not count."""
        self._log = log
        self._end = end
        self._events = events
        self._next = 0

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        end = self._end()
        while self._next < len(self._log) and self._log[self._next].offset < end:
            record = self._log[self._next]
            self._next += 1
            if self._events(record.event):
                return record
        raise StopIteration


@dataclass
class Snapshot:
    """What was read so far; it grows. A `Comparison` compares it."""

    logs: dict[str, dict[int, list[Record]]]
    """By topic and partition; the lists are only ever extended."""
    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    """Of outputs: where the read ended that was done before the sources' offsets were asked for again."""
    after: dict[tuple[str, int], int] = field(default_factory=dict)
    """Of sources: the committed offsets that were asked for then."""
    unread: set[tuple[str, int, int, int, str]] = field(default_factory=set)
    """Batches that could not be read: topic, partition, first and last offset, code."""

    @property
    def count(self) -> int:
        """Return the number of partitions."""
        return len(self.logs[COMMANDS])

    def source(self, topic: str, partition: int) -> Iterator[Record]:
        """Return what a stream has read."""
        return Tail(self.logs[topic][partition], lambda: self.after[topic, partition])

    def output(self, topic: str, partition: int, events: Only = ALL, again: bool = False) -> Iterator[Record]:
        """Return the records that carry some events."""
        return Tail(self.logs[topic][partition], lambda: self.ends[topic, partition], events)


class Problems:
    """Where comparisons say what they find."""

    def __init__(self) -> None:
        self.new: list[Problem] = []

    def count(self, check: str, things: int = 1) -> None:
        """What was looked at is not counted."""

    def wrong(self, problem: Problem) -> None:
        """Say what is wrong."""
        self.new.append(problem)

    def taken(self) -> list[Problem]:
        """Return what is new since the last time."""
        new, self.new = self.new, []
        return new


class Wrong(Exception):
    """Something is wrong; nothing more was compared."""


class FirstProblem(Problems):
    """For those who only ask whether anything is wrong."""

    def wrong(self, problem: Problem) -> None:
        """Raise Wrong."""
        raise Wrong(str(problem))


class Judge:
    """Compares a snapshot, again and again while it grows."""

    def __init__(
        self, snapshot: Snapshot, group: str, tenants: str = "", problems: Problems | None = None
    ) -> None:
        self._snapshot = snapshot
        self._group = group
        self._problems = problems or Problems()
        self._dead = DeadLetters(self._problems)
        self._journal = Journal(self._problems)
        listeners = {POSTINGS: [self._journal.see], COMMANDS: [self._journal.hear]}
        settings = {stream.table: {"tenants": Tenants(tenants)} for stream in (FRAUD, LEDGER)}
        self._comparison = Comparison(
            snapshot, self._problems, self._dead, STREAMS, settings, listeners, group=group
        )
        numbers = range(snapshot.count)
        self._letters = [snapshot.output(DEAD_LETTERS, number) for number in numbers]
        self._alerts = [snapshot.output(INVARIANT_ALERTS, number) for number in numbers]

    def run(
        self, before: Offsets, quiet: bool, planted: Sequence[Planted] = (), view_urls: Sequence[str] = ()
    ) -> list[Problem]:
        """Return what is wrong and was not said yet.

        `before`: the offsets before the outputs were read. What was planted, and views, are looked at only
        when it is quiet.
        """
        for letters in self._letters:
            self._dead.add(letters)
        for batch in self._snapshot.unread:
            self._dead.ranges.pass_over(*batch)
        self._comparison.run(None if quiet else before)
        self._dead.finish(SOURCES, None if quiet else before)
        for alerts in self._alerts:
            check_alerts(self._problems, alerts)
        if quiet:
            self._unread()
            self._sums()
            self._effects(planted)
            self._views(view_urls)
        return self._problems.taken()

    def _unread(self) -> None:
        """When it is quiet, every record must have been read, and changelogs must say so."""
        for stream, number in itertools.product(STREAMS, range(self._snapshot.count)):
            said, offset = self._comparison.applied(stream, number), self._snapshot.after[stream.log, number]
            if said != offset:
                text = f"its source offset is {said}, and {offset} is committed"
                self._problems.wrong(Problem("table", stream.changelog(self._group), number, -1, text))
        for (name, number), offset in self._snapshot.after.items():
            left = [record for record in self._snapshot.logs[name][number] if record.offset >= offset]
            if left:
                self._problems.wrong(at("input", left[0], f"{len(left)} records were never read"))

    def _sums(self) -> None:
        """Hold the rows of accounts against the journal added up by itself."""
        changelog = LEDGER.changelog(self._group)
        for number in range(self._snapshot.count):
            self._journal.close_branch(number)
        self._journal.close()
        rows = {record.key: record for log in self._snapshot.logs[changelog].values() for record in log}
        for key, account in self._journal.accounts.items():
            record = rows.get(b"a\0" + key.encode().replace(b"/", b"\0", 1))
            row = (record and record.value) or b""
            if record is None or len(row) not in (ACCOUNT_ROW.size, ACCOUNT_ROW.size + MAXIMUM.size):
                self._problems.wrong(Problem("table", changelog, account.partition, -1, f"no row of {key}"))
                continue
            *_, held, debits, _, credits, sequence = ACCOUNT_ROW.unpack_from(row)
            folded = account.held, account.debits, account.credits, account.sequence
            if (held, debits, credits, sequence) != folded:
                self._problems.wrong(at("table", record, f"the row of {key} is not its postings' sum"))

    def _effects(self, planted: Sequence[Planted]) -> None:
        checks = PlantedChecks(self._problems, list(planted))
        for topic, listener in checks.listeners.items():
            for log in self._snapshot.logs[topic].values():
                for record in log:
                    listener(record)
        checks.run(self._dead)

    def _views(self, urls: Sequence[str]) -> None:
        numbers = range(self._snapshot.count)
        models = {
            stream: [self._comparison.model(stream, number) for number in numbers] for stream, _ in VIEWS
        }
        states = {stream: [state for model in models[stream] for state in model.view()] for stream in models}
        tenants = {state["tenant_id"] for stream in states for state in states[stream]}
        for url, (stream, view) in itertools.product(urls, VIEWS):
            for problem in compare_view(url, view, read_view(url, view, tenants), states[stream]):
                self._problems.wrong(problem)
        lines = {}
        for number in numbers:
            history = self._comparison.model(HISTORY, number)
            assert isinstance(history, HistoryBranch)
            lines.update(history.lines)
        for url in urls:
            chance = Random(sum(map(len, lines.values())))
            for problem in compare_past(url, lines, chance, asking(url)):
                self._problems.wrong(problem)
